"""What becomes of an instance whose time is over: that of a phase, its own, or that of its parent."""

from .advance import fail_instance, fail_phase
from .decision import CancelAttempt, ContinuationKind, Refusal, TimerKind
from .draft import Draft
from .events import EventType
from .instance import Failure, Instance, PhaseState
from .requests import InstanceDeadlineDue, ParentOverdue, PhaseDeadlineDue


def deadline_due(
    draft: Draft, instance: Instance, request: PhaseDeadlineDue | InstanceDeadlineDue | ParentOverdue
) -> Refusal | None:
    """End what has had its whole time; a timer that was overtaken by events is stale."""
    match request:
        case PhaseDeadlineDue():
            return _phase_deadline_due(draft, instance)
        case InstanceDeadlineDue():
            return _instance_deadline_due(draft, instance)
        case ParentOverdue():
            return _parent_overdue(draft, instance)


def _phase_deadline_due(draft: Draft, instance: Instance) -> Refusal | None:
    """Give the current phase up, whatever it waits for; its fallback still applies."""
    record = instance.phases.get(instance.phase) if instance.phase else None
    active = record is not None and record.state is PhaseState.ACTIVE
    due_at = record.deadline_at if record is not None and active else None
    if instance.ended or instance.is_undoing or due_at is None or draft.now < due_at:
        return Refusal(code="stale", message="no phase has exceeded its deadline", stale=True)
    phase = draft.phase
    message = f"phase {phase.name} did not end within its deadline of {phase.deadline_sec:g} s"
    failure = Failure(code="deadline_exceeded", message=message, phase=phase.name)
    if phase.fallback is None:
        _fail(draft, failure)
    else:
        _stop(draft)
        fail_phase(draft, failure)
    return None


def _instance_deadline_due(draft: Draft, instance: Instance) -> Refusal | None:
    """Fail the instance, whatever it waits for and whatever its phases fall back to."""
    due_at = instance.deadline_at
    if instance.ended or instance.is_undoing or due_at is None or draft.now < due_at:
        return Refusal(code="stale", message="the instance has not exceeded its deadline", stale=True)
    limit_sec = draft.definition.deadline_sec
    within = f" of {limit_sec:g} s" if limit_sec is not None else ""
    _fail_where_it_stands(draft, f"the instance did not end within its deadline{within}")
    return None


def _parent_overdue(draft: Draft, instance: Instance) -> Refusal | None:
    """Fail a child nobody waits for any more; it can be resumed, as its parent can."""
    if instance.ended or instance.is_undoing or instance.started_at is None:
        return Refusal(code="stale", message="the child has ended, or undoes what it did", stale=True)
    _fail_where_it_stands(draft, "the deadline of its parent is over")
    return None


def _fail_where_it_stands(draft: Draft, message: str) -> None:
    """Fail with the phase that is active, if one is: between two phases none failed, and none begins anew."""
    name = draft.instance.phase
    active = name is not None and draft.record.state is PhaseState.ACTIVE
    _fail(draft, Failure(code="deadline_exceeded", message=message, phase=name if active else None))


def _fail(draft: Draft, failure: Failure) -> None:
    _stop(draft)
    if failure.phase is not None:
        draft.emit(EventType.PHASE_FAILED, phase=failure.phase, code=failure.code, message=failure.message)
        draft.end_phase(PhaseState.FAILED, failure.message)
    fail_instance(draft, failure)


def _stop(draft: Draft) -> None:
    """Take the attempt away, forget what is waited for, and have the children of the phase ended."""
    attempt, fan_out = draft.instance.attempt, draft.instance.fan_out
    if attempt is not None:
        draft.attempts.append(CancelAttempt(attempt_id=attempt.attempt_id, ended_at=draft.now))
    draft.change(attempt=None, gate=None)
    for kind in (TimerKind.RETRY, TimerKind.GATE_EXPIRY):
        draft.set_timer(kind, None)
    if fan_out is not None and fan_out.alive:
        draft.continue_self(ContinuationKind.END_OVERDUE_CHILDREN)
