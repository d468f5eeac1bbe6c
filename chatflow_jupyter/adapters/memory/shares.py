"""What a fork shares with its source: rows of its own that refer to the same bytes."""

from dataclasses import replace

from chatflow_jupyter.domain.errors import Conflict, SeqConflict
from chatflow_jupyter.domain.ids import InstanceId, TenantId, attempt_id
from chatflow_jupyter.ports.records import ArtifactRecord, SharedWork

from .tables import Tables


def check(tables: Tables, tenant_id: TenantId, shares: SharedWork) -> None:
    """Raise `NotFound`, `SeqConflict` or `Conflict` unless the source is as the fork was decided on."""
    source = tables.instance(tenant_id, shares.source_id)
    if source.seq != shares.seq:
        raise SeqConflict(f"instance {source.instance_id} is at transition {source.seq}, not {shares.seq}")
    for record in _artifacts(tables, tenant_id, shares):
        if record.deleted_at is not None:
            message = (
                f"the artifact {record.name} of phase {record.phase} was deleted; fork from {record.phase}"
            )
            raise Conflict(message, code="artifact_deleted")


def share(tables: Tables, tenant_id: TenantId, fork: InstanceId, shares: SharedWork) -> None:
    """Add what these phases left behind to the fork."""
    wanted = (tenant_id, shares.source_id)
    for row in list(tables.attempts.values()):
        if (row.tenant_id, row.instance_id) == wanted and row.phase in shares.phases:
            own = attempt_id(fork, row.phase, row.number)
            tables.attempts[tenant_id, own] = replace(
                row, attempt_id=own, instance_id=fork, root_id=fork, owner_id=None
            )
    for record in _artifacts(tables, tenant_id, shares):
        own = attempt_id(fork, record.phase, record.attempt)
        shared = replace(record, attempt_id=own, instance_id=fork)
        tables.artifacts[tenant_id, own, record.name] = shared
    for (tenant, of, phase, name), entry in list(tables.journal.items()):
        if (tenant, of) == wanted and phase in shares.phases:
            tables.journal[tenant_id, fork, phase, name] = entry


def _artifacts(tables: Tables, tenant_id: TenantId, shares: SharedWork) -> list[ArtifactRecord]:
    wanted = (tenant_id, shares.source_id)
    return [
        record
        for record in tables.artifacts.values()
        if (record.tenant_id, record.instance_id) == wanted and record.phase in shares.phases
    ]
