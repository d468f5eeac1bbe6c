"""What hooks were asked and have said, as JSON within the row of an instance; absent where there are none."""

from collections.abc import Mapping
from typing import Any

from chatflow_jupyter.domain.instance import Clearance, HookPoint, HooksAsked, PhaseRecord


def asked_to_json(asked: HooksAsked | None) -> dict[str, Any]:
    """Return the entry `hooks_asked` of an instance that waits for hooks."""
    return {} if asked is None else {"hooks_asked": [asked.point.value, asked.attempt, asked.seq]}


def asked_of(stored: list[Any] | None) -> HooksAsked | None:
    """Return what `asked_to_json` was given."""
    if stored is None:
        return None
    point, attempt, seq = stored
    return HooksAsked(point=HookPoint(point), attempt=_whole(attempt), seq=_whole(seq))


def heard_to_json(record: PhaseRecord) -> dict[str, Any]:
    """Return the entries of a phase that hooks have to do with."""
    said = record.clearance
    clearance: dict[str, Any] = {}
    if said is not None:
        clearance = {"clearance": [said.attempt, said.question, said.risk, said.parameters]}
    ran = {} if record.ran_sec is None else {"ran_sec": record.ran_sec}
    return {**clearance, **ran, **({"unjudged": True} if record.unjudged else {})}


def heard_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `heard_to_json` wrote, as fields of a record."""
    ran_sec, unjudged = stored.get("ran_sec"), stored.get("unjudged", False)
    if not isinstance(unjudged, bool) or not isinstance(ran_sec, int | float | None):
        raise ValueError("what hooks were to judge is neither a time nor an answer")
    return {"clearance": _clearance_of(stored.get("clearance")), "ran_sec": ran_sec, "unjudged": unjudged}


def _clearance_of(stored: list[Any] | None) -> Clearance | None:
    if stored is None:
        return None
    attempt, question, risk, parameters = stored
    if not isinstance(parameters, Mapping) or not isinstance(question, str | None):
        raise ValueError("what hooks have said about a phase is no clearance")
    return Clearance(attempt=_whole(attempt), question=question, risk=_whole(risk), parameters=parameters)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a {type(value).__name__} is no number of an attempt, a transition or a risk")
    return value
