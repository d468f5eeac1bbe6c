"""How an instance is ended with all undone that it did: its children first, then its own phases."""

from .advance import await_undone, fail_instance, go_back, undo
from .compensation import undo_steps
from .decision import CancelAttempt, ContinuationKind, Refusal
from .draft import Draft
from .fan_out import failed_children, has_stuck_child, stuck_children
from .instance import Status, Undoing, WaitingReason
from .requests import Terminate


def terminate_instance(draft: Draft, request: Terminate) -> Refusal | None:
    """End the instance for good; with `compensate` only once what it and its children did is undone."""
    instance = draft.instance
    if request.compensate and instance.is_undoing and instance.status is not Status.FAILED:
        if instance.paused:
            return Refusal(
                code="paused", message="what it did is being undone, but that is paused; resume it"
            )
        return Refusal(code="busy", message="what it did is being undone already")
    if instance.attempt is not None:
        draft.attempts.append(CancelAttempt(attempt_id=instance.attempt.attempt_id, ended_at=draft.now))
    reason = request.reason or f"terminated by {request.principal}"
    if not request.compensate or instance.compensated or not _anything_to_undo(draft):
        draft.terminate(reason)
        return None
    failure = instance.failure if instance.undoing is None else instance.undoing.failure
    if instance.paused:
        draft.lift_pause()
    undo(draft, Undoing(goal="terminated", reason=reason, failure=failure))
    return None


def ask_children(draft: Draft) -> None:
    """Have the children of the current phase undo what they did, those that failed too, and wait for them."""
    await_undone(draft)
    if draft.instance.waiting_reason is WaitingReason.CHILDREN:
        draft.continue_self(ContinuationKind.TERMINATE_CHILDREN)


def children_ended_undone(draft: Draft) -> None:
    """Once all children ended, undo what the instance did itself; a child that could not holds that up."""
    fan_out, left = draft.instance.fan_out, failed_children(draft.instance)
    assert fan_out is not None
    if fan_out.alive:
        return
    stuck = stuck_children(draft.instance)
    if stuck is not None:
        fail_instance(draft, stuck)
    elif left:  # they failed before they were asked to undo
        ask_children(draft)
    else:
        go_back(draft)


def _anything_to_undo(draft: Draft) -> bool:
    own = bool(undo_steps(draft.definition, draft.instance))
    return own or _children_to_undo(draft) or has_stuck_child(draft.instance)


def _children_to_undo(draft: Draft) -> bool:
    fan_out = draft.instance.fan_out
    return fan_out is not None and (fan_out.alive > 0 or bool(failed_children(draft.instance)))
