"""Times as microseconds and JSON as text."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chatflow_jupyter.domain.json_values import JsonObject, JsonValue

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _plain(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")


# One encoder for all: `json.dumps` makes a new one each time. Keys keep their order, which people see again.
to_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_plain
).encode


def from_json(text: str) -> Any:  # the caller knows what it wrote
    """Return the JSON value that `to_json` wrote."""
    return json.loads(text)


def json_object(text: str) -> JsonObject:
    """Return the JSON object that `to_json` wrote."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value


def json_value(text: str) -> JsonValue:
    """Return the JSON value that `to_json` wrote."""
    value: JsonValue = json.loads(text)
    return value


def text(stored: object) -> str:
    """Return the text; raises `TypeError` when another thing is stored, as SQLite does in any column."""
    if not isinstance(stored, str):
        raise TypeError(f"a text is wanted, not {stored!r:.40}")
    return stored


def whole_number(stored: object) -> int:
    """Return the number; raises `TypeError` when another thing is stored."""
    if not isinstance(stored, int):
        raise TypeError(f"a whole number is wanted, not {stored!r:.40}")
    return stored


def to_us(moment: datetime) -> int:
    """Return microseconds since 1970. The moment must be time-zone aware."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return the moment in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def optional_us(moment: datetime | None) -> int | None:
    """`to_us`, or None."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def optional_time(microseconds: int | None) -> datetime | None:
    """`from_us`, or None."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
