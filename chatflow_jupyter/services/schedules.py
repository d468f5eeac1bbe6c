"""Schedules as people use them: made, looked at, paused, resumed, removed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from chatflow_jupyter.domain.audit import MAX_TEXT, Act, Verb
from chatflow_jupyter.domain.birth import checked_context
from chatflow_jupyter.domain.errors import Conflict, InvalidInput, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import Principal, ScheduleId, TenantId
from chatflow_jupyter.domain.json_values import JsonObject, check_json, own_json
from chatflow_jupyter.domain.schedules import (
    CatchUp,
    EntryKind,
    Order,
    Overlap,
    Schedule,
    ScheduleEntry,
    ScheduleStep,
)
from chatflow_jupyter.ports.clock import Clock, IdFactory
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.ports.schedules import ISchedules

from .cron_times import check_cron, next_after, times_after, zone_of

MAX_RACES = 50
MOST_NEWS = 1000
_VERBS: Mapping[EntryKind, Verb] = {"paused": "pause", "resumed": "resume", "removed": "remove"}
LATEST = timedelta(days=366 * 50)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """When something is to be started: by `cron`, or once `at` that moment; `zone` is an IANA name."""

    zone: str
    cron: str | None = None
    at: datetime | None = None
    catch_up: CatchUp = "last"
    overlap: Overlap = "skip"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSchedule:
    """What a caller asks for: `record`, or with `follow` what `what` names then, started `when`."""

    name: str
    what: str
    record: DefinitionRecord
    context: JsonObject
    principal: Principal
    when: When
    follow: bool = False
    feature_id: str | None = None
    automation_level: int | None = None


class Schedules:
    """The use cases of schedules. What starts instances is `Firing`."""

    def __init__(self, storage: ISchedules, clock: Clock, ids: IdFactory) -> None:
        """Keep them in `storage`."""
        self._storage = storage
        self._clock = clock
        self._ids = ids

    async def add(self, new: NewSchedule) -> Schedule:
        """Store a schedule and return it; raises `InvalidInput`, and `Conflict` when its name is taken."""
        now = self._clock.now()
        check_new(new, now)
        when = new.when
        due_at = when.at if when.cron is None else next_after(when.cron, when.zone, now)
        schedule = Schedule(
            tenant_id=new.record.tenant_id,
            schedule_id=ScheduleId(f"sch_{self._ids.token()}"),
            name=new.name,
            order=Order(
                what=new.what,
                follow=new.follow,
                definition=new.record.reference,
                context=own_json(new.context),
                principal=new.principal,
                feature_id=new.feature_id,
                automation_level=new.automation_level,
            ),
            cron=when.cron,
            zone=when.zone,
            catch_up=when.catch_up,
            overlap=when.overlap,
            created_at=now,
            next_due_at=due_at,
        )
        await self._storage.add_schedule(schedule, act_on(schedule, "add", new.principal, now))
        return schedule

    async def all(self, tenant_id: TenantId, *, removed: bool = False) -> Sequence[Schedule]:
        """Return the schedules by name; with `removed` also those that were."""
        found = await self._storage.schedules(tenant_id)
        return [one for one in found if removed or one.removed_at is None]

    async def named(self, tenant_id: TenantId, name: str, *, removed: bool = False) -> Schedule:
        """Return the schedule of that name or id; with `removed` the latest one that was, if none is there.

        Raises `NotFound`.
        """
        known = await self._storage.schedules(tenant_id)
        found = [one for one in known if name in (one.name, one.schedule_id)]
        found = [one for one in found if one.removed_at is None] or (found if removed else [])
        if not found:
            raise unknown_schedule(name)
        return found[0]

    async def log(self, schedule: Schedule, limit: int) -> Sequence[ScheduleEntry]:
        """Return what became of its times, the latest first."""
        return await self._storage.schedule_log(schedule.tenant_id, schedule.schedule_id, limit)

    async def log_since(self, schedule: Schedule, seq: int) -> Sequence[ScheduleEntry]:
        """Return what its changes behind `seq` noted, up to what `schedule` shows, the earliest first."""
        this = schedule.tenant_id, schedule.schedule_id
        found = await self._storage.schedule_log(*this, MOST_NEWS, after=seq, until=schedule.seq)
        return found[::-1]

    async def pause(self, tenant_id: TenantId, name: str, principal: Principal) -> Schedule:
        """Start nothing by itself until it is resumed; raises `Conflict` when it is paused."""
        return await self._change(tenant_id, name, principal, "paused")

    async def resume(self, tenant_id: TenantId, name: str, principal: Principal) -> Schedule:
        """Go on with the next time from now; those of the pause are over. Raises `Conflict` unless paused."""
        return await self._change(tenant_id, name, principal, "resumed")

    async def remove(self, tenant_id: TenantId, name: str, principal: Principal) -> Schedule:
        """Let it never be due again. Its log is kept, and its instances go on."""
        return await self._change(tenant_id, name, principal, "removed")

    async def _change(
        self, tenant_id: TenantId, name: str, principal: Principal, kind: EntryKind
    ) -> Schedule:
        for _ in range(MAX_RACES):
            before, now = await self.named(tenant_id, name), self._clock.now()
            if (kind == "paused") == before.paused and kind != "removed":
                raise _as_it_is(before)
            entries: tuple[ScheduleEntry, ...] = ()
            after = replace(before, seq=before.seq + 1, paused=kind == "paused")
            if kind == "removed":
                after = replace(after, removed_at=now, next_due_at=None)
            elif kind == "resumed" and before.cron is not None:
                after = replace(after, next_due_at=next_after(before.cron, before.zone, now))
            elif kind == "resumed" and before.next_due_at is not None and before.next_due_at <= now:
                missed = ScheduleEntry(
                    kind="missed", at=now, due_at=before.next_due_at, detail="it was paused"
                )
                after, entries = replace(after, next_due_at=None), (missed,)
            entry = ScheduleEntry(kind=kind, at=now, detail=f"by {principal}")
            try:
                await self._storage.change_schedule(
                    ScheduleStep(before=before, after=after, entries=(entry, *entries)),
                    act_on(after, _VERBS[kind], principal, now),
                )
            except SeqConflict:
                continue
            return after
        raise SeqConflict(f"schedule {name}: {MAX_RACES} other changes came first; try again")


def act_on(schedule: Schedule, verb: Verb, principal: Principal, now: datetime) -> Act:
    """Return what is recorded of somebody's act on the schedule, as it is afterwards."""
    order, status = schedule.order, "paused" if schedule.paused else "active"
    what = order.what if order.follow else order.definition.schema_id
    return Act(
        at=now,
        principal=principal,
        verb=verb,
        kind="schedule",
        subject=schedule.name,
        about=f"{schedule.schedule_id} {what}"[:MAX_TEXT],
        outcome="removed" if schedule.removed_at is not None else status,
    )


def unknown_schedule(name: str) -> NotFound:
    """Return the error that there is no schedule of that name."""
    shown = name if name.isprintable() else repr(name)
    message = "there is no such schedule; `chatflow schedules list` shows those there are"
    return NotFound(f"{shown[:80]}: {message}")


def _as_it_is(schedule: Schedule) -> Conflict:
    if schedule.paused:
        return Conflict(f"schedule {schedule.name} is paused already", code="paused")
    return Conflict(f"schedule {schedule.name} is not paused, so there is no pause to end", code="not_paused")


def upcoming(schedule: Schedule, count: int) -> list[datetime]:
    """Return the next times at which it is due, as far as they are known."""
    if schedule.looks_at is None:
        return []
    if schedule.cron is None:
        return [schedule.looks_at]
    behind = times_after(schedule.cron, schedule.zone, schedule.looks_at)
    return [schedule.looks_at, *islice(behind, count - 1)][:count]


def check_new(new: NewSchedule, now: datetime) -> None:
    """Raise `InvalidInput` for a schedule that cannot be, whatever is in the store."""
    check_name(new.name)
    check_plan(new.when, now)
    if new.automation_level is not None and not 0 <= new.automation_level <= 100:
        raise InvalidInput(f"automation level: {new.automation_level} is not between 0 and 100")
    check_json(new.context, what="parameters")
    checked_context(new.record.definition, new.context)


def check_name(name: str) -> None:
    """Raise `InvalidInput` for what no schedule can be called."""
    if not _NAME.fullmatch(name):
        wanted = "a letter or digit, then letters, digits, `.`, `_` and `-`, at most 64 characters"
        raise InvalidInput(f"schedule name {name[:80]!r}: {wanted}")


def check_plan(new: When, now: datetime) -> None:
    """Raise `InvalidInput` for times that cannot be, and rules that could not do what they say."""
    zone_of(new.zone)
    if (new.cron is None) == (new.at is None):
        raise InvalidInput("a schedule has either a cron expression or one moment: --cron or --at")
    if new.cron is not None:
        check_cron(new.cron, new.zone, now)
    if new.at is not None and not now < new.at <= now + LATEST:
        wrong = "is over already" if new.at <= now else "is more than fifty years from now"
        raise InvalidInput(f"--at {new.at:%Y-%m-%d %H:%M} UTC: that {wrong}")
    if new.catch_up == "all" and new.overlap == "skip":
        raise InvalidInput(
            "catch-up all with overlap skip would skip all but the first; say --overlap queue or allow"
        )
    if new.catch_up == "none" and new.overlap == "queue":
        raise InvalidInput("overlap queue needs catch-up last or all: what has waited is late")


__all__ = [
    "NewSchedule",
    "Schedules",
    "When",
    "act_on",
    "check_name",
    "check_new",
    "check_plan",
    "unknown_schedule",
    "upcoming",
]
