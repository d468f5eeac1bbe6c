"""What `once` stored."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from chatflow_jupyter.domain.errors import InternalError
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Sha256, TenantId
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.records import JournalEntry

from .encoding import to_json, to_us
from .leases import leased
from .rows import journal_of
from .schema import journal
from .statements import Statement

INSERT_ENTRY = Statement(lambda insert: insert(journal).on_conflict_do_nothing())
SELECT_ENTRY = Statement(
    select(*journal.c).where(
        journal.c.tenant_id == bindparam("tenant"),
        journal.c.instance_id == bindparam("instance"),
        journal.c.phase == bindparam("in_phase"),
        journal.c.name == bindparam("named"),
    )
)


def entry(
    connection: Connection, tenant_id: TenantId, instance_id: InstanceId, phase: str, name: str
) -> JournalEntry | None:
    """Return what was stored under `name`."""
    row = SELECT_ENTRY.run(
        connection, tenant=tenant_id, instance=instance_id, in_phase=phase, named=name
    ).first()
    return None if row is None else journal_of(row)


def put(
    connection: Connection,
    tenant_id: TenantId,
    attempt_id: AttemptId,
    fence: int,
    name: str,
    value: JsonValue,
    sha256: Sha256 | None,
    now: datetime,
) -> JournalEntry:
    """Store the entry unless there is one, and return the stored one; raises `StaleFence`."""
    attempt = leased(connection, tenant_id, attempt_id, fence)
    INSERT_ENTRY.write(
        connection,
        tenant_id=tenant_id,
        instance_id=attempt.instance_id,
        phase=attempt.phase,
        name=name,
        attempt_id=attempt_id,
        value=to_json(value),
        sha256=sha256,
        created_at=to_us(now),
    )
    stored = entry(connection, tenant_id, attempt.instance_id, attempt.phase, name)
    if stored is None:
        raise InternalError(f"the journal entry {name} is not there after it was written")
    return stored
