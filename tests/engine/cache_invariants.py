"""What must hold about reuse, whatever the model says."""

from collections.abc import Mapping
from typing import Any

from chatflow_jupyter.domain.decision import ContinuationKind, Decision, EndAttempt, QueueAttempt
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.events import EventType
from chatflow_jupyter.domain.instance import Instance, PhaseState, WaitingReason
from chatflow_jupyter.domain.requests import CacheLookedUp, HookVerdicts, Request
from chatflow_jupyter.ports.records import Commit


def check_reuse(definition: Definition, before: Instance, request: Request, decision: Decision) -> None:
    """Assert what a decision owes to phases that may be reused, and to those that may not."""
    after = decision.instance
    waits = after.waiting_reason is WaitingReason.CACHE
    current = after.phases.get(after.phase or "")
    sought = current.sought if current else None
    looks = [note for note in decision.continuations if note.kind is ContinuationKind.LOOK_FOR_CACHED]
    newly = waits and sought is not None and sought.seq == after.seq
    assert [note.instance_id for note in looks] == ([after.instance_id] if newly else [])
    assert not waits or (sought is not None and not sought.answered)
    for change in decision.attempts:
        if isinstance(change, QueueAttempt):
            _check_queued(definition, after, change)
    _check_kept(before, request, decision)
    reuses = [event for event in decision.events if event.type is EventType.PHASE_REUSED]
    assert len(reuses) == (decision.reused is not None)
    for name, record in after.phases.items():
        earlier = before.phases.get(name)
        if record.reused_from is not None and (earlier is None or earlier.reused_from is None):
            _check_reused(name, before, request, decision)


def _check_queued(definition: Definition, after: Instance, change: QueueAttempt) -> None:
    """No attempt of such a phase is made by an answer about other inputs: it is of this very moment."""
    record = after.phases[change.phase]
    if definition.phase(change.phase).cache is None:
        assert record.sought is None, "a phase without cache sought an earlier outcome"
        return
    assert record.sought is not None, "queued, and nobody looked for an earlier outcome"
    assert record.sought.answered
    assert (record.sought.attempt, record.sought.seq) == (change.number, after.seq)


def _check_kept(before: Instance, request: Request, decision: Decision) -> None:
    """Only what was made here, ran to its end and counts is kept, in the commit in which it counts."""
    kept = decision.kept
    if kept is None:
        return
    record = decision.instance.phases[kept.phase]
    ended = [change for change in decision.attempts if isinstance(change, EndAttempt)]
    assert isinstance(request, HookVerdicts) or [one.status for one in ended] == ["succeeded"]
    assert record.state is PhaseState.SUCCEEDED
    assert record.reused_from is None
    assert record.sought is not None
    assert not record.sought.mixed
    assert (kept.attempt, kept.key) == (record.attempts, record.sought.key)
    assert kept.attempt == before.phases[kept.phase].attempts
    assert kept.phase in decision.instance.variables


def _check_reused(name: str, before: Instance, request: Request, decision: Decision) -> None:
    """The outcome is what the named source handed over, for the inputs that were asked about."""
    after = decision.instance
    assert isinstance(request, CacheLookedUp)
    assert request.found is not None
    assert not before.anew, "reused although everything was to be made anew"
    record, asked = after.phases[name], before.phases[name].sought
    assert asked is not None
    assert (request.attempt, request.seq) == (asked.attempt, asked.seq)
    assert after.variables[name] == request.found.outputs
    assert record.reused_from is not None
    assert record.reused_from.instance_id == request.found.instance_id
    assert decision.reused is not None
    assert decision.reused.number == record.attempts == before.phases[name].attempts + 1
    assert decision.kept is None


def reused_by(node: Instance) -> dict[str, Any]:
    """Return whose outcomes stand in a node, by phase; what a fork shares is its source's business."""
    return {
        name: (str(one.reused_from.instance_id), one.reused_from.attempt)
        for name, one in node.phases.items()
        if one.reused_from is not None and not one.shared
    }


def check_reused_work(nodes: Mapping[str, Instance]) -> None:
    """Assert that whatever is reused is what the named attempt handed over, of a phase like it."""
    for name, node in nodes.items():
        for phase, (source, attempt) in reused_by(node).items():
            made = nodes[source].phases[phase]
            assert made.reused_from is None, f"{name}: {phase} is reused from what was reused"
            assert (made.state, made.attempts) == (PhaseState.SUCCEEDED, attempt), name
            assert nodes[source].definition.name == node.definition.name, name
            assert nodes[source].variables[phase] == node.variables[phase], name
            assert nodes[source].tenant_id == node.tenant_id, name


def check_kept_in(commit: Commit) -> None:
    """Assert that what a commit keeps counts in that same commit, and was made by the instance itself."""
    for transition in commit.transitions:
        kept, after = transition.decision.kept, transition.decision.instance
        if kept is not None:
            record = after.phases[kept.phase]
            assert record.state is PhaseState.SUCCEEDED, "kept before it counts"
            assert (record.attempts, record.reused_from) == (kept.attempt, None)
