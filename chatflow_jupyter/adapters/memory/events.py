"""Events and the outbox."""

from collections.abc import Collection, Sequence

from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.ports.records import OutboxRow

from .tables import Tables


class MemoryEvents:
    """`IEvents` in memory."""

    _tables: Tables

    async def events(
        self,
        tenant_id: TenantId,
        *,
        instance_id: InstanceId | None = None,
        root_id: InstanceId | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[StoredEvent]:
        """See the port."""
        log = self._tables.events.get(tenant_id, [])
        found = (
            stored
            for stored in log[max(after, 0) :]
            if instance_id in (None, stored.event.instance_id) and root_id in (None, stored.event.root_id)
        )
        return tuple(found)[:limit]

    async def last_event(self, tenant_id: TenantId, root_id: InstanceId) -> int:
        """See the port."""
        log = self._tables.events.get(tenant_id, [])
        return max((stored.position for stored in log if stored.event.root_id == root_id), default=0)

    async def outbox(self, limit: int = 100) -> Sequence[OutboxRow]:
        """See the port."""
        return tuple(self._tables.outbox.values())[:limit]

    async def outbox_published(self, ids: Collection[int]) -> None:
        """See the port."""
        for outbox_id in ids:
            self._tables.outbox.pop(outbox_id, None)

    def change_token(self) -> int:
        """See the port."""
        return self._tables.changes.token

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """See the port."""
        return await self._tables.changes.wait(seen, timeout_sec)
