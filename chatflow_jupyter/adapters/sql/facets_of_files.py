"""The port's methods about stored bytes and about the processes that share a store."""

from collections.abc import Collection, Sequence
from datetime import datetime

from chatflow_jupyter.domain.ids import AttemptId, InstanceId, OwnerId, Sha256, TenantId
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.records import ArtifactRecord, JournalEntry, Owner, UnfinishedTree

from . import artifacts, journal, ownership
from .database import Transactions


class SqlArtifactRows:
    """`IArtifactRows` in SQL."""

    _database: Transactions

    async def touch_blob(self, tenant_id: TenantId, sha256: Sha256, size_bytes: int, now: datetime) -> None:
        """See the port."""
        await self._database.write(lambda c: artifacts.touch(c, tenant_id, sha256, size_bytes, now))

    async def publish_artifact(self, record: ArtifactRecord, fence: int | None) -> None:
        """See the port."""
        await self._database.write(lambda c: artifacts.publish(c, record, fence))

    async def artifacts(
        self, tenant_id: TenantId, instance_id: InstanceId, *, include_deleted: bool = False
    ) -> Sequence[ArtifactRecord]:
        """See the port."""
        return await self._database.read(
            lambda c: artifacts.artifacts_of(c, tenant_id, instance_id, include_deleted)
        )

    async def set_artifact_deleted(
        self, tenant_id: TenantId, attempt_id: AttemptId, name: str, deleted_at: datetime | None
    ) -> None:
        """See the port."""
        await self._database.write(
            lambda c: artifacts.set_deleted(c, tenant_id, attempt_id, name, deleted_at)
        )

    async def collectable_blobs(
        self, tenant_id: TenantId, untouched_since: datetime, limit: int = 100
    ) -> Sequence[Sha256]:
        """See the port."""
        return await self._database.write(
            lambda c: artifacts.collectable(c, tenant_id, untouched_since, limit)
        )

    async def tenants_with_blobs(self) -> Sequence[TenantId]:
        """See the port."""
        return await self._database.read(artifacts.tenants)

    async def forget_blobs(self, tenant_id: TenantId, hashes: Collection[Sha256]) -> None:
        """See the port."""
        await self._database.write(lambda c: artifacts.forget(c, tenant_id, hashes))

    async def journal_get(
        self, tenant_id: TenantId, instance_id: InstanceId, phase: str, name: str
    ) -> JournalEntry | None:
        """See the port."""
        return await self._database.read(lambda c: journal.entry(c, tenant_id, instance_id, phase, name))

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
        return await self._database.write(
            lambda c: journal.put(c, tenant_id, attempt_id, fence, name, value, sha256, now)
        )


class SqlOwnership:
    """`IOwnership` in SQL."""

    _database: Transactions

    async def register_owner(self, owner: Owner) -> None:
        """See the port."""
        await self._database.write(lambda c: ownership.register(c, owner))

    async def remove_owner(self, owner_id: OwnerId) -> None:
        """See the port."""
        await self._database.write(lambda c: ownership.remove(c, owner_id))

    async def owners(self) -> Sequence[Owner]:
        """See the port."""
        return await self._database.read(ownership.registered)

    async def owner_of(self, tenant_id: TenantId, root_id: InstanceId) -> OwnerId | None:
        """See the port."""
        return await self._database.read(lambda c: ownership.tree_owner(c, tenant_id, root_id))

    async def adopt(
        self, tenant_id: TenantId, root_id: InstanceId, owner_id: OwnerId, *, instead_of: OwnerId | None
    ) -> bool:
        """See the port."""
        return await self._database.write(
            lambda c: ownership.adopt(c, tenant_id, root_id, owner_id, instead_of)
        )

    async def unfinished_trees(self) -> Sequence[UnfinishedTree]:
        """See the port."""
        return await self._database.read(ownership.unfinished)
