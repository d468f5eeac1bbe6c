"""`IArtifactStorage`: bytes by the hash of their content, apart per tenant."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from chatflow_jupyter.domain.ids import Sha256, TenantId

from .records import Stored


class IArtifactStorage(Protocol):
    """Content-addressed bytes. The same bytes stored twice are one object; tenants never share objects."""

    async def put(self, tenant_id: TenantId, source: Path) -> Stored:
        """Store the bytes of a local file, durably, and return their hash and size.

        A reader never sees part of them, whenever the process dies. Raises `StorageFull`, and `InvalidInput`
        when `source` is not a regular file.
        """

    async def put_bytes(self, tenant_id: TenantId, content: bytes) -> Stored:
        """Store `content`, like `put`."""

    async def exists(self, tenant_id: TenantId, sha256: Sha256) -> bool:
        """Return whether the object is there."""

    async def fetch(self, tenant_id: TenantId, sha256: Sha256, target: Path) -> None:
        """Write the object to the new local file `target`, verified. Raises `NotFound`.

        Raises `StoreDamaged` (code `artifact_corrupt`) when the stored bytes do not have that hash.
        """

    def stream(self, tenant_id: TenantId, sha256: Sha256) -> AsyncIterator[bytes]:
        """Yield the object in pieces of at most 1 MiB; raises `NotFound` before the first."""

    async def verify(self, tenant_id: TenantId, sha256: Sha256, *, read: bool) -> int:
        """Return the size of the object in bytes; raises `NotFound`.

        With `read`, raises `StoreDamaged` (code `artifact_corrupt`) when the stored bytes do not have that
        hash, or cannot be read.
        """

    async def delete(self, tenant_id: TenantId, sha256: Sha256) -> None:
        """Remove the object; absent ones are fine."""

    async def collect_uploads(self, older_than_sec: float) -> int:
        """Remove what is left of uploads that never ended, of all tenants; returns how many.

        Only those that nothing was written to for `older_than_sec` seconds.
        """
