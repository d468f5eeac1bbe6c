"""What must hold about hooks, whatever the model says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chatflow_jupyter.domain.decision import Continuation, ContinuationKind, Decision, QueueAttempt
from chatflow_jupyter.domain.events import EventType, StoredEvent
from chatflow_jupyter.domain.hooks import HookPlan
from chatflow_jupyter.domain.instance import Instance, WaitingReason
from chatflow_jupyter.ports.records import AttemptRow


def check_hooks(before: Instance, decision: Decision, plan: HookPlan) -> None:
    """Assert what a decision owes to the hooks in force."""
    after = decision.instance
    waits = after.waiting_reason is WaitingReason.HOOK
    assert waits == (after.hooks_asked is not None)
    asks = [note for note in decision.continuations if note.kind is ContinuationKind.RUN_HOOKS]
    newly = waits and after.hooks_asked != before.hooks_asked
    assert [note.instance_id for note in asks] == ([after.instance_id] if newly else [])
    if newly:
        assert after.hooks_asked is not None
        assert after.hooks_asked.seq == after.seq
        assert not after.is_undoing, "a hook may hold undoing up"
    told = Counter(
        (event.data["point"], event.data["for_attempt"], event.data["hook"])
        for event in decision.events
        if event.type is EventType.HOOK_ANSWERED
    )
    assert all(count == 1 for count in told.values()), "a verdict was recorded twice"
    for change in decision.attempts:
        if isinstance(change, QueueAttempt):
            _check_queued(after, change, plan)
    for record in after.phases.values():
        assert not (record.unjudged and record.notebook_done)
        assert record.ran_sec is not None or not record.unjudged


def _check_queued(after: Instance, change: QueueAttempt, plan: HookPlan) -> None:
    """No attempt is made that the hooks in force have not cleared, or that they want people asked about."""
    record = after.phases[change.phase]
    if after.is_undoing:
        return
    cleared = record.clearance
    if plan.before:
        assert cleared is not None, "queued, and no hook was asked"
        assert cleared.attempt == change.number, "queued by what hooks said about another attempt"
    if cleared is not None and cleared.attempt == change.number:
        assert cleared.question is None or (
            record.gate is not None and record.gate.by in ("people", "expiry")
        )
        assert all(change.parameters[name] == value for name, value in cleared.parameters.items())


def check_asked(nodes: Mapping[str, Instance], notes: Sequence[Continuation]) -> None:
    """Assert that whatever waits for hooks has a note that asks for them: nothing waits silently."""
    asking = {str(note.instance_id) for note in notes if note.kind is ContinuationKind.RUN_HOOKS}
    for name, node in nodes.items():
        waits = node.waiting_reason is WaitingReason.HOOK
        assert waits == (node.hooks_asked is not None), name
        assert not waits or name in asking, f"{name} waits for hooks, and nobody is told to ask them"


def heard_by(node: Instance) -> dict[str, Any]:
    """Return what the product knows of hooks about each phase, as the model words it."""
    heard = {}
    for name, record in node.phases.items():
        said = record.clearance
        if said is None and record.ran_sec is None and not record.unjudged:
            continue
        heard[name] = {
            "cleared": said.attempt if said else 0,
            "question": (said.question or "") if said else "",
            "risk": said.risk if said else 0,
            "amended": dict(said.parameters) if said else {},
            "ran": record.ran_sec is not None,
            "unjudged": record.unjudged,
        }
    return heard


def check_told_once(both: Any, stored: Sequence[StoredEvent]) -> None:
    """Assert that history holds every verdict that counted, and none twice or too much."""
    for one in stored:
        if one.event.type is EventType.HOOK_ANSWERED:
            both.verdicts[str(one.event.instance_id)] += 1
    assert dict(both.verdicts) == {name: count for name, count in both.model.told.items() if count}


def check_amended(model: Any, attempts: dict[str, AttemptRow]) -> None:
    """Assert that attempts got what hooks set, and only those."""
    for name, row in attempts.items():
        amended = model.attempts[name].get("amended", {})
        assert all(row.parameters.get(key) == value for key, value in amended.items()), name
        assert all(key in amended for key in ("x", "y") if key in row.parameters), name
