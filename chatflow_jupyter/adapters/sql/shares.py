"""What a fork shares with its source: rows of its own that refer to the same bytes."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    bindparam,
    cast,
    literal_column,
    select,
)

from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.ports.records import SharedWork

from .artifacts import of_instance
from .copied_rows import copied
from .schema import artifacts, attempts, instances, journal
from .statements import Statement

_FORK = bindparam("fork", type_=Text)


def _of_phases(table: Table) -> tuple[ColumnElement[bool], ...]:
    in_phase = table.c.phase == bindparam("in_phase")
    if table is artifacts:
        return (*of_instance("source"), in_phase)
    return (table.c.tenant_id == bindparam("tenant"), table.c.instance_id == bindparam("source"), in_phase)


def _own_attempt(phase: ColumnElement[str], number: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the id of the fork's attempt of that number, as `attempt_id` makes it."""
    return _FORK + "." + phase + "." + cast(number, Text)


_NUMBER = cast(
    select(attempts.c.number)
    .where(attempts.c.tenant_id == journal.c.tenant_id, attempts.c.attempt_id == journal.c.attempt_id)
    .scalar_subquery(),
    Text,
)
SEQ_OF = Statement(
    select(instances.c.seq).where(
        instances.c.tenant_id == bindparam("tenant"), instances.c.instance_id == bindparam("source")
    )
)
DELETED = Statement(
    select(artifacts.c.name).where(*_of_phases(artifacts), artifacts.c.deleted_at.is_not(None)).limit(1)
)
SHARE_ATTEMPTS = copied(
    attempts,
    _of_phases(attempts),
    {
        "attempt_id": _own_attempt(attempts.c.phase, attempts.c.number),
        "instance_id": _FORK,
        "root_id": _FORK,
        "owner_id": literal_column("NULL"),
    },
)
SHARE_ARTIFACTS = copied(
    artifacts,
    _of_phases(artifacts),
    {"attempt_id": _own_attempt(artifacts.c.phase, artifacts.c.attempt), "instance_id": _FORK},
)
SHARE_JOURNAL = copied(
    journal,
    _of_phases(journal),
    {"attempt_id": _own_attempt(journal.c.phase, _NUMBER), "instance_id": _FORK},
)


def check(connection: Connection, tenant_id: TenantId, shares: SharedWork) -> None:
    """Raise `NotFound`, `SeqConflict` or `Conflict` unless the source is as the fork was decided on."""
    source = {"tenant": tenant_id, "source": shares.source_id}
    found = SEQ_OF.one(connection, **source)
    if found is None:
        raise NotFound(f"no instance {shares.source_id}")
    if found[0] != shares.seq:
        raise SeqConflict(f"instance {shares.source_id} is at transition {found[0]}, not {shares.seq}")
    for phase in shares.phases:
        deleted = DELETED.one(connection, **source, in_phase=phase)
        if deleted is not None:
            message = f"the artifact {deleted[0]} of phase {phase} was deleted; fork from {phase}"
            raise Conflict(message, code="artifact_deleted")


def share(connection: Connection, tenant_id: TenantId, fork: InstanceId, shares: SharedWork) -> None:
    """Add what these phases left behind to the fork, whose row is there."""
    for phase in shares.phases:
        this = {"tenant": tenant_id, "source": shares.source_id, "in_phase": phase, "fork": fork}
        for statement in (SHARE_ATTEMPTS, SHARE_ARTIFACTS, SHARE_JOURNAL):
            statement.write(connection, **this)
