"""The heart: `decide` says what a request does to an instance. Total, pure, and about one instance only."""

from dataclasses import replace
from datetime import datetime

from .advance import advance, begin, reopen_phase
from .attempt_rules import attempt_failed, attempt_lost, attempt_started, attempt_succeeded
from .children_rules import (
    cannot_resume,
    children_ended,
    fan_out_due,
    resume_through_children,
)
from .deadline_rules import deadline_due
from .deadlines import arm_instance_deadline
from .decision import CancelAttempt, ContinuationKind, Decision, Refusal, TimerKind
from .definition import Definition
from .draft import Draft
from .events import EventType
from .gate_rules import answer_gate, gate_expiry_due, misfit, waiver_found
from .gates import arm_gate_expiry, look_for_waiver
from .hook_rules import hooks_answered
from .hooks import NO_HOOKS, HookPlan
from .instance import FINAL, Instance, Status, WaitingReason
from .quota_rules import CANNOT_BE_RAISED, budget_exhausted
from .requests import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptSucceeded,
    CacheLookedUp,
    ChildrenEnded,
    FanOutDue,
    GateExpiryDue,
    HookVerdicts,
    InstanceDeadlineDue,
    ParentOverdue,
    Pause,
    PhaseDeadlineDue,
    Request,
    Resume,
    RetryDue,
    Terminate,
    Trigger,
    WaiverFound,
    principal_of,
)
from .reuse_rules import cache_looked_up
from .undo_rules import terminate_instance
from .usage import NOTHING_KNOWN, Used


def decide(
    definition: Definition,
    instance: Instance,
    request: Request,
    now: datetime,
    used: Used = NOTHING_KNOWN,
    hooks: HookPlan = NO_HOOKS,
) -> Decision | Refusal:
    """Return the whole transition that `request` makes at `now`, or why there is none.

    `used` is what is known of the limits it is under; `hooks` says which are in force, none is called here.
    """
    draft = Draft(definition, instance, principal_of(request), now, used, hooks)
    refusal = _apply(draft, instance, request)
    return refusal if refusal is not None else draft.finish()


def _apply(draft: Draft, instance: Instance, request: Request) -> Refusal | None:  # the table
    match request:
        case Trigger():
            return _trigger(draft, instance, request)
        case Pause():
            return _pause(draft, instance)
        case Resume():
            return _resume(draft, instance)
        case Terminate():
            return _terminate(draft, instance, request)
        case AttemptStarted() | AttemptSucceeded() | AttemptFailed() | AttemptLost():
            return _reported(draft, request)
        case RetryDue():
            return _retry_due(draft, instance)
        case GateExpiryDue():
            return gate_expiry_due(draft, instance)
        case PhaseDeadlineDue() | InstanceDeadlineDue() | ParentOverdue():
            return deadline_due(draft, instance, request)
        case WaiverFound():
            return waiver_found(draft, request)
        case ChildrenEnded():
            return children_ended(draft, request)
        case FanOutDue():
            return fan_out_due(draft)
        case HookVerdicts():
            return hooks_answered(draft, request)
        case CacheLookedUp():
            return cache_looked_up(draft, request)


def _reported(
    draft: Draft, request: AttemptStarted | AttemptSucceeded | AttemptFailed | AttemptLost
) -> Refusal | None:
    match request:
        case AttemptStarted():
            return attempt_started(draft, request)
        case AttemptSucceeded():
            return attempt_succeeded(draft, request)
        case AttemptFailed():
            return attempt_failed(draft, request)
        case AttemptLost():
            return attempt_lost(draft, request)


def _trigger(draft: Draft, instance: Instance, request: Trigger) -> Refusal | None:
    if instance.status in FINAL:
        return Refusal(code="already_ended", message=f"the instance is {instance.status}; start a new one")
    if instance.compensated:
        return Refusal(code="compensated", message="what it did was undone; start a new one")
    if instance.paused:
        return Refusal(code="paused", message="the instance is paused; resume it first")
    at_gate = instance.waiting_reason is WaitingReason.APPROVAL
    if request.decision is not None and not at_gate:
        message = f"no gate is waiting: the instance is {_standing(instance)}"
        return Refusal(code="no_gate_waiting", message=message)
    refusal = _check_data(draft, instance, request)
    if refusal is not None:
        return refusal
    draft.emit(
        EventType.STEP_TRIGGERED,
        phase=instance.phase,
        trigger_data=request.data,
        decision=request.decision,
        reason=request.reason,
        anew=request.anew or None,
    )
    if request.anew:
        draft.change(anew=True)
    if not at_gate:  # there it counts only once people agree
        draft.merge_trigger(request.data)
    return _go_on(draft, instance, request)


def _go_on(draft: Draft, instance: Instance, request: Trigger) -> Refusal | None:
    """Follow the table of states in `docs/reference/states.md` for a trigger."""
    match instance.status, instance.waiting_reason:
        case Status.CREATED, _:
            begin(draft)
        case Status.FAILED, _:
            if request.data and instance.fan_out is not None:
                message = "its children were started from the data there was; resume it without new data"
                return Refusal(code="children_started", message=message)
            return _resume_failed(draft, request)
        case Status.WAITING, WaitingReason.TRIGGER:
            draft.change_record(triggered=True)
            advance(draft)
        case Status.WAITING, WaitingReason.APPROVAL:
            return answer_gate(draft, request)
        case Status.WAITING, WaitingReason.RETRY:
            draft.set_timer(TimerKind.RETRY, None)
            advance(draft)
        case Status.WAITING, WaitingReason.BUDGET:
            exhausted = budget_exhausted(draft)
            if exhausted is not None:
                message = f"the budget is exhausted: {exhausted}; {CANNOT_BE_RAISED}"
                return Refusal(code="budget_exhausted", message=message)
            advance(draft)
        case _:
            return Refusal(code="busy", message=f"the instance is {_standing(instance)}")
    return None


def _check_data(draft: Draft, instance: Instance, request: Trigger) -> Refusal | None:
    if instance.phase is None or instance.status is not Status.WAITING:
        return None
    if instance.waiting_reason is not WaitingReason.TRIGGER:
        return None
    return misfit(request.data, draft.phase.trigger_schema)


def _resume_failed(draft: Draft, request: Trigger) -> Refusal | None:
    failure = draft.instance.failure
    draft.change(failure=None, ended_at=None)
    draft.emit(EventType.INSTANCE_RESUMED, phase=draft.instance.phase, from_status="failed")
    if not draft.instance.is_undoing:
        arm_instance_deadline(draft)
    if draft.instance.phase is None:  # it failed at birth, and its context never changes
        message = failure.message if failure else "it failed before its first phase"
        return cannot_resume(draft, request.principal, "invalid_parameters", message)
    if draft.instance.fan_out is not None:
        return resume_through_children(draft, request.principal)
    if failure is None or failure.phase is not None:  # else it failed between two phases
        reopen_phase(draft)
    advance(draft)
    return None


def _pause(draft: Draft, instance: Instance) -> Refusal | None:
    if instance.ended:
        return Refusal(code="already_ended", message=f"the instance is {instance.status}")
    if instance.paused:
        return Refusal(code="paused", message="the instance is paused already")
    draft.change(paused=True)
    if instance.attempt is not None and not instance.attempt.started:
        draft.attempts.append(CancelAttempt(attempt_id=instance.attempt.attempt_id, ended_at=draft.now))
        draft.change(attempt=None)
    draft.set_timer(TimerKind.GATE_EXPIRY, None)
    if instance.gate is not None:
        draft.change(gate=replace(instance.gate, expires_at=None))
    draft.emit(EventType.INSTANCE_PAUSED, phase=instance.phase)
    if instance.descendants:
        draft.continue_self(ContinuationKind.PAUSE_CHILDREN)
    return None


def _resume(draft: Draft, instance: Instance) -> Refusal | None:
    if not instance.paused:
        return Refusal(code="not_paused", message=f"the instance is not paused but {_standing(instance)}")
    draft.lift_pause()
    if instance.waiting_reason is WaitingReason.APPROVAL:
        arm_gate_expiry(draft)
        look_for_waiver(draft)
    if instance.status in (Status.RUNNING, Status.COMPENSATING) and instance.attempt is None:
        advance(draft)
    elif instance.waiting_reason is WaitingReason.CHILDREN:
        fan_out_due(draft)
    return None


def _terminate(draft: Draft, instance: Instance, request: Terminate) -> Refusal | None:
    if instance.status in FINAL:
        return Refusal(code="already_ended", message=f"the instance is {instance.status} already")
    return terminate_instance(draft, request)


def _retry_due(draft: Draft, instance: Instance) -> Refusal | None:
    if instance.waiting_reason is not WaitingReason.RETRY:
        return Refusal(code="stale", message="no retry is waiting", stale=True)
    draft.set_timer(TimerKind.RETRY, None)
    advance(draft)
    return None


def _standing(instance: Instance) -> str:
    """Where the instance stands, in words for a person."""
    if instance.status is Status.WAITING:
        return f"waiting for {instance.waiting_reason}: {instance.waiting_detail}"
    if instance.attempt is not None:
        return f"{instance.status} phase {instance.phase} (attempt {instance.attempt.number})"
    return str(instance.status)
