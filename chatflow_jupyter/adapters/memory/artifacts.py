"""Artifact rows, blobs and the journal."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.errors import Conflict, NotFound
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Sha256, TenantId
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.records import ArtifactRecord, JournalEntry

from .tables import Blob, Tables


class MemoryArtifactRows:
    """`IArtifactRows` in memory."""

    _tables: Tables

    async def touch_blob(self, tenant_id: TenantId, sha256: Sha256, size_bytes: int, now: datetime) -> None:
        """See the port."""
        fresh = Blob(size_bytes=size_bytes, state="live", touched_at=now)
        blob = self._tables.blobs.setdefault((tenant_id, sha256), fresh)
        if blob.state == "deleting":
            raise Conflict(f"blob {sha256} is being deleted; try again later", code="blob_deleting")
        blob.touched_at = now
        self._tables.changes.announce()

    async def publish_artifact(self, record: ArtifactRecord, fence: int | None) -> None:
        """See the port."""
        if fence is not None:
            self._tables.leased(record.tenant_id, record.attempt_id, fence)
        elif (record.tenant_id, record.attempt_id) not in self._tables.attempts:
            raise NotFound(f"no attempt {record.attempt_id}")
        blob = self._tables.blobs.get((record.tenant_id, record.sha256))
        if blob is None or blob.state != "live":
            raise Conflict(f"the bytes of artifact {record.name} are not stored", code="blob_missing")
        self._tables.artifacts[(record.tenant_id, record.attempt_id, record.name)] = record
        self._tables.changes.announce()

    async def artifacts(
        self, tenant_id: TenantId, instance_id: InstanceId, *, include_deleted: bool = False
    ) -> Sequence[ArtifactRecord]:
        """See the port."""
        found = [
            record
            for record in self._tables.artifacts.values()
            if record.tenant_id == tenant_id
            and record.instance_id == instance_id
            and (include_deleted or record.deleted_at is None)
        ]
        return tuple(sorted(found, key=lambda record: (record.phase, record.attempt, record.name)))

    async def set_artifact_deleted(
        self, tenant_id: TenantId, attempt_id: AttemptId, name: str, deleted_at: datetime | None
    ) -> None:
        """See the port."""
        key = (tenant_id, attempt_id, name)
        if key not in self._tables.artifacts:
            raise NotFound(f"attempt {attempt_id} has no artifact {name}")
        self._tables.artifacts[key] = replace(self._tables.artifacts[key], deleted_at=deleted_at)
        self._tables.changes.announce()

    async def collectable_blobs(
        self, tenant_id: TenantId, untouched_since: datetime, limit: int = 100
    ) -> Sequence[Sha256]:
        """See the port."""
        referenced = set(self._referenced(tenant_id))
        found = [
            (blob.touched_at, sha256)
            for (tenant, sha256), blob in self._tables.blobs.items()
            if tenant == tenant_id
            and sha256 not in referenced
            and (blob.state == "deleting" or blob.touched_at < untouched_since)
        ]
        hashes = tuple(sha256 for _, sha256 in sorted(found)[:limit])
        for sha256 in hashes:
            self._tables.blobs[(tenant_id, sha256)].state = "deleting"
        return hashes

    async def tenants_with_blobs(self) -> Sequence[TenantId]:
        """See the port."""
        return tuple(sorted({tenant_id for tenant_id, _ in self._tables.blobs}))

    async def forget_blobs(self, tenant_id: TenantId, hashes: Collection[Sha256]) -> None:
        """See the port."""
        for sha256 in hashes:
            blob = self._tables.blobs.get((tenant_id, sha256))
            if blob is not None and blob.state == "deleting":
                del self._tables.blobs[(tenant_id, sha256)]

    async def journal_get(
        self, tenant_id: TenantId, instance_id: InstanceId, phase: str, name: str
    ) -> JournalEntry | None:
        """See the port."""
        return self._tables.journal.get((tenant_id, instance_id, phase, name))

    async def journal_put(
        self,
        tenant_id: TenantId,
        attempt_id: AttemptId,
        fence: int,
        name: str,
        *,
        value: JsonValue = None,
        sha256: Sha256 | None = None,
        now: datetime,
    ) -> JournalEntry:
        """See the port."""
        del now
        attempt = self._tables.leased(tenant_id, attempt_id, fence)
        key = (tenant_id, attempt.instance_id, attempt.phase, name)
        entry = JournalEntry(name=name, value=value, sha256=sha256)
        stored = self._tables.journal.setdefault(key, entry)
        self._tables.changes.announce()
        return stored

    def _referenced(self, tenant_id: TenantId) -> Iterator[Sha256]:
        yield from (
            record.sha256 for record in self._tables.artifacts.values() if record.tenant_id == tenant_id
        )
        for definition in self._tables.definitions.values():
            if definition.tenant_id == tenant_id:
                yield definition.bundle_sha256
        for (tenant, *_), entry in self._tables.journal.items():
            if tenant == tenant_id and entry.sha256 is not None:
                yield entry.sha256
