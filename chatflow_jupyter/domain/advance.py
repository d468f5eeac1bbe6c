"""Moving forward: from where an instance stands to the next thing it must wait for."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from .compensation import begin_undoing, end_undone, is_step, undo_steps, undone_phase
from .conditions import Truth, evaluate
from .deadlines import arm_instance_deadline, arm_phase_deadline
from .decision import QueueAttempt, TimerKind
from .definition import END, Definition, Phase, Retries
from .draft import Draft
from .events import EventType
from .fan_out import begin_fan_out, counted, had_children, reopen_failures, stuck_children
from .gates import pass_gate
from .hook_points import ask_hooks, hooks_due
from .ids import attempt_id
from .instance import (
    CurrentAttempt,
    Failure,
    Instance,
    PhaseRecord,
    PhaseState,
    Undoing,
    WaitingReason,
)
from .json_values import JsonObject, JsonValue
from .quota_rules import budget_exhausted, left_sec
from .references import resolve
from .reuse import keep_outcome, look_for_outcome, must_look

MAX_BACKOFF_SEC = 3600.0
NEVER_RETRIED = frozenset(
    {
        "bad_notebook",
        "no_such_kernel",
        "invalid_outputs",
        "invalid_parameters",
        "invalid_children",
        "quota_exceeded",
        "too_deep",
        "cancelled",
        "artifact_refused",
        "hook_failed",
    }
)


def advance(draft: Draft) -> None:
    """Go on until the instance ends, waits, has an attempt queued, or is paused."""
    draft.run()
    while not draft.instance.paused:
        if draft.instance.phase is None:
            _enter(draft, draft.definition.following(None))
        elif draft.record.state is not PhaseState.ACTIVE:
            _enter(draft, successor(draft.definition, draft.instance))
        elif not _step(draft):
            return
        if draft.instance.ended:
            return


def begin(draft: Draft, phase: str | None = None) -> None:
    """Start the instance, whose time runs from now, at `phase` or else at its first one."""
    draft.change(started_at=draft.now)
    draft.emit(EventType.INSTANCE_STARTED)
    arm_instance_deadline(draft)
    if phase is None:
        advance(draft)
    else:
        go_to(draft, phase)


def go_to(draft: Draft, name: str) -> None:
    """Leave the current phase, which has ended, for a later one that is not its successor, and go on."""
    _enter(draft, None if name == END else name)
    if not draft.instance.ended:
        advance(draft)


def fail_phase(draft: Draft, failure: Failure) -> None:
    """Give the current phase up: go to its fallback, or fail the instance."""
    phase = draft.phase
    draft.emit(
        EventType.PHASE_FAILED,
        phase=phase.name,
        code=failure.code,
        message=failure.message,
        cell_index=failure.cell_index,
        fallback=phase.fallback,
    )
    draft.change(attempt=None)
    draft.end_phase(PhaseState.FAILED, failure.message)
    if phase.fallback is None:
        fail_instance(draft, failure)
        return
    draft.leave_children()
    advance(draft)


def reopen_phase(draft: Draft) -> None:
    """Make the failed phase active again, with its retries before it."""
    draft.change_record(state=PhaseState.ACTIVE, failures=0, lost=0, cut_off=0, ended_at=None, reason=None)
    arm_phase_deadline(draft)


def fail_instance(draft: Draft, failure: Failure) -> None:
    """End as failed; undo first what was done, where the definition says so and something is to be undone."""
    instance = draft.instance
    if instance.is_undoing:
        message = f"{failure.message} [{failure.code}]"
        draft.fail(replace(failure, code="compensation_failed", message=message))
    elif draft.definition.on_failure == "compensate" and undo_steps(draft.definition, instance):
        undo(draft, Undoing(goal="failed", reason=failure.message, failure=failure))
    else:
        draft.fail(failure)


def undo(draft: Draft, undoing: Undoing) -> None:
    """Begin to undo, wherever the instance stands: the children of its phase first, then what it did itself.

    While some of them live, or when a person ends all, those that failed are asked as well, and those that
    could not undo once more. An instance that failed by itself asks nobody: its children have ended, each as
    its own definition says, and one that could not undo needs a person.
    """
    begin_undoing(draft, undoing)
    fan_out, stuck = draft.instance.fan_out, stuck_children(draft.instance)
    if fan_out is not None and (fan_out.alive or undoing.goal == "terminated"):
        await_undone(draft)
    elif stuck is not None:
        fail_instance(draft, stuck)
    else:
        go_back(draft)


def await_undone(draft: Draft) -> None:
    """Wait until the children of the current phase, also those that failed, are undone; then go back."""
    reopen_failures(draft)
    fan_out = draft.instance.fan_out
    assert fan_out is not None
    if fan_out.alive == 0:
        go_back(draft)
        return
    draft.wait(WaitingReason.CHILDREN, f"{counted(fan_out.alive)} of phase {draft.phase.name} to be undone")


def go_back(draft: Draft) -> None:
    """Leave the phase the instance stands in, or take up the step it failed in, and go on undoing."""
    undoing, name, record = draft.instance.undoing, draft.phase.name, draft.record
    assert undoing is not None
    if is_step(name):
        reopen_phase(draft)
    elif record.state is PhaseState.ACTIVE:
        began = record.attempts > 0 or had_children(draft.instance, name)
        draft.end_phase(PhaseState.FAILED if began else PhaseState.SKIPPED, undoing.reason)
    advance(draft)


def retry_or_fail(draft: Draft, failure: Failure) -> None:
    """After a failed attempt: schedule the next one, or give the phase up."""
    retries, record = draft.phase.retries, draft.record
    draft.change(attempt=None)
    draft.change_record(failures=record.failures + 1)
    if not _may_retry(retries, failure.code, record.failures + 1):
        fail_phase(draft, failure)
        return
    delay_sec = min(retries.backoff_sec * 2**record.failures, MAX_BACKOFF_SEC)
    due_at = draft.now + timedelta(seconds=delay_sec)
    draft.emit(
        EventType.RETRY_SCHEDULED,
        phase=draft.phase.name,
        code=failure.code,
        message=failure.message,
        due_at=due_at.isoformat(),
        next_attempt=record.attempts + 1,
    )
    if delay_sec == 0:
        advance(draft)
        return
    draft.set_timer(TimerKind.RETRY, due_at)
    draft.wait(WaitingReason.RETRY, f"{failure.code}; again at {due_at.isoformat(timespec='seconds')}")


def _enter(draft: Draft, name: str | None) -> None:
    if name is None:
        end_undone(draft) if draft.instance.is_undoing else draft.complete()
        return
    phase = draft.definition.phase(name)
    verdict = None if phase.when is None else evaluate(phase.when, draft.instance.view)
    draft.leave_children()
    draft.change(phase=name)
    asks_nobody = draft.instance.is_undoing
    record = PhaseRecord(state=PhaseState.ACTIVE, approved=asks_nobody, started_at=draft.now)
    draft.change(phases={**draft.instance.phases, name: record})
    if verdict is not None and verdict.truth is not Truth.TRUE:
        reason = "its condition is false"
        if verdict.truth is Truth.UNKNOWN:
            reason = f"its condition is unknown: {', '.join(verdict.unknown_fields)}"
        draft.end_phase(PhaseState.SKIPPED, reason)
        draft.emit(EventType.PHASE_SKIPPED, phase=name, reason=reason)
    else:
        arm_phase_deadline(draft)


def successor(definition: Definition, instance: Instance) -> str | None:
    """Return where the ended phase leads; the routes of a phase that did not run are not its own to take."""
    if instance.is_undoing:
        return next(iter(undo_steps(definition, instance)), None)
    assert instance.phase is not None
    phase = definition.phase(instance.phase)
    state = instance.phases[phase.name].state
    if state is PhaseState.FAILED and phase.fallback is not None:
        return phase.fallback
    if state is PhaseState.SKIPPED:
        return definition.following(phase.name)
    for route in phase.next:
        if route.when is None or evaluate(route.when, instance.view).truth is Truth.TRUE:
            return None if route.to == END else route.to
    return definition.following(phase.name)


def _step(draft: Draft) -> bool:
    """Take the active phase one step further; False when it has to wait."""
    phase, record = draft.phase, draft.record
    if phase.waits_for_trigger and not record.triggered:
        draft.wait(WaitingReason.TRIGGER, f"a trigger for phase {phase.name}")
        return False
    point = hooks_due(draft)
    if point is not None:
        ask_hooks(draft, point)
        return False
    if record.unjudged:  # no hook is in force any more that would look at it
        finish_notebook(draft, duration_sec=record.ran_sec, risk=draft.instance.reported_risk or None)
        return False
    if not record.approved:
        return pass_gate(draft)
    if phase.notebook is not None and not record.notebook_done:
        if must_look(draft):
            look_for_outcome(draft)
            return False
        return _queue(draft, phase.notebook)
    if (phase.children is not None or draft.instance.spawned) and draft.instance.fan_out is None:
        failure = begin_fan_out(draft)
        if failure is not None:
            fail_phase(draft, failure)
            return False
    fan_out = draft.instance.fan_out
    if fan_out is not None and fan_out.total:
        draft.wait(WaitingReason.CHILDREN, f"{counted(fan_out.total)} of phase {phase.name}")
        return False
    succeed_phase(draft)
    return True


def succeed_phase(draft: Draft, **data: JsonValue) -> None:
    """Close the current phase as succeeded and say so."""
    draft.end_phase(PhaseState.SUCCEEDED)
    draft.leave_children()
    draft.emit(EventType.PHASE_SUCCEEDED, phase=draft.phase.name, **data)
    if draft.instance.is_undoing:
        draft.emit(EventType.PHASE_COMPENSATED, phase=undone_phase(draft.phase.name))


def _queue(draft: Draft, notebook: str) -> bool:
    phase, instance = draft.phase, draft.instance
    exhausted = budget_exhausted(draft)
    if exhausted is not None:
        draft.wait(WaitingReason.BUDGET, exhausted)
        return False
    try:
        parameters = parameters_of(phase, instance)
    except LookupError as error:
        fail_phase(
            draft, Failure(code="invalid_parameters", message=f"parameters: {error}", phase=phase.name)
        )
        return False
    number = draft.record.attempts + 1
    draft.change_record(attempts=number)
    current = attempt_id(instance.instance_id, phase.name, number)
    draft.change(attempt=CurrentAttempt(attempt_id=current, number=number))
    draft.attempts.append(
        QueueAttempt(
            attempt_id=current,
            phase=phase.name,
            number=number,
            notebook=notebook,
            kernel=phase.kernel,
            parameters=parameters,
            timeout_sec=_timeout_sec(phase, draft),
            queued_at=draft.now,
            run_as=phase.run_as,
        )
    )
    draft.run()
    draft.emit(EventType.PHASE_QUEUED, phase=phase.name)
    return False


def parameters_of(phase: Phase, instance: Instance) -> JsonObject:
    """Return what the next attempt of `phase` gets; raises `LookupError` for a variable there is not."""
    own = resolve(phase.parameters, instance.view)
    assert isinstance(own, Mapping)
    record = instance.phases[phase.name]
    said = record.clearance
    amended = said.parameters if said and said.attempt == record.attempts + 1 else {}
    return {**instance.context, **own, **amended}


def finish_notebook(draft: Draft, *, duration_sec: float | None, risk: int | None) -> None:
    """Count what the current phase's notebook handed over, and go on."""
    phase, instance = draft.phase, draft.instance
    draft.change_record(notebook_done=True, unjudged=False, origin=phase.run_as)
    if phase.children is None and not instance.spawned:
        outputs = instance.variables[phase.name]
        keep_outcome(draft)
        succeed_phase(draft, outputs=outputs, duration_sec=duration_sec, risk=risk)
    advance(draft)


def _timeout_sec(phase: Phase, draft: Draft) -> float | None:
    left = left_sec(draft.instance, draft.used, draft.spent_sec)
    limits = [limit for limit in (phase.timeout_sec, left) if limit is not None]
    return min(limits) if limits else None


def _may_retry(retries: Retries, code: str, failures: int) -> bool:
    wanted = code not in NEVER_RETRIED if retries.on is None else code in retries.on
    return wanted and failures < retries.max_attempts
