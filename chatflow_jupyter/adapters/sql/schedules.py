"""Schedules: their rows, the log of their times, and the dispatch table that says which are due."""

from datetime import datetime

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select, update

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import ScheduleId, TenantId
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry, ScheduleStep, taken
from chatflow_jupyter.ports.schedules import DueSchedule

from . import audit
from .dialects import Upsert
from .encoding import to_us
from .pages import MOST, DamageLog, Pages
from .schedule_rows import due_of, entry_columns, entry_of, schedule_columns, schedule_of
from .schedule_tables import NOT_REMOVED, due_schedules, schedule_log, schedules
from .statements import Statement

KEPT_STEPS = 1000

_OF_TENANT = schedules.c.tenant_id == bindparam("tenant")
_THIS = (_OF_TENANT, schedules.c.schedule_id == bindparam("this"))
_CHANGED = [column.name for column in schedules.c if not column.primary_key]
_LOGGED = (schedule_log.c.tenant_id == bindparam("tenant"), schedule_log.c.schedule_id == bindparam("this"))
_NOTED = (due_schedules.c.tenant_id == bindparam("tenant"), due_schedules.c.schedule_id == bindparam("this"))
_EARLIEST = (due_schedules.c.due_at, due_schedules.c.tenant_id, due_schedules.c.schedule_id)


def _note(insert_into: Upsert) -> Executable:
    row = insert_into(due_schedules)
    upsert: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "schedule_id"], set_={"due_at": row.excluded.due_at}
    )
    return upsert


SELECT_NAMED = Statement(
    select(schedules.c.schedule_id).where(_OF_TENANT, schedules.c.name == bindparam("named"), NOT_REMOVED)
)
INSERT_SCHEDULE = Statement(insert(schedules))
CHANGE_SCHEDULE = Statement(
    update(schedules)
    .where(*_THIS, schedules.c.seq == bindparam("seq_before"))
    .values({name: bindparam(name) for name in _CHANGED})
)
SELECT_SEQ = Statement(select(schedules.c.seq).where(*_THIS))
SELECT_SCHEDULE = Statement(select(*schedules.c).where(*_THIS))
SELECT_SCHEDULES = Statement(
    select(*schedules.c)
    .where(_OF_TENANT)
    .order_by(schedules.c.name, schedules.c.created_at.desc(), schedules.c.schedule_id.desc())
)
INSERT_ENTRY = Statement(insert(schedule_log))
FORGET_ENTRIES = Statement(delete(schedule_log).where(*_LOGGED, schedule_log.c.seq <= bindparam("until")))
SELECT_ENTRIES = Statement(
    select(*schedule_log.c)
    .where(*_LOGGED, schedule_log.c.seq > bindparam("after"), schedule_log.c.seq <= bindparam("until"))
    .order_by(schedule_log.c.seq.desc(), schedule_log.c.place.desc())
    .limit(bindparam("most"))
)
NOTE_DUE = Statement(_note)
DROP_DUE = Statement(delete(due_schedules).where(*_NOTED))
DUE = Pages(
    lambda behind: (
        select(*due_schedules.c)
        .where(due_schedules.c.due_at <= bindparam("now"), behind)
        .order_by(*_EARLIEST)
        .limit(bindparam("most"))
    ),
    _EARLIEST,
    due_of,
)


def add(connection: Connection, schedule: Schedule, act: Act | None) -> None:
    """Store a new schedule; raises `Conflict` when its name is taken."""
    if SELECT_NAMED.one(connection, tenant=schedule.tenant_id, named=schedule.name) is not None:
        raise Conflict(taken(schedule.name), code="schedule_exists")
    INSERT_SCHEDULE.write(connection, **schedule_columns(schedule))
    _note_due(connection, schedule)
    audit.record(connection, schedule.tenant_id, act)


def change(connection: Connection, step: ScheduleStep, act: Act | None = None) -> None:
    """Let the schedule be what the step makes of it, and keep its entries."""
    after = step.after
    this = {"tenant": after.tenant_id, "this": after.schedule_id}
    columns = {name: value for name, value in schedule_columns(after).items() if name in _CHANGED}
    if not CHANGE_SCHEDULE.write(connection, **this, seq_before=step.before.seq, **columns):
        stored = SELECT_SEQ.one(connection, **this)
        if stored is None:
            raise NotFound(f"no schedule {after.schedule_id}")
        raise SeqConflict(f"schedule {after.name} is at change {stored[0]}, not {step.before.seq}")
    INSERT_ENTRY.write_many(
        connection, [entry_columns(after, place, entry) for place, entry in enumerate(step.entries)]
    )
    FORGET_ENTRIES.write(connection, **this, until=after.seq - KEPT_STEPS)
    _note_due(connection, after)
    audit.record(connection, after.tenant_id, act)


def schedule(connection: Connection, tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
    """Return the schedule; raises `NotFound`."""
    row = SELECT_SCHEDULE.run(connection, tenant=tenant_id, this=schedule_id).first()
    if row is None:
        raise NotFound(f"no schedule {schedule_id}")
    return schedule_of(row)


def schedules_of(connection: Connection, tenant_id: TenantId) -> tuple[Schedule, ...]:
    """Return the tenant's schedules by name."""
    return tuple(map(schedule_of, SELECT_SCHEDULES.run(connection, tenant=tenant_id)))


def log(
    connection: Connection,
    tenant_id: TenantId,
    schedule_id: ScheduleId,
    limit: int,
    after: int,
    until: int | None,
) -> tuple[ScheduleEntry, ...]:
    """Return what became of its times at changes behind `after` and up to `until`, the latest first."""
    last = MOST if until is None else until
    this = {"tenant": tenant_id, "this": schedule_id, "after": after, "until": last}
    return tuple(map(entry_of, SELECT_ENTRIES.run(connection, **this, most=limit)))


def due(
    connection: Connection, now: datetime, after: DueSchedule | None, limit: int, damage: DamageLog
) -> tuple[DueSchedule, ...]:
    """Return schedules to look at, behind `after`, the earliest first."""
    place = None if after is None else (to_us(after.due_at), after.tenant_id, after.schedule_id)
    return DUE.read(connection, damage, after=place, limit=limit, now=to_us(now))


def next_due(connection: Connection, damage: DamageLog) -> datetime | None:
    """Return when the earliest schedule is to be looked at."""
    earliest = DUE.read(connection, damage, limit=1, now=MOST)
    return earliest[0].due_at if earliest else None


def _note_due(connection: Connection, schedule: Schedule) -> None:
    if schedule.looks_at is None:
        DROP_DUE.write(connection, tenant=schedule.tenant_id, this=schedule.schedule_id)
        return
    NOTE_DUE.write(
        connection,
        tenant_id=schedule.tenant_id,
        schedule_id=schedule.schedule_id,
        due_at=to_us(schedule.looks_at),
    )
