"""What a child that ended tells its parent, and what a parent's note means for each of its children."""

from typing import Literal

from chatflow_jupyter.domain.decision import ContinuationKind, TimerKind
from chatflow_jupyter.domain.fan_out import has_stuck_child, is_awaited, is_reopened
from chatflow_jupyter.domain.ids import ENGINE_PRINCIPAL
from chatflow_jupyter.domain.instance import Instance, PhaseState, Status, WaitingReason
from chatflow_jupyter.domain.requests import (
    ChildResult,
    GateExpiryDue,
    InstanceDeadlineDue,
    ParentOverdue,
    Pause,
    PhaseDeadlineDue,
    Request,
    Resume,
    RetryDue,
    Terminate,
    TimerRequest,
    Trigger,
)


def result_of(child: Instance) -> ChildResult:
    """Return what an ended child tells its parent."""
    assert child.parent is not None
    outcome = {name: value for name, value in child.variables.items() if name not in ("trigger", "children")}
    return ChildResult(
        instance_id=child.instance_id,
        phase=child.parent.phase,
        key=child.parent.key,
        status=child.status,
        outcome=outcome,
        spent_sec=child.spent_sec,
        descendants=child.descendants,
        seq=child.seq,
        compensation=_compensation_of(child),
    )


def _compensation_of(child: Instance) -> Literal["done", "failed"] | None:
    """Return how far it came in undoing; it came no further than the children it failed with."""
    if child.compensated:
        return "done"
    failed = child.status is Status.FAILED
    return "failed" if failed and (child.is_undoing or has_stuck_child(child)) else None


def _is_awaited(parent: Instance, child: Instance) -> bool:
    """Whether the parent was resumed for this child and has not seen it end since: else the note is old."""
    waits = parent.waiting_reason is WaitingReason.CHILDREN
    return waits and child.parent is not None and is_reopened(parent, child.parent.key)


def _is_to_undo(parent: Instance, child: Instance) -> bool:
    """Whether the child, too, has to undo what it did: it lives, or its parent does nothing before it has."""
    lives = not (child.ended or child.is_undoing)
    return parent.is_undoing and (lives or _waits_for_its_undoing(parent, child))


def _waits_for_its_undoing(parent: Instance, child: Instance) -> bool:
    waits = parent.waiting_reason is WaitingReason.CHILDREN
    here = child.parent is not None and child.parent.phase == parent.phase
    return waits and here and child.parent is not None and is_awaited(parent, child.parent.key)


def _pause_like(parent: Instance, child: Instance) -> Request | None:
    """Return what makes the child as paused as its parent is now, whichever note says to look."""
    if parent.paused and not child.paused and not child.ended:
        return Pause(principal=ENGINE_PRINCIPAL)
    if child.paused and not parent.paused:
        return Resume(principal=ENGINE_PRINCIPAL)
    return None


def _end_below_undone(child: Instance) -> Request | None:
    """Return what ends a child whose parent is undone: never what would give up an undoing for good."""
    if child.is_undoing:  # it is on its way back, or a person has to help it there
        return None
    left = not child.ended or _compensation_of(child) == "failed"
    return Terminate(principal=ENGINE_PRINCIPAL, reason="its parent was undone", compensate=left)


def _end_overdue(parent: Instance, child: Instance) -> Request | None:
    """Return what ends a child of a phase that a deadline ended, unless that phase was resumed since."""
    record = None if child.parent is None else parent.phases.get(child.parent.phase)
    over = record is not None and record.state is PhaseState.FAILED
    lives = not (child.ended or child.is_undoing)
    return ParentOverdue() if over and lives and parent.undoing is None else None


def request_for_timer(kind: TimerKind) -> TimerRequest:
    """Return what a timer that is due asks of its instance."""
    match kind:
        case TimerKind.RETRY:
            return RetryDue()
        case TimerKind.GATE_EXPIRY:
            return GateExpiryDue()
        case TimerKind.PHASE_DEADLINE:
            return PhaseDeadlineDue()
        case TimerKind.INSTANCE_DEADLINE:
            return InstanceDeadlineDue()


def request_for_child(kind: ContinuationKind, parent: Instance, child: Instance) -> Request | None:
    """Return what the parent's note means for this child, or None when it no longer applies."""
    match kind:
        case ContinuationKind.PAUSE_CHILDREN | ContinuationKind.RESUME_CHILDREN:
            return _pause_like(parent, child)
        case ContinuationKind.TERMINATE_CHILDREN if parent.compensated:
            return _end_below_undone(child)
        case ContinuationKind.TERMINATE_CHILDREN if parent.status is Status.TERMINATED:
            return Terminate(principal=ENGINE_PRINCIPAL, reason="its parent was terminated")
        case ContinuationKind.TERMINATE_CHILDREN if _is_to_undo(parent, child):
            return Terminate(principal=ENGINE_PRINCIPAL, reason="its parent is undone", compensate=True)
        case ContinuationKind.RETRY_CHILDREN if child.status is Status.FAILED and _is_awaited(parent, child):
            return Trigger(principal=ENGINE_PRINCIPAL, anew=parent.anew)
        case ContinuationKind.END_OVERDUE_CHILDREN:
            return _end_overdue(parent, child)
        case _:
            return None
