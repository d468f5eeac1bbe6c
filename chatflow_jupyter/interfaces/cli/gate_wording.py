"""An open gate as `status` shows it: who is asked, who has answered, until when, and to what."""

from __future__ import annotations

from datetime import datetime

from chatflow_jupyter.domain.due import Due
from chatflow_jupyter.domain.instance import Vote
from chatflow_jupyter.domain.json_values import JsonObject, canonical_json
from chatflow_jupyter.interfaces.cli.shapes import shown_time
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.services.gate_now import GateNow

SHOWN_DIGITS = 12
MAX_NAMES = 300
THEN = {
    "reject": "that counts as a rejection",
    "approve": "it opens",
    "escalate": "others are asked as well",
}


def gate_object(gate: GateNow | None) -> JsonObject | None:
    """Return an open gate as `--json` prints it."""
    if gate is None:
        return None
    return {
        "phase": gate.phase,
        "title": gate.title,
        "approvers": list(gate.approvers),
        "still_asked": list(gate.still_asked),
        "quorum": gate.quorum,
        "votes": [_vote_object(gate, vote) for vote in gate.votes],
        "expires_at": shown_time(gate.expires_at),
        "on_expire": gate.on_expire,
        "escalated": gate.escalated,
        "waivable": gate.waivable,
        "shown": gate.shown,
    }


def gate_lines(gate: GateNow, now: datetime) -> list[str]:
    """Return the lines about an open gate: those it asks, their answers, its end, what there is to see."""
    lines = []
    if gate.approvers or gate.quorum > 1:
        lines.append(f"asked:    {_asked(gate)}")
    lines += [f"answered: {_vote_line(gate, vote)}" for vote in gate.votes]
    if gate.expires_at is not None:
        overdue = "; that is over, and the next command that drives it acts on it" * (gate.expires_at <= now)
        lines.append(f"expires:  {_moment(gate.expires_at)}, then {THEN[gate.on_expire]}{overdue}")
    return [*lines, f"to see:   --seen {gate.shown[:SHOWN_DIGITS]}"]


def deadline_line(due: Due, now: datetime) -> str:
    """Return the line about the next deadline of an instance."""
    overdue = "; that is over, and the next command that drives it acts on it" * (due.at <= now)
    return f"due:       {_moment(due.at)}, the deadline of {due.what}{overdue}"


def _asked(gate: GateNow) -> str:
    names = ", ".join(gate.approvers) or "anybody"
    words = names if gate.quorum == 1 else f"{gate.quorum} of {names}"
    if gate.approvers and gate.still_asked != gate.approvers:
        words += f"; still asked: {', '.join(gate.still_asked) or 'nobody'}"
    return safe_line(words + (", after an escalation" if gate.escalated else ""), MAX_NAMES)


def _vote_line(gate: GateNow, vote: Vote) -> str:
    said = "approved" if vote.decision == "approve" else "rejected"
    claimed = ", a claimed name" if vote.claimed else ""
    void = "" if gate.counts(vote) else "; artifacts changed since: void at the next answer"
    reason = f": {vote.reason}" if vote.reason else ""
    data = f"; with {canonical_json(vote.data)}" if vote.data else ""
    return safe_line(f"{vote.principal} {said} at {_moment(vote.at)}{claimed}{void}{reason}{data}", MAX_NAMES)


def _vote_object(gate: GateNow, vote: Vote) -> JsonObject:
    return {
        "principal": vote.principal,
        "decision": vote.decision,
        "reason": vote.reason,
        "data": vote.data,
        "at": shown_time(vote.at),
        "claimed": vote.claimed,
        "counts": gate.counts(vote),
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
