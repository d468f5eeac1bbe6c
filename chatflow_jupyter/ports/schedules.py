"""`ISchedules`: schedules, what became of their times, and which are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.ids import ScheduleId, TenantId
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry, ScheduleStep


@dataclass(frozen=True, kw_only=True, slots=True)
class DueSchedule:
    """A schedule the engine has to look at, and since when."""

    tenant_id: TenantId
    schedule_id: ScheduleId
    due_at: datetime


class ISchedules(Protocol):
    """Schedules. What is due is read across tenants; a damaged row holds up nobody else."""

    async def add_schedule(self, schedule: Schedule, act: Act | None = None) -> None:
        """Store the schedule, and record `act`.

        Raises `Conflict` (code `schedule_exists`) when one of that name is there that was not removed.
        """

    async def schedules(self, tenant_id: TenantId) -> Sequence[Schedule]:
        """Return every schedule of the tenant by name, removed ones too, within a name the latest first."""

    async def schedule(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        """Return the schedule as last changed; raises `NotFound`."""

    async def change_schedule(self, step: ScheduleStep, act: Act | None = None) -> None:
        """Let the schedule be `step.after` and keep its entries; `commit` does the same with an instance.

        Records `act`. Raises `SeqConflict` when its stored `seq` is not that of `before`, `NotFound`
        without any.
        """

    async def schedule_log(
        self,
        tenant_id: TenantId,
        schedule_id: ScheduleId,
        limit: int = 100,
        *,
        after: int = 0,
        until: int | None = None,
    ) -> Sequence[ScheduleEntry]:
        """Return what became of its times, the latest first; those of the last thousand changes are kept.

        Only those of changes behind the `seq` that is `after`, and up to the one that is `until`.
        """

    async def due_schedules(
        self, now: datetime, limit: int = 100, *, after: DueSchedule | None = None
    ) -> Sequence[DueSchedule]:
        """Return schedules to look at by `now`, of all tenants, the earliest first.

        Paused and removed ones never are. `after` continues behind that one, whatever became of it.
        """

    async def next_schedule_due(self) -> datetime | None:
        """Return when the earliest schedule is to be looked at, or None."""
