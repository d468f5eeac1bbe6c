"""`LocalArtifactStorage`: content-addressed files below one folder, `{tenant}/sha256/ab/cdef…`."""

import asyncio
import contextlib
import errno
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from chatflow_jupyter.domain.errors import InvalidInput, NotFound, StorageFull, StoreDamaged, Unreachable
from chatflow_jupyter.domain.ids import Sha256, TenantId
from chatflow_jupyter.planted_files import open_source
from chatflow_jupyter.ports.records import Stored

from .durable import (
    PIECE_BYTES,
    flush_folder,
    hash_of,
    hashing_copy,
    make_folder,
    new_file,
    temporary_file,
)

_TENANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalArtifactStorage:
    """`IArtifactStorage` on one file system. An upload becomes visible by a rename, whole or not at all."""

    def __init__(self, root: Path) -> None:
        """Keep everything below `root`, which is made when first written to."""
        self._root = root

    async def put(self, tenant_id: TenantId, source: Path) -> Stored:
        """See the port."""
        return await asyncio.to_thread(self._put_file, tenant_id, source)

    async def put_bytes(self, tenant_id: TenantId, content: bytes) -> Stored:
        """See the port."""
        return await asyncio.to_thread(self._put_bytes, tenant_id, content)

    async def exists(self, tenant_id: TenantId, sha256: Sha256) -> bool:
        """See the port."""
        return await asyncio.to_thread(self._place(tenant_id, sha256).is_file)

    async def fetch(self, tenant_id: TenantId, sha256: Sha256, target: Path) -> None:
        """See the port."""
        await asyncio.to_thread(self._fetch, tenant_id, sha256, target)

    async def stream(self, tenant_id: TenantId, sha256: Sha256) -> AsyncIterator[bytes]:
        """See the port."""
        file = await asyncio.to_thread(self._open, tenant_id, sha256)
        try:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece
        finally:
            file.close()

    async def verify(self, tenant_id: TenantId, sha256: Sha256, *, read: bool) -> int:
        """See the port."""
        return await asyncio.to_thread(self._verify, tenant_id, sha256, read)

    async def delete(self, tenant_id: TenantId, sha256: Sha256) -> None:
        """See the port."""
        place = self._place(tenant_id, sha256)
        await asyncio.to_thread(place.unlink, missing_ok=True)

    async def collect_uploads(self, older_than_sec: float) -> int:
        """See the port."""
        return await asyncio.to_thread(self._collect_uploads, older_than_sec)

    def _put_file(self, tenant_id: TenantId, source: Path) -> Stored:
        with open_source(source) as file:
            return self._store(tenant_id, iter(lambda: file.read(PIECE_BYTES), b""))

    def _put_bytes(self, tenant_id: TenantId, content: bytes) -> Stored:
        return self._store(tenant_id, iter((content,)))

    def _store(self, tenant_id: TenantId, pieces: Iterator[bytes]) -> Stored:
        folder = self._folder(tenant_id)
        with _our_errors(f"artifacts of tenant {tenant_id}"):
            uploads = make_folder(folder / "uploads")
            with temporary_file(uploads) as (file, path):
                sha256, size_bytes = hashing_copy(pieces, file)
                place = self._place(tenant_id, sha256)
                make_folder(place.parent)
                path.replace(place)
                flush_folder(place.parent)
        return Stored(sha256=sha256, size_bytes=size_bytes)

    def _fetch(self, tenant_id: TenantId, sha256: Sha256, target: Path) -> None:
        with self._open(tenant_id, sha256) as file, _our_errors(str(target)), new_file(target) as copy:
            found, _ = hashing_copy(iter(lambda: file.read(PIECE_BYTES), b""), copy, durable=False)
            if found != sha256:
                raise self._damaged(tenant_id, sha256, f"its bytes have the hash {found[:12]}…")

    def _verify(self, tenant_id: TenantId, sha256: Sha256, read: bool) -> int:
        with self._open(tenant_id, sha256) as file:
            if not read:
                return os.fstat(file.fileno()).st_size
            try:
                found, size_bytes = hash_of(iter(lambda: file.read(PIECE_BYTES), b""))
            except OSError as error:
                raise self._damaged(tenant_id, sha256, f"it cannot be read: {error.strerror}") from None
        if found != sha256:
            raise self._damaged(tenant_id, sha256, f"its {size_bytes} bytes have the hash {found[:12]}…")
        return size_bytes

    def _damaged(self, tenant_id: TenantId, sha256: Sha256, how: str) -> StoreDamaged:
        place = self._place(tenant_id, sha256)
        return StoreDamaged(
            f"{place} is damaged: {how}; put it back from a backup of the artifacts", code="artifact_corrupt"
        )

    def _open(self, tenant_id: TenantId, sha256: Sha256) -> BinaryIO:
        try:
            return self._place(tenant_id, sha256).open("rb")
        except FileNotFoundError:
            place = self._place(tenant_id, sha256)
            raise NotFound(f"no artifact {sha256}: {place} is missing; put it back from a backup") from None
        except OSError as error:
            raise Unreachable(f"artifact {sha256} cannot be read: {error.strerror}") from None

    def _collect_uploads(self, older_than_sec: float) -> int:
        before, removed = time.time() - older_than_sec, 0
        with _our_errors("unfinished uploads"):
            for path in self._root.glob("*/uploads/*"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime <= before:
                        path.unlink()
                        removed += 1
        return removed

    def _folder(self, tenant_id: TenantId) -> Path:
        if _TENANT.fullmatch(tenant_id) is None:
            raise InvalidInput(f"tenant {tenant_id!r}: not usable as a folder name")
        return self._root / tenant_id

    def _place(self, tenant_id: TenantId, sha256: Sha256) -> Path:
        if _HASH.fullmatch(sha256) is None:
            raise InvalidInput(f"{sha256!r} is not a SHA-256 hash in lower-case hexadecimal")
        return self._folder(tenant_id) / "sha256" / sha256[:2] / sha256[2:]


@contextlib.contextmanager
def _our_errors(what: str) -> Iterator[None]:
    """Turn errors of the file system into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"no room is left for {what}") from None
        if isinstance(error, FileExistsError):
            raise InvalidInput(f"{what}: exists already") from None
        raise Unreachable(f"{what}: {error.strerror}") from None
