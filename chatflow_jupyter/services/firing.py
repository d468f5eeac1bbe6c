"""Firing: what is due is started, once, whoever looks; what cannot be started is noted, and time goes on."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import (
    ChatFlowError,
    SeqConflict,
    StorageFull,
    StoreDamaged,
    Unreachable,
)
from chatflow_jupyter.domain.ids import OwnerId, Principal
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry, ScheduleStep, schedule_meta
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.ports.schedules import DueSchedule
from chatflow_jupyter.ports.state_storage import IStateStorage

from .cron_times import latest_times, next_after
from .definitions import Definitions
from .new_instances import NewInstance
from .orchestrator import Orchestrator
from .schedules import act_on

log = logging.getLogger(__name__)

PAGE = 100
LOOK_EVERY_SEC = 1.0
MOST_CAUGHT_UP = 100
ON_TIME = timedelta(seconds=60)
"""What is not later than that is on time, for those who catch nothing up: nobody looks at every moment."""


class Firing:
    """Starts what schedules say. Any number may work on one store: each time is started by one of them."""

    def __init__(
        self,
        storage: IStateStorage,
        orchestrator: Orchestrator,
        definitions: Definitions,
        clock: Clock,
        owner_id: OwnerId | None,
    ) -> None:
        """Create instances through `orchestrator`; `owner_id` drives their trees."""
        self._storage = storage
        self._orchestrator = orchestrator
        self._definitions = definitions
        self._clock = clock
        self._owner_id = owner_id
        self._told: set[str] = set()

    async def run(self) -> None:
        """Fire for ever, looking at due times and every second; a fault is logged and tried again.

        It does not wake at commits, as the dispatcher does: nearly none of them is about a schedule.
        """
        told = ""
        while True:
            try:
                if not await self.step():
                    await asyncio.sleep(await self._rest_sec())
                told = ""
                continue
            except ChatFlowError as error:
                if error.message != told:
                    log.warning("no schedule is looked at at the moment, trying again: %s", error.message)
                told = error.message
            except Exception:
                log.exception("looking at schedules failed; trying again in %s s", LOOK_EVERY_SEC)
            await asyncio.sleep(LOOK_EVERY_SEC)

    async def step(self) -> bool:
        """Look at every schedule that is due; returns whether anything came of one."""
        now, worked = self._clock.now(), False
        after: DueSchedule | None = None
        while True:
            page = await self._storage.due_schedules(now, PAGE, after=after)
            for due in page:
                worked = await self._look_at(due) or worked
            if len(page) < PAGE:
                return worked
            after = page[-1]

    async def fire_now(self, schedule: Schedule, principal: Principal) -> Instance:
        """Start one at once, beside what it is due for; returns the instance.

        Raises what creating raises, and `SeqConflict` when the schedule was changed meanwhile.
        """
        now = self._clock.now()
        record = await self._record(schedule)
        entry = ScheduleEntry(kind="fired", at=now, due_at=now, detail=f"by {principal}")
        after = replace(schedule, seq=schedule.seq + 1, last_due_at=now)
        act = act_on(after, "run-now", principal, now)
        return await self._start(schedule, after, now, record, (entry,), act)

    async def _look_at(self, due: DueSchedule) -> bool:
        try:
            schedule = await self._storage.schedule(due.tenant_id, due.schedule_id)
            return await self._answer(schedule)
        except SeqConflict:
            return True  # somebody else was first
        except StoreDamaged as error:
            if error.message not in self._told:
                self._told.add(error.message)
                log.warning("schedule %s waits, the others go on: %s", due.schedule_id, error.message)
            return False
        except (Unreachable, StorageFull):
            raise
        except Exception:
            log.exception("schedule %s cannot be looked at; the others go on", due.schedule_id)
            return False

    async def _answer(self, schedule: Schedule) -> bool:
        """Do what the earliest due time needs; returns whether anything was done about it."""
        now, first = self._clock.now(), schedule.looks_at
        if first is None or first > now:
            return False
        busy = schedule.overlap != "allow" and await self._is_busy(schedule)
        if busy and schedule.overlap == "queue":
            return False  # its time stays due; what has gathered is caught up once the previous has ended
        times, missed = _due_times(schedule, first, now)
        entries = () if missed is None else (missed,)
        if not times:
            await self._move_on(schedule, now, entries)
            return True
        nominal = times[0]
        if busy:
            detail = f"{schedule.last_instance_id} has not ended"
            skipped = ScheduleEntry(kind="skipped", at=now, due_at=nominal, detail=detail)
            await self._move_on(schedule, nominal, (*entries, skipped))
            return True
        await self._fire(schedule, nominal, entries)
        return True

    async def _fire(self, schedule: Schedule, nominal: datetime, entries: tuple[ScheduleEntry, ...]) -> None:
        now = self._clock.now()
        after = replace(
            schedule,
            seq=schedule.seq + 1,
            next_due_at=_following(schedule, nominal),
            last_due_at=nominal,
        )
        try:
            record = await self._record(schedule)
            fired = ScheduleEntry(kind="fired", at=now, due_at=nominal)
            await self._start(schedule, after, nominal, record, (*entries, fired))
        except (Unreachable, StorageFull, SeqConflict):
            raise
        except ChatFlowError as error:  # it would fail again: said once, and the next time may be better
            log.warning("schedule %s could not start anything: %s", schedule.name, error.message)
            failed = ScheduleEntry(kind="failed", at=now, due_at=nominal, detail=error.message[:1000])
            await self._storage.change_schedule(
                ScheduleStep(before=schedule, after=after, entries=(*entries, failed))
            )

    async def _start(
        self,
        schedule: Schedule,
        after: Schedule,
        nominal: datetime,
        record: DefinitionRecord,
        entries: tuple[ScheduleEntry, ...],
        act: Act | None = None,
    ) -> Instance:
        order = schedule.order
        new = NewInstance(
            record=record,
            context=order.context,
            principal=order.principal,
            feature_id=order.feature_id,
            meta=schedule_meta(schedule, nominal),
            automation_level=order.automation_level,
            start=True,
            owner_id=self._owner_id,
        )
        return await self._orchestrator.create_scheduled(
            new, ScheduleStep(before=schedule, after=after, entries=entries), act
        )

    async def _record(self, schedule: Schedule) -> DefinitionRecord:
        order, tenant_id = schedule.order, schedule.tenant_id
        if order.follow:
            return await self._definitions.resolve(order.what, tenant_id)
        return await self._storage.definition(tenant_id, order.definition.name, order.definition.version)

    async def _move_on(
        self, schedule: Schedule, behind: datetime, entries: tuple[ScheduleEntry, ...]
    ) -> None:
        after = replace(schedule, seq=schedule.seq + 1, next_due_at=_following(schedule, behind))
        await self._storage.change_schedule(ScheduleStep(before=schedule, after=after, entries=entries))

    async def _is_busy(self, schedule: Schedule) -> bool:
        if schedule.last_instance_id is None:
            return False
        last = await self._storage.instance(schedule.tenant_id, schedule.last_instance_id)
        return not last.ended

    async def _rest_sec(self) -> float:
        due = await self._storage.next_schedule_due()
        if due is None:
            return LOOK_EVERY_SEC
        left_sec = (due - self._clock.now()).total_seconds()
        return min(left_sec, LOOK_EVERY_SEC) if left_sec > 0 else LOOK_EVERY_SEC


def _due_times(
    schedule: Schedule, first: datetime, now: datetime
) -> tuple[list[datetime], ScheduleEntry | None]:
    """Return the times to start for, the earliest first, and a note about those that are given up."""
    most = MOST_CAUGHT_UP if schedule.catch_up == "all" else 1
    times = [first]
    if schedule.cron is not None:
        times = latest_times(schedule.cron, schedule.zone, first, now, most)
    if schedule.catch_up == "none" and now - times[-1] > ON_TIME:
        times = []
    if times and times[0] == first:
        return times, None
    until = f"before {times[0].isoformat()}, which is caught up" if times else f"until {now.isoformat()}"
    rest = f", nor any {until}" if schedule.cron is not None else ""
    detail = f"nobody was there to start it{rest}"
    return times, ScheduleEntry(kind="missed", at=now, due_at=first, detail=detail)


def _following(schedule: Schedule, moment: datetime) -> datetime | None:
    return None if schedule.cron is None else next_after(schedule.cron, schedule.zone, moment)
