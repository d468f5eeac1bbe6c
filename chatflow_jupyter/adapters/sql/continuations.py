"""Continuations and timers: what the engine is to look at, and when."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select

from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.records import ContinuationRow, TimerRow, Transition

from .dialects import Upsert
from .encoding import to_us
from .pages import MOST, DamageLog, Pages
from .rows import continuation_of, timer_of
from .schema import continuations, timers
from .statements import Statement


def _set_timer(insert_into: Upsert) -> Executable:
    row = insert_into(timers)
    upsert: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "instance_id", "kind"], set_={"due_at": row.excluded.due_at}
    )
    return upsert


_THIS_TIMER = (
    timers.c.tenant_id == bindparam("tenant"),
    timers.c.instance_id == bindparam("instance"),
    timers.c.kind == bindparam("which"),
)
SET_TIMER = Statement(_set_timer)
CLEAR_TIMER = Statement(delete(timers).where(*_THIS_TIMER))
DROP_TIMER = Statement(delete(timers).where(*_THIS_TIMER, timers.c.due_at == bindparam("due")))
_EARLIEST = (timers.c.due_at, timers.c.tenant_id, timers.c.instance_id, timers.c.kind)
DUE_TIMERS = Pages(
    lambda behind: (
        select(*timers.c)
        .where(timers.c.due_at <= bindparam("now"), behind)
        .order_by(*_EARLIEST)
        .limit(bindparam("most"))
    ),
    _EARLIEST,
    timer_of,
)
INSERT_CONTINUATION = Statement(
    insert(continuations).values(
        {name: bindparam(name) for name in ("tenant_id", "instance_id", "root_id", "kind", "about")}
    )
)
WAITING = Pages(
    lambda behind: (
        select(*continuations.c)
        .where(behind)
        .order_by(continuations.c.continuation_id)
        .limit(bindparam("most"))
    ),
    (continuations.c.continuation_id,),
    continuation_of,
)
_THIS_NOTE = continuations.c.continuation_id == bindparam("id")
DROP_CONTINUATION = Statement(delete(continuations).where(_THIS_NOTE))
CONSUME_CONTINUATION = Statement(
    delete(continuations).where(_THIS_NOTE, continuations.c.tenant_id == bindparam("tenant"))
)


def note(connection: Connection, tenant_id: TenantId, applied: Sequence[Transition]) -> None:
    """Write the continuations and timers of these transitions."""
    to_set, to_clear, notes = [], [], []
    for transition in applied:
        decision = transition.decision
        instance = decision.instance
        for timer in decision.timers:
            if timer.due_at is not None:
                to_set.append(
                    {
                        "tenant_id": tenant_id,
                        "instance_id": instance.instance_id,
                        "root_id": instance.root_id,
                        "kind": timer.kind.value,
                        "due_at": to_us(timer.due_at),
                    }
                )
            elif transition.before is not None:
                this = {"tenant": tenant_id, "instance": instance.instance_id, "which": timer.kind.value}
                to_clear.append(this)
        for each in decision.continuations:
            notes.append(
                {
                    "tenant_id": tenant_id,
                    "instance_id": each.instance_id,
                    "root_id": instance.root_id,
                    "kind": each.kind.value,
                    "about": each.about,
                }
            )
    CLEAR_TIMER.write_many(connection, to_clear)
    SET_TIMER.write_many(connection, to_set)
    INSERT_CONTINUATION.write_many(connection, notes)


def consume(connection: Connection, tenant_id: TenantId, ids: Collection[int]) -> None:
    """Delete continuations of the tenant that a commit answers."""
    CONSUME_CONTINUATION.write_many(connection, [{"id": each, "tenant": tenant_id} for each in ids])


def drop(connection: Connection, ids: Collection[int]) -> None:
    """Delete continuations of no consequence."""
    DROP_CONTINUATION.write_many(connection, [{"id": each} for each in ids])


def waiting(connection: Connection, after: int, limit: int, damage: DamageLog) -> tuple[ContinuationRow, ...]:
    """Return waiting continuations behind the one with the id `after`, the oldest first."""
    return WAITING.read(connection, damage, after=(after,), limit=limit)


def due_timers(
    connection: Connection, now: datetime, after: TimerRow | None, limit: int, damage: DamageLog
) -> tuple[TimerRow, ...]:
    """Return timers that are due, behind `after`, the earliest first."""
    place = None
    if after is not None:
        place = (to_us(after.due_at), after.tenant_id, after.instance_id, after.kind.value)
    return DUE_TIMERS.read(connection, damage, after=place, limit=limit, now=to_us(now))


def next_due(connection: Connection, damage: DamageLog) -> datetime | None:
    """Return when the earliest timer is due."""
    earliest = DUE_TIMERS.read(connection, damage, limit=1, now=MOST)
    return earliest[0].due_at if earliest else None


def drop_timer(connection: Connection, timer: TimerRow) -> None:
    """Delete exactly this timer."""
    DROP_TIMER.write(
        connection,
        tenant=timer.tenant_id,
        instance=timer.instance_id,
        which=timer.kind.value,
        due=to_us(timer.due_at),
    )
