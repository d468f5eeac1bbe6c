"""The port's methods about schedules."""

from collections.abc import Sequence
from datetime import datetime

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.ids import ScheduleId, TenantId
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry, ScheduleStep
from chatflow_jupyter.ports.schedules import DueSchedule

from . import schedules
from .database import Transactions
from .pages import DamageLog


class SqlSchedules:
    """`ISchedules` in SQL."""

    _database: Transactions
    _damage: DamageLog

    async def add_schedule(self, schedule: Schedule, act: Act | None = None) -> None:
        """See the port."""
        await self._database.write(lambda c: schedules.add(c, schedule, act))

    async def schedules(self, tenant_id: TenantId) -> Sequence[Schedule]:
        """See the port."""
        return await self._database.read(lambda c: schedules.schedules_of(c, tenant_id))

    async def schedule(self, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
        """See the port."""
        return await self._database.read(lambda c: schedules.schedule(c, tenant_id, schedule_id))

    async def change_schedule(self, step: ScheduleStep, act: Act | None = None) -> None:
        """See the port."""
        await self._database.write(lambda c: schedules.change(c, step, act))

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
        return await self._database.read(
            lambda c: schedules.log(c, tenant_id, schedule_id, limit, after, until)
        )

    async def due_schedules(
        self, now: datetime, limit: int = 100, *, after: DueSchedule | None = None
    ) -> Sequence[DueSchedule]:
        """See the port."""
        return await self._database.read(lambda c: schedules.due(c, now, after, limit, self._damage))

    async def next_schedule_due(self) -> datetime | None:
        """See the port."""
        return await self._database.read(lambda c: schedules.next_due(c, self._damage))
