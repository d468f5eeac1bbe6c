"""What a phase sought and reused of earlier outcomes, as JSON within the row of an instance."""

from collections.abc import Mapping
from typing import Any

from chatflow_jupyter.domain.instance import PhaseRecord, ReusedFrom, Sought

from .encoding import from_us, to_us


def sought_to_json(record: PhaseRecord) -> dict[str, Any]:
    """Return the entries of a phase that looks for earlier outcomes; none for any other."""
    sought, reused = record.sought, record.reused_from
    found: dict[str, Any] = {}
    if sought is not None:
        found["sought"] = [sought.attempt, sought.seq, sought.answered, sought.key, sought.mixed]
    if reused is not None:
        found["reused_from"] = [reused.instance_id, reused.attempt, to_us(reused.made_at)]
    return found


def sought_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `sought_to_json` wrote, as fields of a record."""
    return {"sought": _sought(stored.get("sought")), "reused_from": _reused(stored.get("reused_from"))}


def _sought(stored: list[Any] | None) -> Sought | None:
    if stored is None:
        return None
    attempt, seq, answered, key, mixed = stored
    if not (isinstance(answered, bool) and isinstance(mixed, bool) and isinstance(key, str | None)):
        raise ValueError("what is known of earlier outcomes is no answer and no hash")
    return Sought(attempt=_whole(attempt), seq=_whole(seq), answered=answered, key=key, mixed=mixed)  # type: ignore[arg-type]


def _reused(stored: list[Any] | None) -> ReusedFrom | None:
    if stored is None:
        return None
    instance_id, attempt, made_at = stored
    if not isinstance(instance_id, str):
        raise ValueError("what was reused is of no instance")
    return ReusedFrom(instance_id=instance_id, attempt=_whole(attempt), made_at=from_us(_whole(made_at)))  # type: ignore[arg-type]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a {type(value).__name__} is no number of an attempt, a transition or a moment")
    return value
