"""Gates: when people are asked, who may answer, and how long they have."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from .conditions import Truth, evaluate
from .decision import ContinuationKind, TimerKind
from .definition import Gate, Phase
from .draft import Draft
from .events import EventType
from .instance import GateOutcome, Instance, OpenGate, Vote, WaitingReason
from .json_values import canonical_json
from .trust import readable_by

MAX_VOTERS = 100
MAX_REASON = 1000
"""Characters of the reason for an answer or a waiver: it is kept with the gate and with the history."""
MAX_VOTE_BYTES = 64 * 1024
"""Of the data given with an answer: those of all who answered are part of the waiting instance."""
MAX_NAMED = 10
VERB = "verb:"
"""What an entry of `approvers` begins with that names everybody with a verb."""
_ASK_ANYBODY = Gate()


def gate_question(phase: Phase, instance: Instance) -> tuple[str, tuple[str, ...]] | None:
    """Return why people must open the way into `phase` (and unknown fields), or None when a rule does."""
    asked = hook_question(phase, instance)
    if phase.gate is not None:
        verdict = (
            None if phase.gate.auto is None else evaluate(phase.gate.auto, readable_by(phase.gate, instance))
        )
        if verdict is None or verdict.truth is not Truth.TRUE:
            title = phase.gate.title or f"gate before {phase.name}"
            return "; ".join(filter(None, (title, asked))), verdict.unknown_fields if verdict else ()
    question = asked or risk_question(phase, instance)
    return None if question is None else (question, ())


def hook_question(phase: Phase, instance: Instance) -> str | None:
    """Return why hooks want people to be asked before `phase`, or None."""
    record = instance.phases.get(phase.name)
    return None if record is None or record.clearance is None else record.clearance.question


def risk_question(phase: Phase, instance: Instance) -> str | None:
    """Return why the risk of going on needs people, gate or no gate; None when it does not."""
    record = instance.phases.get(phase.name)
    clearance = record.clearance if record else None
    score = max(phase.risk, instance.reported_risk, clearance.risk if clearance else 0)
    if instance.automation_level == 100 or score < instance.automation_level:
        return None
    return f"risk {score} reaches the automation level {instance.automation_level}"


def pass_gate(draft: Draft) -> bool:
    """Open the way into the current phase by rule, or ask people; False while they are asked."""
    phase = draft.phase
    question = gate_question(phase, draft.instance)
    if question is None:
        draft.change_record(approved=True)
        if phase.gate is not None:
            draft.change_record(gate=GateOutcome(by="rule", at=draft.now))
            draft.emit(EventType.GATE_OPENED, phase=phase.name, by="rule")
        return True
    title, unknown_fields = question
    draft.change(gate=OpenGate(asked_at=draft.now))
    arm_gate_expiry(draft)
    look_for_waiver(draft)
    detail = f"{title}; {needed(gate_of(phase), ())}" if gate_of(phase).quorum > 1 else title
    draft.wait(WaitingReason.APPROVAL, detail, unknown_fields=list(unknown_fields) or None)
    return False


def gate_of(phase: Phase) -> Gate:
    """Return the gate before `phase`; one that anybody answers where only its risk made people be asked."""
    return phase.gate or _ASK_ANYBODY


def open_gate(draft: Draft) -> OpenGate:
    """Return the gate the instance waits at; only asked for where there is one."""
    assert draft.instance.gate is not None
    return draft.instance.gate


def arm_gate_expiry(draft: Draft) -> None:
    """Give the gate before the current phase its whole time from now on, when it has one."""
    expires_sec = gate_of(draft.phase).expires_sec
    if expires_sec is not None:
        expires_at = draft.now + timedelta(seconds=expires_sec)
        draft.change(gate=replace(open_gate(draft), expires_at=expires_at))
        draft.set_timer(TimerKind.GATE_EXPIRY, expires_at)


def look_for_waiver(draft: Draft) -> None:
    """Have somebody look whether the gate was waived beforehand, when that would open it."""
    if may_be_waived(draft.phase, draft.instance):
        draft.continue_self(ContinuationKind.LOOK_FOR_WAIVER)


def may_be_waived(phase: Phase, instance: Instance) -> bool:
    """Whether a waiver opens the gate: its author allows that, and no risk or hook needs people anyway."""
    asked = hook_question(phase, instance) or risk_question(phase, instance)
    return gate_of(phase).waivable and asked is None


def may_answer(gate: Gate, opened: OpenGate, principal: str, verbs: Iterable[str]) -> bool:
    """Whether that principal, with these verbs, is among those the gate asks."""
    asked = asked_of(gate, opened)
    is_named = principal in asked and not principal.startswith(VERB)  # a verb is no name to be called by
    return not asked or is_named or any(f"{VERB}{verb}" in asked for verb in verbs)


def asked_of(gate: Gate, opened: OpenGate) -> tuple[str, ...]:
    """Return whom the gate asks, after an escalation the further ones too; nobody in particular is `()`."""
    return gate.approvers + (gate.escalate_to if opened.escalated else ())


def named(asked: Sequence[str]) -> str:
    """Return whom a gate asks, in words; of very many the first ones."""
    more = f" and {len(asked) - MAX_NAMED} more" if len(asked) > MAX_NAMED else ""
    return ", ".join(asked[:MAX_NAMED]) + more


def agreeing(votes: Sequence[Vote], like: Vote) -> list[Vote]:
    """Return the votes that say the same as `like`; who approves, approves of certain data."""
    same = [vote for vote in votes if vote.decision == like.decision]
    if like.decision == "reject":
        return same
    data = canonical_json(like.data)
    return [vote for vote in same if canonical_json(vote.data) == data]


def needed(gate: Gate, votes: Sequence[Vote]) -> str:
    """Return how far the votes are, in words."""
    approvals = [vote for vote in votes if vote.decision == "approve"]
    most = max(Counter(canonical_json(vote.data) for vote in approvals).values(), default=0)
    differ = f" ({len(approvals)} in all, with different data)" if most < len(approvals) else ""
    against = f", {len(votes) - len(approvals)} against" if len(approvals) < len(votes) else ""
    return f"{most} of {gate.quorum} approvals{differ}{against}"
