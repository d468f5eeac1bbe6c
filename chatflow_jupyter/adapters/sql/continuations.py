"""Continuations and timers: what the engine is to look at, and when."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, Executable, bindparam, delete, func, insert, select

from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.records import ContinuationRow, TimerRow, Transition

from .dialects import Upsert
from .encoding import optional_time, to_us
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
DUE_TIMERS = Statement(
    select(*timers.c)
    .where(timers.c.due_at <= bindparam("now"))
    .order_by(timers.c.due_at)
    .limit(bindparam("most"))
)
NEXT_DUE = Statement(select(func.min(timers.c.due_at)))
INSERT_CONTINUATION = Statement(
    insert(continuations).values(
        {name: bindparam(name) for name in ("tenant_id", "instance_id", "root_id", "kind", "about")}
    )
)
SELECT_CONTINUATIONS = Statement(
    select(*continuations.c).order_by(continuations.c.continuation_id).limit(bindparam("most"))
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


def waiting(connection: Connection, limit: int) -> tuple[ContinuationRow, ...]:
    """Return waiting continuations, the oldest first."""
    return tuple(map(continuation_of, SELECT_CONTINUATIONS.run(connection, most=limit)))


def due_timers(connection: Connection, now: datetime, limit: int) -> tuple[TimerRow, ...]:
    """Return timers that are due, the earliest first."""
    return tuple(map(timer_of, DUE_TIMERS.run(connection, now=to_us(now), most=limit)))


def next_due(connection: Connection) -> datetime | None:
    """Return when the earliest timer is due."""
    return optional_time(NEXT_DUE.run(connection).scalar_one())


def drop_timer(connection: Connection, timer: TimerRow) -> None:
    """Delete exactly this timer."""
    DROP_TIMER.write(
        connection,
        tenant=timer.tenant_id,
        instance=timer.instance_id,
        which=timer.kind.value,
        due=to_us(timer.due_at),
    )
