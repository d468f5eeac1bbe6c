"""What is true of every decision, whatever was asked."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.decision import (
    CancelAttempt,
    ContinuationKind,
    Decision,
    EndAttempt,
    QueueAttempt,
    StartAttempt,
    TimerKind,
)
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.ids import event_id
from chatflow_jupyter.domain.instance import Instance, PhaseState, Status, WaitingReason
from chatflow_jupyter.domain.json_values import check_json

Timers = Mapping[TimerKind, datetime]
DONE = (PhaseState.SUCCEEDED, PhaseState.SKIPPED)
KEPT = (
    "tenant_id",
    "instance_id",
    "root_id",
    "definition",
    "principal",
    "context",
    "parent",
    "created_at",
    "quota",
    "lineage",
    "max_depth",
)


def timers_after(timers: Timers, decision: Decision) -> dict[TimerKind, datetime]:
    """Return the timers that are set once the decision is committed."""
    left = dict(timers)
    for change in decision.timers:
        left.pop(change.kind, None)
        if change.due_at is not None:
            left[change.kind] = change.due_at
    return left


def check_decision(definition: Definition, before: Instance, decision: Decision, now: datetime) -> None:
    """Assert all that holds between an instance and its successor, and of what is committed with it."""
    after = decision.instance
    assert after.seq == before.seq + 1
    assert after.updated_at == now
    assert all(getattr(after, name) == getattr(before, name) for name in KEPT)
    assert after.spent_sec >= before.spent_sec
    check_charges(before, decision)
    assert before.status not in (Status.COMPLETED, Status.TERMINATED), "an ended instance changed"
    same = (before.status, before.phase, before.fan_out) == (after.status, after.phase, after.fan_out)
    assert decision.events or same or before.paused, "a change that leaves no event"
    _check_events(decision)
    _check_phases(before, after)
    _check_attempts(definition, before, decision)
    _check_children(decision)
    _check_notes(before, decision)
    _check_undoing(definition, before, after)
    check_standing(after)


def check_charges(before: Instance, decision: Decision) -> None:
    """Assert that what is counted at once is what the instance itself did, and no child's end."""
    after, ended = decision.instance, any(event.type == "ChildEnded" for event in decision.events)
    assert decision.spent_sec >= 0
    assert decision.asked >= -_unborn(before), "more is given back than was asked for and not born"
    if not ended:
        assert round(after.spent_sec - before.spent_sec - decision.spent_sec, 6) == 0
        assert _asked_for(after) - _asked_for(before) == decision.asked
    for change in decision.attempts:
        if isinstance(change, QueueAttempt) and not after.is_undoing:
            left = after.quota.max_duration_sec
            assert left is None or after.spent_sec < left, "queued, and no time is left"


def _asked_for(instance: Instance) -> int:
    """Count the children below it, and those that a notebook asked for and that a pause keeps unborn."""
    return instance.descendants + _unborn(instance)


def _unborn(instance: Instance) -> int:
    return 0 if instance.fan_out is not None else len(instance.spawned)


def check_standing(instance: Instance) -> None:
    """Assert that the instance has an attempt, a named wait, has ended, is paused, or was never started."""
    status, waits = instance.status, instance.waiting_reason is not None
    assert (status is Status.WAITING) == waits
    assert waits == bool(instance.waiting_detail)
    runs = status in (Status.RUNNING, Status.COMPENSATING)
    idle = runs and instance.attempt is None
    stands = [status is Status.CREATED, instance.attempt is not None, waits, instance.ended, idle]
    assert stands.count(True) == 1, stands
    assert instance.paused or not idle, "running, yet nothing runs: stuck silently"
    assert runs == (instance.attempt is not None or idle)
    assert (status is Status.COMPENSATING) == (runs and instance.is_undoing)
    assert not instance.compensated or status in (Status.FAILED, Status.TERMINATED)
    assert instance.ended == (instance.ended_at is not None)
    assert not (instance.ended and instance.paused)
    assert instance.failure is None or instance.ended
    assert (instance.failure is not None) or status is not Status.FAILED
    assert (instance.started_at is not None) or status in (Status.CREATED, Status.TERMINATED, Status.FAILED)
    if instance.waiting_reason is WaitingReason.CHILDREN:
        fan_out = instance.fan_out
        assert fan_out is not None
        newborn = instance.seq == 1 and fan_out.total > 0
        assert fan_out.alive > 0 or instance.paused or newborn, "waits for children, and none is alive"
    if instance.spawned:
        assert instance.phase is not None
        record = instance.phases[instance.phase]
        assert record.notebook_done or record.unjudged, (
            "children wait to be born of a notebook that has not succeeded"
        )
    check_json(instance.variables)
    check_json(instance.view)


def check_no_undoing_is_lost(nodes: Mapping[str, Instance], ended_by_parent: Collection[str]) -> None:
    """Assert that nothing below what is undone was ended before it had undone what it did.

    Only a person gives that up: of the instance itself, or of one above it and not because that was undone.
    """
    for name, node in nodes.items():
        if node.status is not Status.TERMINATED or not node.is_undoing:
            continue
        above = node
        while str(above.instance_id) in ended_by_parent and above.parent is not None:
            above = nodes[str(above.parent.instance_id)]
            assert not above.compensated, f"{name} was ended though it had not undone what it did"


def check_timers(definition: Definition, instance: Instance, timers: Timers) -> None:
    """Assert that a clock runs exactly where something waits for one."""
    retry = instance.waiting_reason is WaitingReason.RETRY
    assert (TimerKind.RETRY in timers) == retry
    at_gate = instance.waiting_reason is WaitingReason.APPROVAL and not instance.paused
    gate = definition.phase(instance.phase).gate if at_gate and instance.phase else None
    assert (TimerKind.GATE_EXPIRY in timers) == (gate is not None and gate.expires_sec is not None)
    check_deadlines(definition, instance, timers)


def check_deadlines(definition: Definition, instance: Instance, timers: Timers) -> None:
    """Assert that whatever is alive and limited has its clock, set to its deadline, and nothing else has one.

    So nothing goes on for ever behind a deadline: the clock is there until something is done about it.
    """
    lives = instance.status is not Status.CREATED and not instance.ended and not instance.is_undoing
    limited = lives and definition.deadline_sec is not None
    assert timers.get(TimerKind.INSTANCE_DEADLINE) == (instance.deadline_at if limited else None)
    assert not limited or instance.deadline_at is not None
    record = instance.phases.get(instance.phase) if instance.phase else None
    active = record is not None and record.state is PhaseState.ACTIVE
    deadline_sec = definition.phase(instance.phase).deadline_sec if instance.phase else None
    limited = lives and active and deadline_sec is not None
    assert timers.get(TimerKind.PHASE_DEADLINE) == (record.deadline_at if limited and record else None)
    assert not limited or (record is not None and record.deadline_at is not None)


def check_nobody_is_overdue(nodes: Mapping[str, Instance], now: datetime) -> None:
    """Assert that no deadline is in the past: for when every clock that was due was answered."""
    for name, node in nodes.items():
        if node.ended or node.is_undoing:
            continue
        record = node.phases.get(node.phase) if node.phase else None
        active = record is not None and record.state is PhaseState.ACTIVE
        due = [node.deadline_at, record.deadline_at if record and active else None]
        assert all(at is None or at > now for at in due), f"{name} goes on behind its deadline"


def _check_events(decision: Decision) -> None:
    after = decision.instance
    for index, event in enumerate(decision.events):
        assert (event.index, event.seq, event.at) == (index, after.seq, after.updated_at)
        assert event.event_id == event_id(after.instance_id, after.seq, index)
        assert (event.tenant_id, event.root_id) == (after.tenant_id, after.root_id)
        check_json(event.data)


def _check_phases(before: Instance, after: Instance) -> None:
    for name, earlier in before.phases.items():
        later = after.phases[name]
        noted = replace(earlier, triggered_before=later.triggered_before)  # data may come between two phases
        assert earlier.state not in DONE or later == noted, f"finished phase {name} was touched"
        assert later.attempts >= earlier.attempts
        assert later.notebook_done or not earlier.notebook_done
        asked_anew = later.clearance != earlier.clearance
        assert later.approved or not earlier.approved or asked_anew
    active = [name for name, record in after.phases.items() if record.state is PhaseState.ACTIVE]
    assert len(active) <= 1
    assert all(name == after.phase for name in active)
    assert all(
        (record.ended_at is None) == (record.state is PhaseState.ACTIVE) for record in after.phases.values()
    )


def _check_attempts(definition: Definition, before: Instance, decision: Decision) -> None:
    after = decision.instance
    queued = [change for change in decision.attempts if isinstance(change, QueueAttempt)]
    gone = [change for change in decision.attempts if isinstance(change, (EndAttempt, CancelAttempt))]
    started = [change for change in decision.attempts if isinstance(change, StartAttempt)]
    assert len(queued) + len(started) <= 1
    for change in queued:
        earlier = before.phases.get(change.phase)
        assert earlier is None or not (earlier.notebook_done or earlier.state in DONE), (
            "a finished phase runs again"
        )
        assert not after.paused, "queued while paused"
        assert after.attempt is not None
        assert after.attempt.attempt_id == change.attempt_id
        assert (
            change.number == after.phases[change.phase].attempts == (earlier.attempts if earlier else 0) + 1
        )
        assert after.phases[change.phase].approved
        assert change.notebook == definition.phase(change.phase).notebook
    held = before.attempt.attempt_id if before.attempt else None
    still = after.attempt.attempt_id if after.attempt else None
    assert (still == held) or (still is None) or bool(queued)
    assert [change.attempt_id for change in gone] == ([held] if held and held != still else [])


def _check_children(decision: Decision) -> None:
    after, fan_out = decision.instance, decision.instance.fan_out
    if decision.children:
        assert not after.ended, "a child born under an ended parent"
        assert not after.paused, "a child born under a paused parent"
        assert fan_out is not None
        indexes = [child.link.index for child in decision.children]
        assert indexes == list(range(fan_out.started - len(indexes), fan_out.started))
        assert len(indexes) <= 200
    if fan_out is not None:
        assert 0 <= fan_out.failed <= fan_out.ended <= fan_out.started <= fan_out.total


def _check_undoing(definition: Definition, before: Instance, after: Instance) -> None:
    """Steps begin in reverse, each behind a phase that did something, and none is left at the end."""
    assert before.undoing is None or after.undoing is not None, "it forgot that it undoes"
    assert not before.compensated or after.status is not Status.COMPENSATING
    by_name = {phase.name: phase for phase in definition.phases}
    order = list(by_name)
    steps = [name for name in after.phases if name.endswith(".compensate")]
    undone = [order.index(name.removesuffix(".compensate")) for name in steps]
    assert undone == sorted(undone, reverse=True)
    assert not steps or after.undoing is not None
    for name in steps:
        phase, written = (found[name.removesuffix(".compensate")] for found in (after.phases, by_name))
        ran = phase.notebook_done or phase.ran_sec is not None
        began = written.compensate_after == "start" and phase.attempts > 0
        assert ran or phase.state is PhaseState.SUCCEEDED or after.descendants or began
        if after.compensated:
            assert after.phases[name].state is PhaseState.SUCCEEDED


def _check_notes(before: Instance, decision: Decision) -> None:
    after = decision.instance
    kinds = [note.kind for note in decision.continuations]
    if after.ended and after.parent is not None and not (before.ended and after.status is before.status):
        told = [note for note in decision.continuations if note.kind is ContinuationKind.CHILD_ENDED]
        assert [(note.instance_id, note.about) for note in told] == [
            (after.parent.instance_id, after.instance_id)
        ]
    if after.ended:
        cleared = {change.kind for change in decision.timers if change.due_at is None}
        assert cleared == set(TimerKind) or before.ended, "an ended instance keeps a timer"
    if after.status is Status.TERMINATED and before.descendants:
        assert ContinuationKind.TERMINATE_CHILDREN in kinds
    if before.descendants and after.paused != before.paused and not after.ended:
        wanted = ContinuationKind.PAUSE_CHILDREN if after.paused else ContinuationKind.RESUME_CHILDREN
        assert wanted in kinds
