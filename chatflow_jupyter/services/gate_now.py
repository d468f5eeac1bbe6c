"""The gate an instance waits at, as people look at it: who is asked, who has answered, what they saw."""

from dataclasses import dataclass
from datetime import datetime

from chatflow_jupyter.domain.definition import Phase
from chatflow_jupyter.domain.due import own_deadline
from chatflow_jupyter.domain.gates import VERB, asked_of, gate_of
from chatflow_jupyter.domain.ids import Sha256
from chatflow_jupyter.domain.instance import Instance, OpenGate, Vote


@dataclass(frozen=True, kw_only=True, slots=True)
class GateNow:
    """How far an open gate is. `shown` is the hash of what there is to see now (see `shown_hash`).

    `approvers` are those it asks, after an escalation the further ones too; nobody named is anybody.
    """

    phase: str
    title: str
    approvers: tuple[str, ...]
    quorum: int
    votes: tuple[Vote, ...]
    expires_at: datetime | None
    on_expire: str
    escalated: bool
    waivable: bool
    shown: Sha256

    def counts(self, vote: Vote) -> bool:
        """Whether the vote is about what there is to see now: an older one is void at the next answer."""
        return vote.shown == self.shown

    @property
    def still_asked(self) -> tuple[str, ...]:
        """The approvers who can still answer; a verb always may, since it names nobody."""
        answered = {vote.principal for vote in self.votes if self.counts(vote)}
        return tuple(name for name in self.approvers if name not in answered)

    def somebody_but(self, principal: str) -> str | None:
        """Return a name it asks when it asks people by name only, and not `principal`; else None."""
        if not self.approvers or any(name == principal or name.startswith(VERB) for name in self.approvers):
            return None
        return next(iter(self.still_asked or self.approvers))


def is_overdue(instance: Instance, now: datetime) -> bool:
    """Whether the time of a gate or a deadline is over, and nothing has acted on that yet."""
    expires_at = instance.gate.expires_at if instance.gate else None
    due = own_deadline(instance)
    return (expires_at is not None and expires_at <= now) or (due is not None and due.at <= now)


def gate_now(phase: Phase, opened: OpenGate, shown: Sha256) -> GateNow:
    """Return the gate before `phase` as it stands."""
    gate = gate_of(phase)
    escalates = gate.on_expire == "escalate"
    return GateNow(
        phase=phase.name,
        title=gate.title,
        approvers=asked_of(gate, opened),
        quorum=gate.quorum,
        votes=opened.votes,
        expires_at=opened.expires_at,
        on_expire="reject" if escalates and opened.escalated else gate.on_expire,
        escalated=opened.escalated,
        waivable=gate.waivable,
        shown=shown,
    )
