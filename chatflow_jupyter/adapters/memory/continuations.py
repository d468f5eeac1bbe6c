"""The engine's own notes and clocks."""

from collections.abc import Collection, Sequence
from datetime import datetime

from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.ports.records import ContinuationRow, TimerRow

from .tables import Tables


class MemoryContinuations:
    """`IContinuations` in memory."""

    _tables: Tables

    async def continuations(self, limit: int = 200, *, after: int = 0) -> Sequence[ContinuationRow]:
        """See the port."""
        rows = self._tables.continuations.values()
        return tuple(row for row in rows if row.continuation_id > after)[:limit]

    async def drop_continuations(self, ids: Collection[int]) -> None:
        """See the port."""
        for continuation_id in ids:
            self._tables.continuations.pop(continuation_id, None)
        self._tables.changes.announce()

    async def due_timers(
        self, now: datetime, limit: int = 100, *, after: TimerRow | None = None
    ) -> Sequence[TimerRow]:
        """See the port."""
        due = sorted((timer for timer in self._tables.timers.values() if timer.due_at <= now), key=_place)
        return tuple(timer for timer in due if after is None or _place(timer) > _place(after))[:limit]

    async def next_due(self) -> datetime | None:
        """See the port."""
        return min((timer.due_at for timer in self._tables.timers.values()), default=None)

    async def drop_timer(self, timer: TimerRow) -> None:
        """See the port."""
        key = (timer.tenant_id, timer.instance_id, timer.kind)
        if self._tables.timers.get(key) == timer:
            del self._tables.timers[key]
            self._tables.changes.announce()


def _place(timer: TimerRow) -> tuple[datetime, TenantId, InstanceId, str]:
    return timer.due_at, timer.tenant_id, timer.instance_id, timer.kind.value
