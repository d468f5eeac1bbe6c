"""What the end of children does to their parent."""

from .advance import advance, fail_phase, reopen_phase, succeed_phase
from .decision import ContinuationKind, Refusal
from .draft import Draft
from .fan_out import children_over, count_results, counted, reopen_failures, start_more
from .ids import ENGINE_PRINCIPAL, Principal
from .instance import Failure, Status, WaitingReason
from .requests import ChildrenEnded
from .undo_rules import ask_children, children_ended_undone


def children_ended(draft: Draft, request: ChildrenEnded) -> Refusal | None:
    """Count the children that ended; start more, close the phase, or fail it."""
    instance = draft.instance
    results = [result for result in request.children if result.phase == instance.phase]
    if instance.fan_out is None or instance.status in (Status.COMPLETED, Status.TERMINATED) or not results:
        return Refusal(code="stale", message="no child of that phase is awaited", stale=True)
    if not count_results(draft, results):
        return Refusal(code="stale", message="these children were counted already", stale=True)
    _look_again(draft)
    return None


def fan_out_due(draft: Draft) -> Refusal | None:
    """Start the children an earlier commit had no room for."""
    if draft.instance.fan_out is None or draft.instance.waiting_reason is not WaitingReason.CHILDREN:
        return Refusal(code="stale", message="no children are awaited", stale=True)
    if draft.instance.paused:
        return Refusal(code="paused", message="the instance is paused", stale=True)
    _look_again(draft)
    return None


def resume_through_children(draft: Draft, principal: Principal) -> Refusal | None:
    """Resume a parent that failed through its children: they are resumed first."""
    fan_out = draft.instance.fan_out
    assert fan_out is not None
    if draft.instance.is_undoing:
        ask_children(draft)
        return None
    over = children_over(draft.instance)
    if over:
        message = f"{counted(over)} terminated or undone, which cannot be resumed"
        return cannot_resume(draft, principal, "child_terminated", message)
    reopen_phase(draft)
    reopened = reopen_failures(draft)
    detail = f"{counted(fan_out.total)} of phase {draft.phase.name}"
    draft.wait(WaitingReason.CHILDREN, detail)
    if reopened:
        draft.continue_self(ContinuationKind.RETRY_CHILDREN)
    _look_again(draft)
    return None


def cannot_resume(draft: Draft, principal: Principal, code: str, message: str) -> Refusal | None:
    """Refuse a person; but when the engine resumes a child, fail it again: its parent waits for an end."""
    if principal != ENGINE_PRINCIPAL:
        return Refusal(code=code, message=message)
    draft.fail(Failure(code=code, message=message, phase=draft.instance.phase))
    return None


def _look_again(draft: Draft) -> None:
    fan_out = draft.instance.fan_out
    assert fan_out is not None
    if draft.instance.waiting_reason is not WaitingReason.CHILDREN:
        return
    if draft.instance.is_undoing:
        children_ended_undone(draft)
        return
    offspring = draft.phase.offspring
    assert offspring is not None
    if fan_out.failed and offspring.on_failure == "fail":
        if fan_out.alive == 0:
            message = f"{fan_out.failed} of {counted(fan_out.total)} failed"
            fail_phase(draft, Failure(code="child_failed", message=message, phase=draft.phase.name))
    elif fan_out.started == fan_out.total and fan_out.alive == 0:
        succeed_phase(draft, children=fan_out.total, failed=fan_out.failed)
        advance(draft)
    elif not draft.instance.paused:
        start_more(draft)
