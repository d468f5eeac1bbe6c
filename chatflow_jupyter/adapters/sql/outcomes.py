"""Outcomes that may be reused, and what an instance takes over of another one's attempt."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Row,
    Table,
    Text,
    bindparam,
    delete,
    literal_column,
    select,
    tuple_,
)

from chatflow_jupyter.domain.decision import Decision, KeptOutcome, ReusedWork
from chatflow_jupyter.domain.errors import SeqConflict
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Sha256, TenantId, attempt_id
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.reuse import stands
from chatflow_jupyter.ports.records import KeptRow, Transition

from .artifacts import of_instance
from .copied_rows import copied
from .damage import decodes
from .dialects import Upsert
from .encoding import from_us, to_us
from .instance_queries import SELECT_INSTANCE
from .instance_rows import instance_of
from .outcome_tables import kept_outcomes
from .schema import artifacts, attempts, tenants
from .statements import Statement

_OWN = bindparam("own", type_=Text)
_INSTANCE = bindparam("instance", type_=Text)
_NUMBER = bindparam("number", type_=Integer)
_KEPT = ("instance_id", "phase", "attempt", "risk", "made_at", "expires_at")


def _keep(insert: Upsert) -> Executable:
    row = insert(kept_outcomes)
    kept: Executable = row.on_conflict_do_update(
        index_elements=["tenant_id", "key"], set_={name: row.excluded[name] for name in _KEPT}
    )
    return kept


def _of_source(table: Table) -> tuple[ColumnElement[bool], ...]:
    return (table.c.tenant_id == bindparam("tenant"), table.c.attempt_id == bindparam("source"))


KEEP = Statement(_keep)
SELECT_KEPT = Statement(
    select(*kept_outcomes.c).where(
        kept_outcomes.c.tenant_id == bindparam("tenant"),
        kept_outcomes.c.key == bindparam("named"),
        kept_outcomes.c.expires_at > bindparam("now"),
    )
)
_KEY = tuple_(kept_outcomes.c.tenant_id, kept_outcomes.c.key)
DROP_EXPIRED = Statement(
    delete(kept_outcomes).where(
        _KEY.in_(
            select(kept_outcomes.c.tenant_id, kept_outcomes.c.key)
            .where(
                # The index begins with it. An outcome is kept with events, which make the tenant's row.
                kept_outcomes.c.tenant_id.in_(select(tenants.c.tenant_id)),
                kept_outcomes.c.expires_at <= bindparam("now"),
            )
            .limit(bindparam("most"))
        )
    )
)
STATUS_OF = Statement(select(attempts.c.status).where(*_of_source(attempts)))
DELETED_OF_ATTEMPT = Statement(
    select(artifacts.c.name).where(*_of_source(artifacts), artifacts.c.deleted_at.is_not(None)).limit(1)
)
DELETED_OF_INSTANCE = Statement(
    select(artifacts.c.name).where(*of_instance("instance"), artifacts.c.deleted_at.is_not(None)).limit(1)
)
TAKE_ATTEMPT = copied(
    attempts,
    _of_source(attempts),
    {
        "attempt_id": _OWN,
        "instance_id": _INSTANCE,
        "root_id": bindparam("root", type_=Text),
        "number": _NUMBER,
        "owner_id": literal_column("NULL"),
    },
)
TAKE_ARTIFACTS = copied(
    artifacts,
    _of_source(artifacts),
    {"attempt_id": _OWN, "instance_id": _INSTANCE, "attempt": _NUMBER},
)


def check(connection: Connection, tenant_id: TenantId, decision: Decision) -> None:
    """Raise `SeqConflict` unless what is to be reused is there as a whole, and stands."""
    reused = decision.reused
    if reused is None:
        return
    of = {"tenant": tenant_id, "source": _source(reused)}
    status = STATUS_OF.one(connection, **of)
    whole = status is not None and status[0] == "succeeded"
    if not whole or DELETED_OF_ATTEMPT.one(connection, **of) is not None:
        raise SeqConflict(f"what {of['source']} handed over is not there as a whole any more")
    if not _stands(connection, tenant_id, reused):
        raise SeqConflict(f"what {of['source']} handed over does not stand any more")


def _stands(connection: Connection, tenant_id: TenantId, reused: ReusedWork) -> bool:
    node = _row_of(connection, tenant_id, reused.source_id)
    if node is None or not stands(node, reused.phase, reused.attempt):
        return False
    link = node.parent
    if link is not None and _lost_something(connection, tenant_id, link.instance_id):
        return False
    while link is not None:
        node = _row_of(connection, tenant_id, link.instance_id)
        if node is None or node.undoing is not None:
            return False
        link = node.parent
    return True


def _row_of(connection: Connection, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
    """Return what the row alone says; variables and what it knows of children may stand elsewhere."""
    row = SELECT_INSTANCE.run(connection, tenant=tenant_id, instance=instance_id).first()
    return None if row is None else instance_of(row)


def _lost_something(connection: Connection, tenant_id: TenantId, instance_id: InstanceId) -> bool:
    return DELETED_OF_INSTANCE.one(connection, tenant=tenant_id, instance=instance_id) is not None


def take_part(connection: Connection, tenant_id: TenantId, applied: Sequence[Transition]) -> None:
    """Take over what transitions reuse, and keep what they let others reuse."""
    for transition in applied:
        decision = transition.decision
        if decision.reused is not None:
            _take_over(connection, tenant_id, decision.instance, decision.reused)
        if decision.kept is not None:
            _keep_one(connection, tenant_id, decision.instance, decision.kept)


def _take_over(connection: Connection, tenant_id: TenantId, instance: Instance, reused: ReusedWork) -> None:
    this = {
        "tenant": tenant_id,
        "source": _source(reused),
        "own": attempt_id(instance.instance_id, reused.phase, reused.number),
        "instance": instance.instance_id,
        "number": reused.number,
    }
    TAKE_ATTEMPT.write(connection, **this, root=instance.root_id)
    TAKE_ARTIFACTS.write(connection, **this)


def _keep_one(connection: Connection, tenant_id: TenantId, instance: Instance, kept: KeptOutcome) -> None:
    if _lost_something(connection, tenant_id, instance.instance_id):
        return
    KEEP.write(
        connection,
        tenant_id=tenant_id,
        key=kept.key,
        instance_id=instance.instance_id,
        phase=kept.phase,
        attempt=kept.attempt,
        risk=kept.risk,
        made_at=to_us(kept.made_at),
        expires_at=to_us(kept.expires_at),
    )


def kept(connection: Connection, tenant_id: TenantId, key: Sha256, now: datetime) -> KeptRow | None:
    """Return what is kept under the key and has not expired."""
    row = SELECT_KEPT.run(connection, tenant=tenant_id, named=key, now=to_us(now)).first()
    return None if row is None else kept_of(row)


def drop_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Forget expired outcomes; returns how many."""
    return DROP_EXPIRED.run(connection, now=to_us(now), most=limit).rowcount


@decodes("kept_outcomes", "tenant_id", "key")
def kept_of(row: Row[Any]) -> KeptRow:
    """Return what a row says."""
    if not re.fullmatch("[0-9a-f]{64}", row.key):
        raise ValueError("no hash")
    if not (isinstance(row.attempt, int) and isinstance(row.risk, int)):
        raise ValueError("no number")
    if not 0 <= row.risk <= 100 or row.attempt < 1:
        raise ValueError("out of range")
    if not (isinstance(row.instance_id, str) and isinstance(row.phase, str)):
        raise ValueError("no name")
    outcome = KeptOutcome(
        key=row.key,
        phase=row.phase,
        attempt=row.attempt,
        risk=row.risk,
        made_at=from_us(row.made_at),
        expires_at=from_us(row.expires_at),
    )
    return KeptRow(tenant_id=row.tenant_id, instance_id=InstanceId(row.instance_id), outcome=outcome)


def _source(reused: ReusedWork) -> AttemptId:
    return attempt_id(reused.source_id, reused.phase, reused.attempt)
