"""One commit: everything is checked before anything is changed, and nothing is awaited in between."""

from dataclasses import replace

from chatflow_jupyter.adapters.event_messages import TOPIC, event_message
from chatflow_jupyter.domain.decision import (
    CancelAttempt,
    EndAttempt,
    QueueAttempt,
    StartAttempt,
)
from chatflow_jupyter.domain.errors import KeyReused, SeqConflict
from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.records import (
    AttemptRow,
    Commit,
    ContinuationRow,
    OutboxRow,
    TimerRow,
    Transition,
)

from . import audit, outcomes, shares
from .schedules import check_step, take_step
from .tables import Tables
from .usage import check_room, count_usage


class MemoryCommits:
    """The writing half of `IInstances`."""

    _tables: Tables

    async def commit(self, commit: Commit) -> None:
        """See the port."""
        tables, tenant_id = self._tables, commit.tenant_id
        _check(tables, commit)
        applied = applied_of(tables, commit)
        check_room(tables, applied)
        if commit.schedule is not None:
            take_step(tables, commit.schedule)
        if commit.key is not None:
            tables.keys[(tenant_id, commit.key.principal, commit.key.key)] = commit.key
        if commit.shares is not None:
            shares.share(
                tables, tenant_id, commit.transitions[0].decision.instance.instance_id, commit.shares
            )
        for transition in applied:
            instance = transition.decision.instance
            if transition.before is None and instance.parent is None:
                tables.tree_owners[(tenant_id, instance.instance_id)] = commit.owner_id
            count_usage(tables, transition)
            tables.instances[(tenant_id, instance.instance_id)] = instance
            outcomes.take_part(tables, transition)
            _add_events(tables, tenant_id, transition)
            _change_attempts(tables, tenant_id, transition)
            _add_notes(tables, tenant_id, transition)
        for continuation_id in commit.consumed:
            row = tables.continuations.get(continuation_id)
            if row is not None and row.tenant_id == tenant_id:
                del tables.continuations[continuation_id]
        audit.record(tables, tenant_id, commit.act)
        tables.changes.announce()


def applied_of(tables: Tables, commit: Commit) -> list[Transition]:
    """Return the transitions that change something: an instance is created once."""
    return [
        each
        for each in commit.transitions
        if each.before is not None
        or (commit.tenant_id, each.decision.instance.instance_id) not in tables.instances
    ]


def _check(tables: Tables, commit: Commit) -> None:
    if commit.schedule is not None:
        check_step(tables, commit.schedule)
    key = commit.key
    if key is not None:
        stored = tables.keys.get((commit.tenant_id, key.principal, key.key))
        if stored is not None and stored.expires_at > tables.clock.now():
            raise KeyReused(f"the idempotency key {key.key!r} was used before", code="key_taken")
    if commit.shares is not None:
        shares.check(tables, commit.tenant_id, commit.shares)
    for transition in commit.transitions:
        if transition.before is not None:
            _check_seq(tables, commit.tenant_id, transition.before)
            _check_artifacts(tables, commit, transition.before.instance_id)
        outcomes.check(tables, commit.tenant_id, transition)
        for change in transition.decision.attempts:
            if isinstance(change, StartAttempt | EndAttempt):
                tables.leased(commit.tenant_id, change.attempt_id, change.fence)


def _check_seq(tables: Tables, tenant_id: TenantId, before: Instance) -> None:
    stored = tables.instance(tenant_id, before.instance_id)
    if stored.seq != before.seq:
        message = f"instance {before.instance_id} is at transition {stored.seq}, not {before.seq}"
        raise SeqConflict(message)


def _check_artifacts(tables: Tables, commit: Commit, instance_id: InstanceId) -> None:
    if commit.no_artifact_but is None:
        return
    for record in tables.artifacts.values():
        of_instance = (record.tenant_id, record.instance_id) == (commit.tenant_id, instance_id)
        if of_instance and record.phase != commit.no_artifact_but and record.deleted_at is None:
            raise SeqConflict(f"instance {instance_id} has the artifact {record.name} of {record.phase}")


def _add_events(tables: Tables, tenant_id: TenantId, transition: Transition) -> None:
    log = tables.events[tenant_id]
    for event in transition.decision.events:
        log.append(StoredEvent(position=len(log) + 1, event=event))
        tables.last_outbox_id += 1
        tables.outbox[tables.last_outbox_id] = OutboxRow(
            outbox_id=tables.last_outbox_id, tenant_id=tenant_id, topic=TOPIC, message=event_message(event)
        )


def _change_attempts(tables: Tables, tenant_id: TenantId, transition: Transition) -> None:
    instance = transition.decision.instance
    for change in transition.decision.attempts:
        key = (tenant_id, change.attempt_id)
        match change:
            case QueueAttempt():
                tables.attempts.setdefault(key, _queued(tenant_id, instance, change))
            case StartAttempt():
                tables.attempts[key] = replace(tables.attempts[key], started_at=change.started_at)
            case EndAttempt():
                tables.attempts[key] = replace(
                    tables.attempts[key],
                    status=change.status,
                    ended_at=change.ended_at,
                    failure=change.failure,
                    lease_expires_at=None,
                )
            case CancelAttempt():
                row = tables.attempts.get(key)
                if row is not None and row.status in ("queued", "leased"):
                    tables.attempts[key] = replace(
                        row,
                        status="cancelled",
                        ended_at=change.ended_at,
                        fence=row.fence + 1,
                        lease_expires_at=None,
                    )


def _queued(tenant_id: TenantId, instance: Instance, change: QueueAttempt) -> AttemptRow:
    return AttemptRow(
        tenant_id=tenant_id,
        instance_id=instance.instance_id,
        root_id=instance.root_id,
        attempt_id=change.attempt_id,
        phase=change.phase,
        number=change.number,
        notebook=change.notebook,
        kernel=change.kernel,
        parameters=change.parameters,
        timeout_sec=change.timeout_sec,
        status="queued",
        fence=0,
        queued_at=change.queued_at,
        run_as=change.run_as,
        starter=instance.principal,
    )


def _add_notes(tables: Tables, tenant_id: TenantId, transition: Transition) -> None:
    decision = transition.decision
    instance_id = decision.instance.instance_id
    for change in decision.timers:
        tables.timers.pop((tenant_id, instance_id, change.kind), None)
        if change.due_at is not None:
            tables.timers[(tenant_id, instance_id, change.kind)] = TimerRow(
                tenant_id=tenant_id, instance_id=instance_id, kind=change.kind, due_at=change.due_at
            )
    for continuation in decision.continuations:
        tables.last_continuation_id += 1
        tables.continuations[tables.last_continuation_id] = ContinuationRow(
            continuation_id=tables.last_continuation_id, tenant_id=tenant_id, continuation=continuation
        )
    tables.votes.extend((tenant_id, instance_id, vote) for vote in decision.votes)
