"""Leases: attempts given to runners for a time, under a fence that grows each time."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select, tuple_, update
from sqlalchemy.sql.expression import FromClause

from chatflow_jupyter.domain.ids import AttemptId, OwnerId, RunnerId, TenantId
from chatflow_jupyter.ports.records import AttemptRow, Progress, Serves

from .attempts import LEASED_UNDER_FENCE, THIS_ATTEMPT, stale
from .encoding import optional_us, to_us
from .pages import DamageLog, Pages, read_all
from .rows import attempt_of, progress_text
from .schema import IS_LEASED, IS_QUEUED, attempts, tenants, trees
from .statements import Statement

_Whose: TypeAlias = Literal["anybody's", "a user's", "the tenant's"]


def _queued_longest(of_owner: bool, whose: _Whose) -> Pages[AttemptRow]:
    """Find the head of every tenant's queue and the oldest of these: one row per tenant is looked at."""
    waiting = attempts.alias("waiting")
    place = (waiting.c.queued_at, waiting.c.tenant_id, waiting.c.queue_number)
    return Pages(lambda behind: _heads(waiting, behind, of_owner, whose), place, attempt_of)


def _heads(waiting: FromClause, behind: ColumnElement[bool], of_owner: bool, whose: _Whose) -> Select[Any]:
    wanted: Collection[ColumnElement[bool]] = [waiting.c.tenant_id == tenants.c.tenant_id]
    if whose != "anybody's":
        wanted = [*wanted, waiting.c.tenant_id == bindparam("only_tenant")]
    if whose == "the tenant's":
        wanted = [*wanted, waiting.c.run_as == "tenant"]
    if whose == "a user's":
        wanted = [*wanted, waiting.c.run_as == "starter", waiting.c.starter == bindparam("only_starter")]
    if of_owner:
        tree = and_(trees.c.tenant_id == waiting.c.tenant_id, trees.c.root_id == waiting.c.root_id)
        owned = select(trees.c.root_id).where(tree, trees.c.owner_id == bindparam("owner"))
        wanted = [*wanted, owned.correlate(waiting).exists()]
    head = (  # compared as a whole: with a join, SQLite would go through all attempts there ever were
        select(waiting.c.attempt_id)
        .where(*wanted, IS_QUEUED, behind)
        .order_by(waiting.c.queued_at, waiting.c.queue_number)
        .limit(1)
        .correlate(tenants)
        .scalar_subquery()
    )
    heads = select(tenants.c.tenant_id, head)
    return (
        select(*attempts.c)
        .where(tuple_(attempts.c.tenant_id, attempts.c.attempt_id).in_(heads))
        .order_by(attempts.c.queued_at, attempts.c.tenant_id, attempts.c.queue_number)
        .limit(bindparam("most"))
    )


QUEUED_LONGEST = {
    (of_owner, whose): _queued_longest(of_owner, whose)
    for of_owner, whose in product((False, True), get_args(_Whose))
}
LEASE = Statement(
    update(attempts)
    .where(*THIS_ATTEMPT, IS_QUEUED, attempts.c.fence == bindparam("held"))
    .values(
        status="leased",
        fence=attempts.c.fence + 1,
        runner_id=bindparam("runner_id"),
        owner_id=bindparam("owner_id"),
        lease_expires_at=bindparam("lease_expires_at"),
    )
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
_OLDEST = (
    *(attempts.c.lease_expires_at, attempts.c.queued_at),
    *(attempts.c.tenant_id, attempts.c.attempt_id),
)
EXPIRED_LEASES = Pages(
    lambda behind: (
        select(*attempts.c)
        .where(IS_LEASED, attempts.c.lease_expires_at < bindparam("now"), behind)
        .order_by(*_OLDEST)
        .limit(bindparam("most"))
    ),
    _OLDEST,
    attempt_of,
)
LEASES_OF_OWNER = Statement(
    select(*attempts.c)
    .where(IS_LEASED, attempts.c.owner_id == bindparam("owner"))
    .order_by(attempts.c.tenant_id, attempts.c.queue_number)
)


def claim(
    connection: Connection,
    runner_id: RunnerId,
    owner_id: OwnerId | None,
    lease_expires_at: datetime,
    serves: Serves | None,
    damage: DamageLog,
) -> AttemptRow | None:
    """Lease the attempt queued longest, if there is one. It is read whole before anything is written."""
    whose, wanted = _wanted(serves)
    owner = {} if owner_id is None else {"owner": owner_id}
    found = QUEUED_LONGEST[bool(owner), whose].read(connection, damage, limit=1, **owner, **wanted)
    if not found:
        return None
    queued = found[0]
    done = LEASE.write(
        connection,
        tenant=queued.tenant_id,
        this=queued.attempt_id,
        held=queued.fence,
        runner_id=runner_id,
        owner_id=owner_id,
        lease_expires_at=to_us(lease_expires_at),
    )
    if done == 0:
        return None
    return replace(
        queued,
        status="leased",
        fence=queued.fence + 1,
        runner_id=runner_id,
        owner_id=owner_id,
        lease_expires_at=lease_expires_at,
    )


def _wanted(serves: Serves | None) -> tuple[_Whose, dict[str, str]]:
    if serves is None:
        return "anybody's", {}
    if serves.starter is None:
        return "the tenant's", {"only_tenant": serves.tenant_id}
    return "a user's", {"only_tenant": serves.tenant_id, "only_starter": serves.starter}


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


def expired_leases(
    connection: Connection, now: datetime, after: AttemptRow | None, limit: int, damage: DamageLog
) -> tuple[AttemptRow, ...]:
    """Return leases that ended before `now`, behind `after`, the oldest first."""
    place = None
    if after is not None:
        expired_at, queued_at = optional_us(after.lease_expires_at), to_us(after.queued_at)
        place = (expired_at, queued_at, after.tenant_id, after.attempt_id)
    return EXPIRED_LEASES.read(connection, damage, after=place, limit=limit, now=to_us(now))


def leases_of(connection: Connection, owner_id: OwnerId, damage: DamageLog) -> tuple[AttemptRow, ...]:
    """Return the attempts leased through that owner."""
    return read_all(connection, LEASES_OF_OWNER, attempt_of, damage, owner=owner_id)
