"""Schedules in memory."""

from collections.abc import Sequence
from datetime import datetime

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import ScheduleId, TenantId
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry, ScheduleStep, taken
from chatflow_jupyter.ports.schedules import DueSchedule

from . import audit
from .tables import Tables

KEPT_STEPS = 1000


class MemorySchedules:
    """`ISchedules` in memory."""

    _tables: Tables

    async def add_schedule(self, schedule: Schedule, act: Act | None = None) -> None:
        """See the port."""
        same = [one for one in await self.schedules(schedule.tenant_id) if one.name == schedule.name]
        if any(one.removed_at is None for one in same):
            raise Conflict(taken(schedule.name), code="schedule_exists")
        self._tables.schedules[schedule.tenant_id, schedule.schedule_id] = schedule
        audit.record(self._tables, schedule.tenant_id, act)
        self._tables.changes.announce()

    async def schedules(self, tenant_id: TenantId) -> Sequence[Schedule]:
        """See the port."""
        found = [one for one in self._tables.schedules.values() if one.tenant_id == tenant_id]
        latest = sorted(found, key=lambda one: (one.created_at, one.schedule_id), reverse=True)
        return tuple(sorted(latest, key=lambda one: one.name))

    async def schedule(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        """See the port."""
        found = self._tables.schedules.get((tenant_id, schedule_id))
        if found is None:
            raise NotFound(f"no schedule {schedule_id}")
        return found

    async def change_schedule(self, step: ScheduleStep, act: Act | None = None) -> None:
        """See the port."""
        check_step(self._tables, step)
        take_step(self._tables, step)
        audit.record(self._tables, step.after.tenant_id, act)
        self._tables.changes.announce()

    async def schedule_log(
        self,
        tenant_id: TenantId,
        schedule_id: ScheduleId,
        limit: int = 100,
        *,
        after: int = 0,
        until: int | None = None,
    ) -> Sequence[ScheduleEntry]:
        """See the port."""
        kept = self._tables.schedule_log.get((tenant_id, schedule_id), [])
        wanted = [entry for seq, entry in kept if seq > after and (until is None or seq <= until)]
        return tuple(reversed(wanted))[:limit]

    async def due_schedules(
        self, now: datetime, limit: int = 100, *, after: DueSchedule | None = None
    ) -> Sequence[DueSchedule]:
        """See the port."""
        due = sorted((one for one in _looked_at(self._tables) if one.due_at <= now), key=_place)
        return tuple(one for one in due if after is None or _place(one) > _place(after))[:limit]

    async def next_schedule_due(self) -> datetime | None:
        """See the port."""
        return min((one.due_at for one in _looked_at(self._tables)), default=None)


def check_step(tables: Tables, step: ScheduleStep) -> None:
    """Raise what the port says unless the schedule is still what the step begins with."""
    this = step.before.tenant_id, step.before.schedule_id
    stored = tables.schedules.get(this)
    if stored is None:
        raise NotFound(f"no schedule {step.before.schedule_id}")
    if stored.seq != step.before.seq:
        raise SeqConflict(f"schedule {stored.name} is at change {stored.seq}, not {step.before.seq}")


def take_step(tables: Tables, step: ScheduleStep) -> None:
    """Change the schedule and keep the entries."""
    after = step.after
    this = after.tenant_id, after.schedule_id
    tables.schedules[this] = after
    kept = [(seq, entry) for seq, entry in tables.schedule_log[this] if seq > after.seq - KEPT_STEPS]
    tables.schedule_log[this] = [*kept, *((after.seq, entry) for entry in step.entries)]


def _looked_at(tables: Tables) -> list[DueSchedule]:
    return [
        DueSchedule(tenant_id=one.tenant_id, schedule_id=one.schedule_id, due_at=one.looks_at)
        for one in tables.schedules.values()
        if one.looks_at is not None
    ]


def _place(due: DueSchedule) -> tuple[datetime, TenantId, ScheduleId]:
    return due.due_at, due.tenant_id, due.schedule_id
