"""What the verdicts of hooks do to the instance that waits for them."""

from collections.abc import Mapping
from dataclasses import replace

from .advance import advance, fail_phase, finish_notebook, retry_or_fail
from .decision import Refusal
from .definition import Definition
from .draft import Draft
from .errors import InvalidInput
from .events import EventType
from .gates import risk_question
from .hooks import Amend, Ask, Broken, Deny, HookAnswer, Reject, SetRisk, verdict_fault
from .instance import Clearance, Failure, HookPoint, Instance, WaitingReason
from .json_schema import check_value
from .json_values import JsonObject, JsonValue
from .requests import HookVerdicts

_WORDS = {
    "Allow": "allow",
    "Deny": "deny",
    "Ask": "ask",
    "Amend": "amend",
    "SetRisk": "set_risk",
    "Accept": "accept",
    "Reject": "reject",
    "Broken": "broken",
}
MAX_CAUSE = 300


def hooks_answered(draft: Draft, request: HookVerdicts) -> Refusal | None:
    """Go on with the phase, ask people, or give the attempt up, as the hooks together want it."""
    if not _is_awaited(draft.instance, request):
        return Refusal(code="stale", message="these hooks are not waited for any more", stale=True)
    answers = [_checked(draft, request.asked.point, answer) for answer in request.answers]
    for answer in answers:
        _tell(draft, request, answer)
    failure, retryable = _failure(draft, request.asked.attempt, answers)
    if request.asked.point is HookPoint.BEFORE:
        _before(draft, request.asked.attempt, answers, failure)
    else:
        _after(draft, answers, failure, retryable=retryable)
    return None


def _is_awaited(instance: Instance, request: HookVerdicts) -> bool:
    return instance.waiting_reason is WaitingReason.HOOK and instance.hooks_asked == request.asked


def _checked(draft: Draft, point: HookPoint, answer: HookAnswer) -> HookAnswer:
    """Return the answer; one that cannot be used counts as none."""
    if isinstance(answer.verdict, Broken):
        return answer
    fault = verdict_fault(point, answer.verdict)
    if fault is None and isinstance(answer.verdict, Amend):
        fault = _misfit(draft.definition, draft.instance, answer.verdict.parameters)
    if fault is None:
        return answer
    return replace(answer, verdict=Broken(cause=" ".join(fault.split())[:MAX_CAUSE]))


def _misfit(definition: Definition, instance: Instance, amended: JsonObject) -> str | None:
    """Return why amended parameters that the definition declares do not fit, or None."""
    known = definition.parameters.get("properties")
    declared = {
        name: value for name, value in amended.items() if isinstance(known, Mapping) and name in known
    }
    if not declared:
        return None
    try:
        check_value({**instance.context, **declared}, definition.parameters, what="the parameters it amends")
    except InvalidInput as error:
        return error.message
    return None


def _tell(draft: Draft, request: HookVerdicts, answer: HookAnswer) -> None:
    """Put the verdict on record."""
    verdict = answer.verdict
    more: dict[str, JsonValue] = {}
    if isinstance(verdict, Broken):
        more = {"reason": verdict.cause, "policy": answer.policy}
    elif isinstance(verdict, Amend):
        more = {"reason": verdict.reason, "parameters": verdict.parameters}
    elif isinstance(verdict, SetRisk):
        more = {"reason": verdict.reason, "risk": verdict.risk}
    elif isinstance(verdict, Deny | Ask | Reject):
        more = {"reason": verdict.reason}
    draft.emit(
        EventType.HOOK_ANSWERED,
        phase=draft.phase.name,
        hook=answer.hook,
        point=str(request.asked.point),
        for_attempt=request.asked.attempt,
        verdict=_WORDS[type(verdict).__name__],
        **more,
    )


def _failure(draft: Draft, attempt: int, answers: list[HookAnswer]) -> tuple[Failure | None, bool]:
    """Return what the first hook that stops the attempt makes of it, and whether it may be tried again."""
    name = draft.phase.name
    for answer in answers:
        match answer.verdict:
            case Broken(cause=cause) if answer.policy == "closed":
                message = f"hook {answer.hook} failed: {cause}; mend or disable it, then retry"
                return Failure(code="hook_failed", message=message, phase=name), False
            case Deny(reason=reason):
                message = f"hook {answer.hook} denied attempt {attempt}: {reason}"
                return Failure(code="denied", message=message, phase=name), False
            case Reject(reason=reason, retryable=retryable):
                message = f"hook {answer.hook} rejected attempt {attempt}: {reason}"
                return Failure(code="rejected_by_hook", message=message, phase=name), retryable
            case _:
                continue
    return None, False


def _before(draft: Draft, attempt: int, answers: list[HookAnswer], failure: Failure | None) -> None:
    if failure is not None:
        fail_phase(draft, failure)
        return
    asks = [f"hook {one.hook} asks: {one.verdict.reason}" for one in answers if isinstance(one.verdict, Ask)]
    amended: dict[str, JsonValue] = {}
    for one in answers:
        if isinstance(one.verdict, Amend):
            amended.update(one.verdict.parameters)
    said = Clearance(
        attempt=attempt, question="; ".join(asks) or None, risk=_risk(answers), parameters=amended
    )
    earlier = draft.record.clearance or Clearance(attempt=0)
    draft.change_record(clearance=said)
    if _must_ask_again(draft, said, earlier):
        draft.change_record(approved=False, gate=None)
    advance(draft)


def _must_ask_again(draft: Draft, said: Clearance, earlier: Clearance) -> bool:
    """Whether an approval given for an earlier attempt does not cover what the hooks say about this one."""
    if said.question is not None and said.question != earlier.question:
        return True
    return said.risk > earlier.risk and risk_question(draft.phase, draft.instance) is not None


def _after(draft: Draft, answers: list[HookAnswer], failure: Failure | None, *, retryable: bool) -> None:
    reported = draft.instance.reported_risk
    risk = max(reported, _risk(answers))
    draft.change(reported_risk=risk)
    draft.change_record(risk=risk)
    if failure is None:
        finish_notebook(draft, duration_sec=draft.record.ran_sec, risk=risk or None)
        return
    if failure.code == "hook_failed":  # what was handed over waits for the hooks to be asked once more
        fail_phase(draft, failure)
        return
    draft.leave_children()
    draft.change_record(unjudged=False)
    if retryable:
        retry_or_fail(draft, failure)
    else:
        fail_phase(draft, failure)


def _risk(answers: list[HookAnswer]) -> int:
    return max((one.verdict.risk for one in answers if isinstance(one.verdict, SetRisk)), default=0)
