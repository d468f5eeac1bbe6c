"""What became of schedules since somebody looked last, for whoever tells it line by line."""

from collections.abc import AsyncIterator
from datetime import datetime

from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.ids import ScheduleId, TenantId
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry

from .schedules import Schedules

FIRST_LOOK = 20
"""How many changes are looked at of a schedule that is seen for the first time."""


class ScheduleNews:
    """The entries of a tenant's schedules from `began` on, each once; no log is read for nothing."""

    def __init__(self, schedules: Schedules, tenant_id: TenantId, began: datetime) -> None:
        """Tell of the schedules of that tenant."""
        self._schedules = schedules
        self._tenant_id = tenant_id
        self._began = began
        self._told: dict[ScheduleId, int] = {}

    async def all(self) -> AsyncIterator[tuple[Schedule, ScheduleEntry]]:
        """Yield what is new, by name of the schedule, the earliest first.

        Raises `StoreDamaged` for logs that cannot be read, once those of the others are told.
        """
        fault: StoreDamaged | None = None
        for schedule in await self._schedules.all(self._tenant_id, removed=True):
            told = self._told.get(schedule.schedule_id)
            if told == schedule.seq:
                continue
            since = schedule.seq - FIRST_LOOK if told is None else told
            try:
                news = await self._schedules.log_since(schedule, since)
            except StoreDamaged as error:
                fault = fault or error
                continue
            self._told[schedule.schedule_id] = schedule.seq
            for entry in news:
                if told is not None or entry.at > self._began:
                    yield schedule, entry
        if fault is not None:
            raise fault
