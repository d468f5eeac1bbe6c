"""Answers to gates, and waivers given beforehand."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import InstanceId, TenantId, WaiverId
from chatflow_jupyter.domain.instance import Vote
from chatflow_jupyter.ports.records import Waiver

from . import audit
from .encoding import to_us
from .gate_rows import vote_of, waiver_columns, waiver_of
from .gate_tables import decisions, waivers
from .statements import Statement

_OF_TENANT = waivers.c.tenant_id == bindparam("tenant")
_THIS = (_OF_TENANT, waivers.c.waiver_id == bindparam("this"))

VOTES = Statement(
    select(*decisions.c)
    .where(decisions.c.tenant_id == bindparam("tenant"), decisions.c.instance_id == bindparam("instance"))
    .order_by(decisions.c.seq)
)
INSERT_WAIVER = Statement(insert(waivers))
REVOKE_WAIVER = Statement(
    update(waivers)
    .where(*_THIS, waivers.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
    .returning(*waivers.c)
)
SELECT_WAIVER = Statement(select(*waivers.c).where(*_THIS))
WAIVERS = Statement(
    select(*waivers.c).where(_OF_TENANT).order_by(waivers.c.created_at.desc(), waivers.c.waiver_id.desc())
)
LONGEST_WAIVER = Statement(
    select(*waivers.c)
    .where(
        _OF_TENANT,
        waivers.c.name == bindparam("named"),
        waivers.c.phase == bindparam("before"),
        or_(waivers.c.feature_id.is_(None), waivers.c.feature_id == bindparam("feature")),
        waivers.c.expires_at > bindparam("now"),
        waivers.c.created_at <= bindparam("given_by"),
        waivers.c.revoked_at.is_(None),
    )
    .order_by(waivers.c.expires_at.desc(), waivers.c.waiver_id.desc())
    .limit(1)
)


def votes(connection: Connection, tenant_id: TenantId, instance_id: InstanceId) -> tuple[Vote, ...]:
    """Return every answer given to a gate of the instance, in order."""
    return tuple(map(vote_of, VOTES.run(connection, tenant=tenant_id, instance=instance_id)))


def save(connection: Connection, waiver: Waiver, act: Act | None) -> None:
    """Store the waiver."""
    INSERT_WAIVER.write(connection, **waiver_columns(waiver))
    audit.record(connection, waiver.tenant_id, act)


def revoke(
    connection: Connection, tenant_id: TenantId, waiver_id: WaiverId, now: datetime, act: Act | None
) -> Waiver:
    """End the waiver, unless that was done before; raises `NotFound`."""
    this = {"tenant": tenant_id, "this": waiver_id}
    row = REVOKE_WAIVER.run(connection, **this, now=to_us(now)).first()
    if row is not None:
        audit.record(connection, tenant_id, act)
        return waiver_of(row)
    row = SELECT_WAIVER.run(connection, **this).first()
    if row is None:
        raise NotFound(f"no waiver {waiver_id}")
    return waiver_of(row)


def waivers_of(connection: Connection, tenant_id: TenantId) -> tuple[Waiver, ...]:
    """Return the tenant's waivers, the newest first."""
    return tuple(map(waiver_of, WAIVERS.run(connection, tenant=tenant_id)))


def waiver_for(
    connection: Connection,
    tenant_id: TenantId,
    name: str,
    phase: str,
    feature_id: str | None,
    now: datetime,
    given_by: datetime,
) -> Waiver | None:
    """Return the waiver of that gate that lasts longest, of those given by then."""
    row = LONGEST_WAIVER.run(
        connection,
        tenant=tenant_id,
        named=name,
        before=phase,
        feature=feature_id,
        now=to_us(now),
        given_by=to_us(given_by),
    ).first()
    return None if row is None else waiver_of(row)
