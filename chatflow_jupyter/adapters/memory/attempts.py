"""Attempts and their leases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, OwnerId, RunnerId, TenantId
from chatflow_jupyter.ports.records import AttemptRow, Progress, Serves

from .tables import Tables


class MemoryAttempts:
    """`IAttempts` in memory."""

    _tables: Tables

    async def claim(
        self,
        runner_id: RunnerId,
        owner_id: OwnerId | None,
        *,
        now: datetime,
        lease_expires_at: datetime,
        serves: Serves | None = None,
    ) -> AttemptRow | None:
        """See the port."""
        del now
        tables = self._tables
        queued = [
            row
            for row in tables.attempts.values()
            if row.status == "queued"
            and owner_id in (None, tables.tree_owners.get((row.tenant_id, row.root_id)))
            and (serves is None or serves.may_hold(row))
        ]
        if not queued:
            return None
        oldest = min(queued, key=lambda row: row.queued_at)
        leased = replace(
            oldest,
            status="leased",
            fence=oldest.fence + 1,
            runner_id=runner_id,
            owner_id=owner_id,
            lease_expires_at=lease_expires_at,
        )
        self._store(leased)
        return leased

    async def heartbeat(
        self,
        tenant_id: TenantId,
        attempt_id: AttemptId,
        fence: int,
        *,
        lease_expires_at: datetime,
        progress: Progress | None,
    ) -> None:
        """See the port."""
        row = self._tables.leased(tenant_id, attempt_id, fence)
        self._store(replace(row, lease_expires_at=lease_expires_at, progress=progress or row.progress))

    async def attempt(self, tenant_id: TenantId, attempt_id: AttemptId) -> AttemptRow:
        """See the port."""
        found = self._tables.attempts.get((tenant_id, attempt_id))
        if found is None:
            raise NotFound(f"no attempt {attempt_id}")
        return found

    async def attempts(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[AttemptRow]:
        """See the port."""
        return tuple(
            row
            for row in self._tables.attempts.values()
            if row.tenant_id == tenant_id and row.instance_id == instance_id
        )

    async def expired_leases(
        self, now: datetime, limit: int = 100, *, after: AttemptRow | None = None
    ) -> Sequence[AttemptRow]:
        """See the port."""
        expired = [
            row
            for row in self._tables.attempts.values()
            if row.status == "leased" and row.lease_expires_at is not None and row.lease_expires_at < now
        ]
        oldest = sorted(expired, key=_age)
        return tuple(row for row in oldest if after is None or _age(row) > _age(after))[:limit]

    async def leases_of(self, owner_id: OwnerId) -> Sequence[AttemptRow]:
        """See the port."""
        return tuple(
            row
            for row in self._tables.attempts.values()
            if row.status == "leased" and row.owner_id == owner_id
        )

    async def running_attempts(self, root_id: InstanceId, tenant_id: TenantId) -> Sequence[AttemptRow]:
        """See the port."""
        return tuple(
            row
            for row in self._tables.attempts.values()
            if row.tenant_id == tenant_id and row.root_id == root_id and row.status in ("queued", "leased")
        )

    def _store(self, row: AttemptRow) -> None:
        self._tables.attempts[(row.tenant_id, row.attempt_id)] = row
        self._tables.changes.announce()


def _age(row: AttemptRow) -> tuple[datetime | None, datetime, TenantId, AttemptId]:
    return row.lease_expires_at, row.queued_at, row.tenant_id, row.attempt_id
