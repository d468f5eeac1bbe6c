"""Outcomes that may be reused, and what an instance takes over of another one's attempt."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.decision import ReusedWork
from chatflow_jupyter.domain.errors import SeqConflict
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Sha256, TenantId, attempt_id
from chatflow_jupyter.domain.reuse import stands
from chatflow_jupyter.ports.records import ArtifactRecord, KeptRow, Transition

from .tables import Tables


class MemoryKeptOutcomes:
    """`IKeptOutcomes` in memory."""

    _tables: Tables

    async def kept_outcome(self, tenant_id: TenantId, key: Sha256, now: datetime) -> KeptRow | None:
        """See the port."""
        row = self._tables.kept_outcomes.get((tenant_id, key))
        return row if row is not None and row.outcome.expires_at > now else None

    async def drop_expired_outcomes(self, now: datetime, limit: int = 500) -> int:
        """See the port."""
        kept = self._tables.kept_outcomes
        expired = [name for name, row in kept.items() if row.outcome.expires_at <= now][:limit]
        for name in expired:
            del kept[name]
        return len(expired)


def check(tables: Tables, tenant_id: TenantId, transition: Transition) -> None:
    """Raise `SeqConflict` unless what is to be reused is there as a whole, and stands."""
    reused = transition.decision.reused
    if reused is None:
        return
    attempt = tables.attempts.get((tenant_id, _source(reused)))
    whole = attempt is not None and attempt.status == "succeeded"
    if not whole or any(one.deleted_at is not None for one in _artifacts(tables, tenant_id, reused)):
        raise SeqConflict(f"what {_source(reused)} handed over is not there as a whole any more")
    if not _stands(tables, tenant_id, reused):
        raise SeqConflict(f"what {_source(reused)} handed over does not stand any more")


def _stands(tables: Tables, tenant_id: TenantId, reused: ReusedWork) -> bool:
    node = tables.instances.get((tenant_id, reused.source_id))
    if node is None or not stands(node, reused.phase, reused.attempt):
        return False
    link = node.parent
    if link is not None and _lost_something(tables, tenant_id, link.instance_id):
        return False
    while link is not None:
        node = tables.instances.get((tenant_id, link.instance_id))
        if node is None or node.undoing is not None:
            return False
        link = node.parent
    return True


def take_part(tables: Tables, transition: Transition) -> None:
    """Take over what the transition reuses, and keep what it lets others reuse."""
    instance, decision = transition.decision.instance, transition.decision
    tenant_id, reused = instance.tenant_id, decision.reused
    if reused is not None:
        own = attempt_id(instance.instance_id, reused.phase, reused.number)
        row = tables.attempts[tenant_id, _source(reused)]
        me = instance.instance_id
        tables.attempts[tenant_id, own] = replace(
            row,
            attempt_id=own,
            instance_id=me,
            root_id=instance.root_id,
            owner_id=None,
            number=reused.number,
        )
        for record in _artifacts(tables, tenant_id, reused):
            shared = replace(record, attempt_id=own, instance_id=me, attempt=reused.number)
            tables.artifacts[tenant_id, own, record.name] = shared
    if decision.kept is not None and not _lost_something(tables, tenant_id, instance.instance_id):
        row_of = KeptRow(tenant_id=tenant_id, instance_id=instance.instance_id, outcome=decision.kept)
        tables.kept_outcomes[tenant_id, decision.kept.key] = row_of


def _lost_something(tables: Tables, tenant_id: TenantId, instance_id: InstanceId) -> bool:
    return any(
        record.deleted_at is not None
        for record in tables.artifacts.values()
        if (record.tenant_id, record.instance_id) == (tenant_id, instance_id)
    )


def _source(reused: ReusedWork) -> AttemptId:
    return attempt_id(reused.source_id, reused.phase, reused.attempt)


def _artifacts(tables: Tables, tenant_id: TenantId, reused: ReusedWork) -> Sequence[ArtifactRecord]:
    of = (tenant_id, _source(reused))
    return [record for record in tables.artifacts.values() if (record.tenant_id, record.attempt_id) == of]
