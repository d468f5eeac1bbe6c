"""What a runner's report does to the instance whose attempt it holds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from .advance import advance, fail_phase, finish_notebook, retry_or_fail
from .decision import EndAttempt, Refusal, StartAttempt
from .draft import Draft
from .errors import InvalidInput
from .events import EventType
from .gate_rules import approval_is_void
from .hook_points import ask_hooks, looks_behind, tell_processed
from .ids import AttemptId
from .instance import Failure, HookPoint
from .json_schema import check_value
from .json_values import JsonObject, check_json
from .quota_rules import budget_exhausted
from .report_sizes import outcome_size_fault
from .requests import AttemptFailed, AttemptLost, AttemptStarted, AttemptSucceeded
from .spawn_rules import spawn_failure

MAX_LOST_ATTEMPTS = 3
MAX_CUT_OFF_ATTEMPTS = 10


def attempt_started(draft: Draft, request: AttemptStarted) -> Refusal | None:
    """Note that the lease is held and the notebook begins."""
    stale = _stale(draft, request.attempt_id)
    if stale is not None:
        return stale
    current = draft.instance.attempt
    assert current is not None
    if current.started:
        return Refusal(code="stale", message="the attempt has started already", stale=True)
    if approval_is_void(draft, request) or _too_late(draft, request):
        return None
    draft.change(attempt=replace(current, started=True))
    draft.attempts.append(
        StartAttempt(attempt_id=request.attempt_id, fence=request.fence, started_at=draft.now)
    )
    draft.emit(EventType.PHASE_STARTED, phase=draft.phase.name, runner_id=request.runner_id)
    return None


def attempt_succeeded(draft: Draft, request: AttemptSucceeded) -> Refusal | None:
    """Keep the outcome of a notebook that ran to its end, and go on."""
    stale = _stale(draft, request.attempt_id)
    if stale is not None:
        return stale
    phase = draft.phase
    draft.spend(request.duration_sec)
    tell_processed(draft, request.processed)
    failure = _outcome_failure(draft, request)
    if failure is not None:
        draft.change_record(ran_sec=round(request.duration_sec, 3))  # it ran, whatever is thought of it
        _end(draft, request.attempt_id, request.fence, "failed", failure)
        retry_or_fail(draft, failure)
        return None
    _end(draft, request.attempt_id, request.fence, "succeeded")
    draft.change(
        attempt=None,
        reported_risk=request.risk or 0,
        variables={**draft.instance.variables, phase.name: request.outputs},
        spawned=request.spawned,
    )
    draft.ask_for(len(request.spawned))
    draft.change_record(risk=request.risk or 0)
    duration_sec = round(request.duration_sec, 3)
    if looks_behind(draft):
        draft.change_record(ran_sec=duration_sec, unjudged=True)
        ask_hooks(draft, HookPoint.AFTER)
        return None
    finish_notebook(draft, duration_sec=duration_sec, risk=request.risk)
    return None


def attempt_failed(draft: Draft, request: AttemptFailed) -> Refusal | None:
    """Retry, fall back or fail after a notebook that did not run to its end."""
    stale = _stale(draft, request.attempt_id)
    if stale is not None:
        return stale
    failure = replace(request.failure, phase=draft.phase.name)
    tell_processed(draft, request.processed)
    draft.spend(request.duration_sec)
    draft.change(reported_risk=request.risk or 0)
    draft.change_record(risk=request.risk or 0)
    exhausted = budget_exhausted(draft) if failure.code == "timeout" else None
    if exhausted is not None:
        failure = replace(failure, message=f"{failure.message}; {exhausted}")
    if failure.code == "artifact_refused":  # that is found out behind a notebook that ran to its end
        draft.change_record(ran_sec=round(request.duration_sec, 3))
    _end(draft, request.attempt_id, request.fence, "failed", failure)
    retry_or_fail(draft, failure)
    return None


def attempt_lost(draft: Draft, request: AttemptLost) -> Refusal | None:
    """Run the phase again because its runner is gone, but not for ever.

    A person who kills the process cannot be told from a phase that does, except that people tire of it; a
    phase that had not begun has done nothing.
    """
    stale = _stale(draft, request.attempt_id)
    if stale is not None:
        return stale
    current, record = draft.instance.attempt, draft.record
    assert current is not None
    lost = record.lost + (request.counts_as == "runner")
    cut_off = record.cut_off + (request.counts_as == "process" and current.started)
    _end(draft, request.attempt_id, request.fence, "lost")
    draft.emit(EventType.ATTEMPT_LOST, phase=draft.phase.name, cause=request.cause)
    draft.change(attempt=None)
    draft.change_record(lost=lost, cut_off=cut_off)
    seen = None
    if lost >= MAX_LOST_ATTEMPTS:
        seen = f"the runner was lost {lost} times in this phase, last: {request.cause}"
    elif cut_off >= MAX_CUT_OFF_ATTEMPTS:
        seen = (
            f"{cut_off} times the process that ran this phase ended before it did, last: {request.cause}; "
            "does the phase end it? If not, retry it"
        )
    if seen is not None:
        fail_phase(draft, Failure(code="runner_lost", message=seen, phase=draft.phase.name))
    else:
        advance(draft)
    return None


def _too_late(draft: Draft, request: AttemptStarted) -> bool:
    """Wait instead when others under the same limit have used up the time since the attempt was queued."""
    if budget_exhausted(draft) is None:
        return False
    _end(draft, request.attempt_id, request.fence, "cancelled")
    draft.change(attempt=None)
    advance(draft)
    return True


def _stale(draft: Draft, attempt: AttemptId) -> Refusal | None:
    current = draft.instance.attempt
    if current is None or current.attempt_id != attempt:
        message = f"attempt {attempt} has ended or was replaced"
        return Refusal(code="stale_fence", message=message, stale=True)
    return None


def _end(
    draft: Draft,
    attempt: AttemptId,
    fence: int,
    status: Literal["succeeded", "failed", "lost", "cancelled"],
    failure: Failure | None = None,
) -> None:
    draft.attempts.append(
        EndAttempt(
            attempt_id=attempt,
            fence=fence,
            status=status,
            ended_at=draft.now,
            failure=failure,
        )
    )


def _outcome_failure(draft: Draft, request: AttemptSucceeded) -> Failure | None:
    fault = _outcome_fault(request.outputs, draft.phase.outputs)
    if fault is not None:
        return Failure(code="invalid_outputs", message=fault, phase=draft.phase.name)
    return spawn_failure(draft, request.spawned)


def _outcome_fault(outputs: JsonObject, schema: Mapping[str, object] | None) -> str | None:
    try:
        check_json(outputs, what="outputs")
    except InvalidInput as error:
        return error.message
    fault = outcome_size_fault(outputs)
    if fault is not None or schema is None:
        return fault
    try:
        check_value(outputs, schema, what="outputs")  # type: ignore[arg-type]  # a JSON Schema, checked at load
    except InvalidInput as error:
        return error.message
    return None
