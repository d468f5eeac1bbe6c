"""Artifacts: bytes stored first, then published as rows under the fence."""

import asyncio
import mimetypes
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from chatflow_jupyter.domain.artifact_names import is_artifact_name
from chatflow_jupyter.domain.errors import Conflict, InvalidInput, NotFound
from chatflow_jupyter.domain.ids import Sha256, TenantId
from chatflow_jupyter.ports.artifact_storage import IArtifactStorage
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import ARTIFACT_KINDS, ArtifactRecord, AttemptRow, Stored
from chatflow_jupyter.ports.state_storage import IArtifactRows

from .bundle import files_of, packed_file, unpack
from .processing import Processing

UNTOUCHED = timedelta(hours=24)
ATTEMPTS_TO_STORE = 5


class Artifacts:
    """Stores bytes, publishes rows, fetches and collects."""

    def __init__(
        self,
        rows: IArtifactRows,
        storage: IArtifactStorage,
        clock: Clock,
        processing: Processing | None = None,
    ) -> None:
        """Keep rows in `rows` and bytes in `storage`, of artifacts what `processing` leaves of them."""
        self._rows = rows
        self._storage = storage
        self._clock = clock
        self._processing = processing

    async def store(self, tenant_id: TenantId, source: Path | bytes) -> Stored:
        """Store bytes so that no collection can take them: the blob is touched, then seen to be there."""
        for _ in range(ATTEMPTS_TO_STORE):
            if isinstance(source, bytes):
                stored = await self._storage.put_bytes(tenant_id, source)
            else:
                stored = await self._storage.put(tenant_id, source)
            try:
                now = self._clock.now()
                await self._rows.touch_blob(tenant_id, stored.sha256, stored.size_bytes, now)
            except Conflict:
                await self.collect(tenant_id)
                continue
            if await self._storage.exists(tenant_id, stored.sha256):
                return stored
        raise Conflict(f"{source!s}: its bytes are being collected at this moment; try again")

    async def publish(
        self, row: AttemptRow, *, name: str, kind: str, source: Path, fence: int | None
    ) -> ArtifactRecord | None:
        """Store the file and publish it as an artifact of the attempt; without a fence, as the engine.

        Returns None, with nothing stored, when a hook refused it.
        """
        check_artifact_name(name)
        if kind not in ARTIFACT_KINDS:
            known = ", ".join(sorted(ARTIFACT_KINDS))
            raise InvalidInput(f"artifact {name}: unknown kind {kind!r}; there are {known}")
        if self._processing is None or not self._processing.is_needed:
            return await self._publish(row, name, kind, source, fence)
        try:
            async with self._processing.of_file(row, name, kind, media_type_of(name), source) as left:
                return None if left is None else await self._publish(row, name, kind, left, fence)
        finally:
            if fence is None:  # the attempt has ended, and nobody will ask what was found
                self._processing.forget(row.attempt_id)

    async def _publish(
        self, row: AttemptRow, name: str, kind: str, source: Path, fence: int | None
    ) -> ArtifactRecord:
        stored = await self.store(row.tenant_id, source)
        record = ArtifactRecord(
            tenant_id=row.tenant_id,
            instance_id=row.instance_id,
            attempt_id=row.attempt_id,
            phase=row.phase,
            attempt=row.number,
            name=name,
            kind=kind,
            media_type=media_type_of(name),
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            created_at=self._clock.now(),
        )
        await self._rows.publish_artifact(record, fence)
        return record

    async def fetch(self, record: ArtifactRecord, target: Path) -> None:
        """Write the artifact's bytes, verified, to the new file `target`."""
        await self._storage.fetch(record.tenant_id, record.sha256, target)

    async def is_there(self, record: ArtifactRecord) -> bool:
        """Whether as many bytes of the artifact are stored as there should be."""
        try:
            size_bytes = await self._storage.verify(record.tenant_id, record.sha256, read=False)
        except NotFound:
            return False
        return size_bytes == record.size_bytes

    async def fetch_bytes(self, tenant_id: TenantId, sha256: Sha256, target: Path) -> None:
        """Write the object of that hash to the new file `target`."""
        await self._storage.fetch(tenant_id, sha256, target)

    async def unpack_bundle(self, tenant_id: TenantId, sha256: Sha256, target: Path) -> None:
        """Unpack a bundle into the new folder `target`."""
        packed = target.with_name(target.name + ".zip")
        await self._storage.fetch(tenant_id, sha256, packed)
        try:
            await asyncio.to_thread(unpack, packed, target)
        finally:
            packed.unlink(missing_ok=True)

    async def bundle_files(self, tenant_id: TenantId, sha256: Sha256) -> Mapping[str, bytes]:
        """Return every file of a stored bundle by its relative path."""
        with TemporaryDirectory(prefix="chatflow-") as folder:
            packed = Path(folder) / "bundle.zip"
            await self._storage.fetch(tenant_id, sha256, packed)
            return await asyncio.to_thread(files_of, packed)

    async def bundled(self, tenant_id: TenantId, sha256: Sha256, name: str) -> bytes:
        """Return the file `name` of a bundle."""
        pieces = [piece async for piece in self._storage.stream(tenant_id, sha256)]
        return await asyncio.to_thread(packed_file, b"".join(pieces), name)

    async def tenants(self) -> Sequence[TenantId]:
        """Return every tenant of whom bytes are stored."""
        return await self._rows.tenants_with_blobs()

    async def collect_uploads(self) -> int:
        """Delete what is left of uploads that were cut off a day ago or longer; returns how many."""
        return await self._storage.collect_uploads(UNTOUCHED.total_seconds())

    async def collect(self, tenant_id: TenantId) -> int:
        """Delete bytes that nothing refers to and nobody touched for a day; returns how many objects.

        At most a page at once: call it again until it returns 0.
        """
        untouched_since = self._clock.now() - UNTOUCHED
        hashes: Sequence[Sha256] = await self._rows.collectable_blobs(tenant_id, untouched_since)
        for sha256 in hashes:
            await self._storage.delete(tenant_id, sha256)
        await self._rows.forget_blobs(tenant_id, hashes)
        return len(hashes)


def check_artifact_name(name: str) -> None:
    """Raise `InvalidInput` unless `name` is a relative path that is safe on every system."""
    if not is_artifact_name(name):
        raise InvalidInput(
            f"artifact name {name!r}: must be a relative path of printable characters, without .."
        )


def media_type_of(name: str) -> str:
    """Return the type the name's suffix stands for, chosen by us and never by its producer."""
    own = {".ipynb": "application/x-ipynb+json", ".md": "text/markdown", ".sarif": "application/sarif+json"}
    suffix = Path(name).suffix.lower()
    return own.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
