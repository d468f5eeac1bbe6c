"""Leases: attempts given to runners for a time, under a fence that grows each time."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from chatflow_jupyter.domain.ids import AttemptId, OwnerId, RunnerId, TenantId
from chatflow_jupyter.ports.records import AttemptRow, Progress

from .attempts import LEASED_UNDER_FENCE, THIS_ATTEMPT, stale
from .encoding import to_us
from .rows import attempt_of, progress_text
from .schema import IS_LEASED, IS_QUEUED, attempts, tenants, trees
from .statements import Statement


def _queued_longest(of_owner: bool) -> Statement:
    """Find the head of every tenant's queue and the oldest of these: one row per tenant is looked at."""
    waiting = attempts.alias("waiting")
    wanted: Collection[ColumnElement[bool]] = [waiting.c.tenant_id == tenants.c.tenant_id]
    if of_owner:
        tree = and_(trees.c.tenant_id == waiting.c.tenant_id, trees.c.root_id == waiting.c.root_id)
        owned = select(trees.c.root_id).where(tree, trees.c.owner_id == bindparam("owner"))
        wanted = [*wanted, owned.correlate(waiting).exists()]
    head = (
        select(waiting.c.attempt_id)
        .where(*wanted, IS_QUEUED)
        .order_by(waiting.c.queued_at, waiting.c.queue_number)
        .limit(1)
        .correlate(tenants)
        .scalar_subquery()
    )
    this = and_(attempts.c.tenant_id == tenants.c.tenant_id, attempts.c.attempt_id == head)
    return Statement(
        select(attempts.c.tenant_id, attempts.c.attempt_id)
        .join_from(tenants, attempts, this)
        .order_by(attempts.c.queued_at, attempts.c.tenant_id, attempts.c.queue_number)
        .limit(1)
    )


QUEUED_LONGEST = _queued_longest(of_owner=False)
QUEUED_LONGEST_OF_OWNER = _queued_longest(of_owner=True)
LEASE = Statement(
    update(attempts)
    .where(*THIS_ATTEMPT, IS_QUEUED)
    .values(
        status="leased",
        fence=attempts.c.fence + 1,
        runner_id=bindparam("runner_id"),
        owner_id=bindparam("owner_id"),
        lease_expires_at=bindparam("lease_expires_at"),
    )
    .returning(*attempts.c)
)
HEARTBEAT = Statement(
    update(attempts)
    .where(*LEASED_UNDER_FENCE)
    .values(
        lease_expires_at=bindparam("lease_expires_at"),
        progress=func.coalesce(bindparam("last_progress"), attempts.c.progress),
    )
)
LEASED = Statement(select(*attempts.c).where(*LEASED_UNDER_FENCE))
EXPIRED_LEASES = Statement(
    select(*attempts.c)
    .where(IS_LEASED, attempts.c.lease_expires_at < bindparam("now"))
    .order_by(attempts.c.lease_expires_at, attempts.c.queue_number)
    .limit(bindparam("most"))
)
LEASES_OF_OWNER = Statement(
    select(*attempts.c)
    .where(IS_LEASED, attempts.c.owner_id == bindparam("owner"))
    .order_by(attempts.c.tenant_id, attempts.c.queue_number)
)


def claim(
    connection: Connection, runner_id: RunnerId, owner_id: OwnerId | None, lease_expires_at: datetime
) -> AttemptRow | None:
    """Lease the attempt queued longest, if there is one."""
    if owner_id is None:
        found = QUEUED_LONGEST.run(connection).first()
    else:
        found = QUEUED_LONGEST_OF_OWNER.run(connection, owner=owner_id).first()
    if found is None:
        return None
    row = LEASE.run(
        connection,
        tenant=found.tenant_id,
        this=found.attempt_id,
        runner_id=runner_id,
        owner_id=owner_id,
        lease_expires_at=to_us(lease_expires_at),
    ).first()
    return None if row is None else attempt_of(row)


def heartbeat(
    connection: Connection,
    tenant_id: TenantId,
    attempt_id: AttemptId,
    fence: int,
    lease_expires_at: datetime,
    progress: Progress | None,
) -> None:
    """Extend the lease and keep the last progress; raises `StaleFence`."""
    done = HEARTBEAT.write(
        connection,
        tenant=tenant_id,
        this=attempt_id,
        held=fence,
        lease_expires_at=to_us(lease_expires_at),
        last_progress=progress_text(progress),
    )
    if done == 0:
        raise stale(attempt_id, fence)


def leased(connection: Connection, tenant_id: TenantId, attempt_id: AttemptId, fence: int) -> AttemptRow:
    """Return the attempt leased under `fence`; raises `StaleFence`."""
    row = LEASED.run(connection, tenant=tenant_id, this=attempt_id, held=fence).first()
    if row is None:
        raise stale(attempt_id, fence)
    return attempt_of(row)


def expired_leases(connection: Connection, now: datetime, limit: int) -> tuple[AttemptRow, ...]:
    """Return leases that ended before `now`, the oldest first."""
    return tuple(map(attempt_of, EXPIRED_LEASES.run(connection, now=to_us(now), most=limit)))


def leases_of(connection: Connection, owner_id: OwnerId) -> tuple[AttemptRow, ...]:
    """Return the attempts leased through that owner."""
    return tuple(map(attempt_of, LEASES_OF_OWNER.run(connection, owner=owner_id)))
