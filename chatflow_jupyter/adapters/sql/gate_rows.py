"""Votes and open gates, as rows and as part of an instance's state."""

from typing import Any

from sqlalchemy import Row

from chatflow_jupyter.domain.instance import GateOutcome, Instance, OpenGate, Vote
from chatflow_jupyter.ports.records import Waiver

from .damage import decodes
from .encoding import from_us, json_object, optional_time, optional_us, to_json, to_us


def vote_columns(instance: Instance, vote: Vote) -> dict[str, Any]:
    """Return the row of a person's answer to a gate."""
    return {
        "tenant_id": instance.tenant_id,
        "instance_id": instance.instance_id,
        "seq": instance.seq,
        "phase": vote.phase,
        "principal": vote.principal,
        "decision": vote.decision,
        "decided_at": to_us(vote.at),
        "reason": vote.reason,
        "data": to_json(vote.data),
        "shown": vote.shown,
        "claimed": vote.claimed,
    }


@decodes("decisions", "tenant_id", "instance_id", "seq")
def vote_of(row: Row[Any]) -> Vote:
    """Return the answer of a row."""
    from_row = {name: getattr(row, name) for name in ("phase", "principal", "decision", "reason", "shown")}
    data = json_object(row.data)
    return Vote(**from_row, at=from_us(row.decided_at), data=data, claimed=bool(row.claimed))


def waiver_columns(waiver: Waiver) -> dict[str, Any]:
    """Return the row of a waiver."""
    fields = {name: getattr(waiver, name) for name in Waiver.__dataclass_fields__}
    return {
        **fields,
        "created_at": to_us(waiver.created_at),
        "expires_at": to_us(waiver.expires_at),
        "revoked_at": optional_us(waiver.revoked_at),
    }


@decodes("waivers", "tenant_id", "waiver_id")
def waiver_of(row: Row[Any]) -> Waiver:
    """Return the waiver of a row."""
    fields = {name: getattr(row, name) for name in Waiver.__dataclass_fields__}
    return Waiver(
        **{
            **fields,
            "created_at": from_us(row.created_at),
            "expires_at": from_us(row.expires_at),
            "revoked_at": optional_time(row.revoked_at),
        }
    )


def gate_to_json(gate: OpenGate) -> dict[str, Any]:
    """Return an open gate as part of the state."""
    return {
        "asked_at": optional_us(gate.asked_at),
        "votes": [_vote_to_json(vote) for vote in gate.votes],
        "expires_at": optional_us(gate.expires_at),
        "escalated": gate.escalated,
    }


def gate_of(stored: dict[str, Any] | None) -> OpenGate | None:
    """Return the gate of a state."""
    if stored is None:
        return None
    votes = tuple(Vote(**{**vote, "at": from_us(vote["at"])}) for vote in stored["votes"])
    return OpenGate(
        asked_at=optional_time(stored.get("asked_at")),
        votes=votes,
        expires_at=optional_time(stored["expires_at"]),
        escalated=stored["escalated"],
    )


def outcome_to_json(outcome: GateOutcome) -> dict[str, Any]:
    """Return how a gate was answered as part of a phase's record."""
    fields = {name: getattr(outcome, name) for name in GateOutcome.__dataclass_fields__}
    return {**fields, "at": to_us(outcome.at)}


def outcome_of(stored: dict[str, Any] | None) -> GateOutcome | None:
    """Return how a gate was answered from a phase's record."""
    if stored is None:
        return None
    fields = {**stored, "at": from_us(stored["at"]), "principals": tuple(stored["principals"])}
    fields["given"] = tuple(stored.get("given", ()))
    return GateOutcome(**fields)


def _vote_to_json(vote: Vote) -> dict[str, Any]:
    fields = {name: getattr(vote, name) for name in Vote.__dataclass_fields__}
    return {**fields, "at": to_us(vote.at)}
