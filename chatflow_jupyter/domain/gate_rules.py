"""What becomes of a gate: people answer, its time runs out, a waiver opens it, what was shown changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from .advance import advance, fail_instance, go_to
from .decision import EndAttempt, Refusal, TimerKind
from .draft import Draft
from .errors import InvalidInput
from .events import EventType
from .gates import (
    MAX_REASON,
    MAX_VOTE_BYTES,
    MAX_VOTERS,
    agreeing,
    arm_gate_expiry,
    asked_of,
    gate_of,
    may_answer,
    may_be_waived,
    named,
    needed,
    open_gate,
)
from .instance import Failure, GateOutcome, Instance, PhaseState, Vote, WaitingReason
from .json_schema import check_value
from .json_values import JsonObject, JsonValue, encoded_size_bytes
from .requests import AttemptStarted, Trigger, WaiverFound

ROUNDING = timedelta(seconds=1)


def answer_gate(draft: Draft, request: Trigger) -> Refusal | None:
    """Count a person's vote, and go on once as many as the quorum agree."""
    refusal = _cannot_vote(draft, request)
    if refusal is not None:
        return refusal
    assert request.decision is not None
    phase, opened = draft.phase, open_gate(draft)
    vote = Vote(
        phase=phase.name,
        principal=request.principal,
        decision=request.decision,
        at=draft.now,
        reason=request.reason,
        data=request.data,
        shown=request.shown,
        claimed=request.claimed,
    )
    draft.vote(vote)
    votes = (*_still_valid(draft, vote), vote)
    draft.change(gate=replace(opened, votes=votes))
    gate = gate_of(phase)
    draft.emit(
        EventType.GATE_DECIDED,
        phase=phase.name,
        decision=vote.decision,
        reason=vote.reason,
        claimed=vote.claimed or None,
        quorum=gate.quorum if gate.quorum > 1 else None,
    )
    agreed = agreeing(votes, vote)
    if len(agreed) < gate.quorum:
        draft.change(waiting_detail=f"{gate.title or f'gate before {phase.name}'}; {needed(gate, votes)}")
    else:
        _people_agree(draft, agreed)
    return None


def _still_valid(draft: Draft, vote: Vote) -> list[Vote]:
    """Return the votes of others that were about the same artifacts, and say which were not."""
    others = [each for each in open_gate(draft).votes if each.principal != vote.principal]
    for each in others:
        if each.shown != vote.shown:
            draft.emit(EventType.GATE_VOIDED, phase=vote.phase, voter=each.principal, cause=_CHANGED)
    return [each for each in others if each.shown == vote.shown]


def _people_agree(draft: Draft, agreed: Sequence[Vote]) -> None:
    last = agreed[-1]
    replaced = {name: value for name, value in draft.triggered.items() if name in last.data}
    for each in agreed:
        draft.merge_trigger(each.data)
    outcome = GateOutcome(
        decision=last.decision,
        by="people",
        at=draft.now,
        principals=tuple(each.principal for each in agreed),
        reason=last.reason,
        shown=last.shown,
        given=tuple(last.data),
        replaced=replaced,
    )
    if last.decision == "approve":
        _open(draft, outcome)
    else:
        names = ", ".join(outcome.principals)
        _reject(draft, outcome, f"rejected by {names}" + (f": {last.reason}" if last.reason else ""))


def gate_expiry_due(draft: Draft, instance: Instance) -> Refusal | None:
    """Do what the gate says about nobody having answered in time."""
    if instance.waiting_reason is not WaitingReason.APPROVAL or instance.paused:
        return Refusal(code="stale", message="no gate is waiting", stale=True)
    opened, gate = open_gate(draft), gate_of(draft.phase)
    if opened.expires_at is None or draft.now < opened.expires_at - ROUNDING:
        return Refusal(code="stale", message="the timer was that of an earlier gate", stale=True)
    draft.set_timer(TimerKind.GATE_EXPIRY, None)
    draft.emit(EventType.GATE_EXPIRED, phase=instance.phase)
    if gate.on_expire == "approve":
        _open(draft, GateOutcome(by="expiry", at=draft.now))
    elif gate.on_expire == "escalate" and not opened.escalated:
        draft.change(gate=replace(opened, escalated=True))
        draft.emit(EventType.GATE_ESCALATED, phase=instance.phase, to=list(gate.escalate_to))
        arm_gate_expiry(draft)
    else:
        outcome = GateOutcome(decision="reject", by="expiry", at=draft.now)
        _reject(draft, outcome, f"the gate before {instance.phase} expired")
    return None


def waiver_found(draft: Draft, request: WaiverFound) -> Refusal | None:
    """Open a gate that somebody waived beforehand, if it still waits and the waiver still holds."""
    instance = draft.instance
    waits = instance.waiting_reason is WaitingReason.APPROVAL and not instance.paused
    if not waits or instance.phase != request.phase or not may_be_waived(draft.phase, instance):
        return Refusal(code="stale", message="no gate waits that this waiver is about", stale=True)
    if draft.now >= request.expires_at:
        return Refusal(code="stale", message="the waiver has expired", stale=True)
    outcome = GateOutcome(by="waiver", at=draft.now, principals=(request.waived_by,), reason=request.reason)
    _open(draft, outcome, waiver_id=request.waiver_id, until=request.expires_at.isoformat())
    return None


def approval_is_void(draft: Draft, request: AttemptStarted) -> bool:
    """Ask again when what the approvers were shown has changed since; returns whether it has."""
    answer = draft.record.gate
    if answer is None or None in (answer.shown, request.shown) or answer.shown == request.shown:
        return False
    draft.attempts.append(
        EndAttempt(attempt_id=request.attempt_id, fence=request.fence, status="cancelled", ended_at=draft.now)
    )
    draft.change(attempt=None)
    _take_back(draft, answer)
    draft.change_record(approved=False, gate=None)
    draft.emit(EventType.GATE_VOIDED, phase=draft.phase.name, cause=_CHANGED)
    advance(draft)
    return True


def _take_back(draft: Draft, answer: GateOutcome) -> None:
    """Let the variables be what they were before the data of this answer."""
    if answer.given:
        others = {name: value for name, value in draft.triggered.items() if name not in answer.given}
        draft.replace_triggered({**others, **answer.replaced})


_CHANGED = "an artifact was changed after it was shown"


def _cannot_vote(draft: Draft, request: Trigger) -> Refusal | None:
    phase, opened = draft.phase, open_gate(draft)
    gate = gate_of(phase)
    if request.decision is None:
        message = f"phase {phase.name} waits for approval; answer with approve or reject"
        return Refusal(code="decision_required", message=message)
    if request.phase not in (None, phase.name):
        message = f"the gate before {request.phase} was answered; now the one before {phase.name} waits"
        return Refusal(code="gate_passed", message=message)
    if opened.expires_at is not None and opened.expires_at <= draft.now:
        message = f"the time of the gate before {phase.name} is over; what it says about that comes first"
        return Refusal(code="gate_expired", message=message)
    if not may_answer(gate, opened, request.principal, request.verbs):
        message = f"{request.principal} may not answer it; it asks {named(asked_of(gate, opened))}"
        return Refusal(code="not_an_approver", message=message)
    if request.seen not in (None, request.shown):
        message = "an artifact was changed since you looked; look again before you answer"
        return Refusal(code="artifacts_changed", message=message)
    voters = {vote.principal for vote in opened.votes}
    if request.principal not in voters and len(voters) >= MAX_VOTERS:
        return Refusal(code="too_many_votes", message=f"{MAX_VOTERS} people have answered, and disagree")
    length = len(request.reason or "")
    if length > MAX_REASON:
        return Refusal(
            code="invalid_input", message=f"reason: {length} characters are more than {MAX_REASON}"
        )
    size_bytes = encoded_size_bytes(request.data)
    if size_bytes > MAX_VOTE_BYTES:
        message = f"trigger data: {size_bytes} bytes are more than the {MAX_VOTE_BYTES} an answer may carry"
        return Refusal(code="invalid_input", message=message)
    return misfit(request.data, gate.data_schema) if request.decision == "approve" else None


def misfit(data: JsonObject, schema: Mapping[str, JsonValue] | None) -> Refusal | None:
    """Refuse what came with a trigger when it does not fit `schema`."""
    if schema is None:
        return None
    try:
        check_value(data, schema, what="trigger data")
    except InvalidInput as error:
        return Refusal(code="invalid_input", message=error.message)
    return None


def _open(draft: Draft, outcome: GateOutcome, **data: JsonValue) -> None:
    draft.set_timer(TimerKind.GATE_EXPIRY, None)
    draft.change(gate=None)
    draft.change_record(approved=True, gate=outcome)
    who = list(outcome.principals) or None
    draft.emit(EventType.GATE_OPENED, phase=draft.phase.name, by=outcome.by, principals=who, **data)
    advance(draft)


def _reject(draft: Draft, outcome: GateOutcome, reason: str) -> None:
    gate = gate_of(draft.phase)
    draft.set_timer(TimerKind.GATE_EXPIRY, None)
    draft.change(gate=None)
    draft.change_record(gate=outcome)
    if gate.on_reject == "fail":
        draft.end_phase(PhaseState.FAILED, reason)
        fail_instance(draft, Failure(code="rejected", message=reason, phase=draft.phase.name))
    elif gate.reject_to is not None:
        draft.end_phase(PhaseState.SKIPPED, reason)
        draft.emit(EventType.PHASE_SKIPPED, phase=draft.phase.name, reason=reason)
        go_to(draft, gate.reject_to)
    else:
        draft.terminate(reason)


__all__ = ["answer_gate", "approval_is_void", "gate_expiry_due", "misfit", "waiver_found"]
