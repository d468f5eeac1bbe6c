"""Attempts: queued, started, ended and cancelled by commits; `leases` gives them to runners."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, null, select, update

from chatflow_jupyter.domain.decision import (
    AttemptChange,
    CancelAttempt,
    EndAttempt,
    QueueAttempt,
    StartAttempt,
)
from chatflow_jupyter.domain.errors import NotFound, StaleFence
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, TenantId
from chatflow_jupyter.ports.records import AttemptRow, Transition

from .encoding import to_json, to_us
from .instance_rows import failure_to_json
from .rows import attempt_of, queued_columns
from .schema import IS_LEASED, IS_OPEN, attempts
from .statements import Statement

THIS_ATTEMPT = (attempts.c.tenant_id == bindparam("tenant"), attempts.c.attempt_id == bindparam("this"))
LEASED_UNDER_FENCE = (*THIS_ATTEMPT, attempts.c.fence == bindparam("held"), IS_LEASED)

_WHEN_QUEUED = (
    *("tenant_id", "attempt_id", "instance_id", "root_id", "phase", "number", "notebook", "kernel"),
    *("parameters", "timeout_sec", "status", "fence", "queue_number", "queued_at"),
    *("run_as", "starter"),
)
QUEUE_ATTEMPT = Statement(
    lambda insert: (
        insert(attempts)
        .values({name: bindparam(name) for name in _WHEN_QUEUED})
        .on_conflict_do_nothing(index_elements=["tenant_id", "attempt_id"])
    )
)
START_ATTEMPT = Statement(
    update(attempts).where(*LEASED_UNDER_FENCE).values(started_at=bindparam("started_at"))
)
END_ATTEMPT = Statement(
    update(attempts)
    .where(*LEASED_UNDER_FENCE)
    .values(
        status=bindparam("status"),
        ended_at=bindparam("ended_at"),
        failure=bindparam("failure"),
        lease_expires_at=null(),
    )
)
CANCEL_ATTEMPT = Statement(
    update(attempts)
    .where(*THIS_ATTEMPT, IS_OPEN)
    .values(
        status="cancelled",
        ended_at=bindparam("ended_at"),
        fence=attempts.c.fence + 1,
        lease_expires_at=null(),
    )
)
SELECT_ATTEMPT = Statement(select(*attempts.c).where(*THIS_ATTEMPT))
ATTEMPTS_OF_INSTANCE = Statement(
    select(*attempts.c)
    .where(attempts.c.tenant_id == bindparam("tenant"), attempts.c.instance_id == bindparam("instance"))
    .order_by(attempts.c.queue_number, attempts.c.attempt_id)
)
OPEN_ATTEMPTS_OF_TREE = Statement(
    select(*attempts.c)
    .where(attempts.c.tenant_id == bindparam("tenant"), attempts.c.root_id == bindparam("root"), IS_OPEN)
    .order_by(attempts.c.queue_number, attempts.c.attempt_id)
)


def change(connection: Connection, tenant_id: TenantId, applied: Sequence[Transition], position: int) -> None:
    """Apply what these transitions, whose events begin at `position`, do to attempts.

    Positions also number the queue: they grow with every commit. Raises `StaleFence`.
    """
    queued = []
    for transition in applied:
        decision = transition.decision
        for each in decision.attempts:
            if isinstance(each, QueueAttempt):
                queued.append(queued_columns(decision.instance, each, position))
            else:
                _change(connection, tenant_id, each)
        position += len(decision.events)
    QUEUE_ATTEMPT.write_many(connection, queued)


def _change(connection: Connection, tenant_id: TenantId, each: AttemptChange) -> None:
    this = {"tenant": tenant_id, "this": each.attempt_id}
    match each:
        case StartAttempt():
            done = START_ATTEMPT.write(connection, **this, held=each.fence, started_at=to_us(each.started_at))
        case EndAttempt():
            done = END_ATTEMPT.write(
                connection,
                **this,
                held=each.fence,
                status=each.status,
                ended_at=to_us(each.ended_at),
                failure=None if each.failure is None else to_json(failure_to_json(each.failure)),
            )
        case CancelAttempt():
            CANCEL_ATTEMPT.write(connection, **this, ended_at=to_us(each.ended_at))
            return
        case _:
            return
    if done == 0:
        raise stale(each.attempt_id, each.fence)


def stale(attempt_id: AttemptId, fence: int) -> StaleFence:
    """Return the error for an attempt that is not leased under that fence."""
    return StaleFence(f"attempt {attempt_id} is not leased under fence {fence}")


def attempt(connection: Connection, tenant_id: TenantId, attempt_id: AttemptId) -> AttemptRow:
    """Return the attempt; raises `NotFound`."""
    row = SELECT_ATTEMPT.run(connection, tenant=tenant_id, this=attempt_id).first()
    if row is None:
        raise NotFound(f"no attempt {attempt_id}")
    return attempt_of(row)


def attempts_of(
    connection: Connection, tenant_id: TenantId, instance_id: InstanceId
) -> tuple[AttemptRow, ...]:
    """Return the attempts of an instance as they were queued."""
    return tuple(
        map(attempt_of, ATTEMPTS_OF_INSTANCE.run(connection, tenant=tenant_id, instance=instance_id))
    )


def open_attempts(connection: Connection, tenant_id: TenantId, root_id: InstanceId) -> tuple[AttemptRow, ...]:
    """Return queued and leased attempts of a tree."""
    return tuple(map(attempt_of, OPEN_ATTEMPTS_OF_TREE.run(connection, tenant=tenant_id, root=root_id)))
