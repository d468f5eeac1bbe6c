"""The values of `IExecution` as JSON, for a link between two processes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from typing import TypeVar, cast

from chatflow_jupyter.domain import errors
from chatflow_jupyter.domain.errors import ChatFlowError, InternalError
from chatflow_jupyter.domain.instance import Failure, Spawned
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptReport,
    AttemptRow,
    JournalEntry,
    Lease,
    Progress,
)

Value = TypeVar("Value")

_NESTED: Mapping[type, Mapping[str, type]] = {
    Lease: {"attempt": AttemptRow},
    AttemptRow: {"progress": Progress, "failure": Failure},
    AttemptReport: {"failure": Failure},
}
_NESTED_TUPLES: Mapping[type, Mapping[str, type]] = {AttemptReport: {"spawned": Spawned}}
_TUPLES: Mapping[type, frozenset[str]] = {Lease: frozenset({"spawns"})}
_TIMES = frozenset({"queued_at", "lease_expires_at", "started_at", "ended_at", "created_at", "deleted_at"})
CARRIED = (Lease, AttemptRow, Progress, AttemptReport, Failure, Spawned, ArtifactRecord, JournalEntry)


def encode(value: object) -> JsonValue:
    """Return a carried value, or None, as JSON; times as ISO text."""
    if value is None:
        return None
    assert is_dataclass(value)
    assert not isinstance(value, type)
    return _plain(asdict(value))


def decode(kind: type[Value], raw: JsonValue) -> Value:
    """Return the value of `kind` that `encode` was given; raises `InternalError` for anything else."""
    if not isinstance(raw, Mapping):
        raise InternalError(f"the link carried {type(raw).__name__} instead of {kind.__name__}")
    assert is_dataclass(kind)
    known = {field.name for field in fields(kind)}
    nested = _NESTED.get(kind, {})
    values: dict[str, object] = {}
    for name, entry in raw.items():
        if name not in known:
            raise InternalError(f"the link carried an unknown field {kind.__name__}.{name}")
        if entry is not None and name in nested:
            values[name] = decode(nested[name], entry)
        elif name in _NESTED_TUPLES.get(kind, {}):
            values[name] = tuple(decode(_NESTED_TUPLES[kind][name], one) for one in _list(entry, kind, name))
        elif name in _TUPLES.get(kind, ()):
            values[name] = tuple(_list(entry, kind, name))
        elif entry is not None and name in _TIMES:
            values[name] = _time(entry, f"{kind.__name__}.{name}")
        else:
            values[name] = entry
    try:
        return cast("Value", kind(**values))
    except TypeError as error:  # a field is missing
        raise InternalError(f"the link carried an incomplete {kind.__name__}: {error}") from None


def decode_optional(kind: type[Value], raw: JsonValue) -> Value | None:
    """Like `decode`, with None for null."""
    return None if raw is None else decode(kind, raw)


def encode_error(error: ChatFlowError) -> JsonObject:
    """Return an error of ours as JSON."""
    return {"type": type(error).__name__, "code": error.code, "message": error.message}


def decode_error(raw: JsonValue) -> ChatFlowError:
    """Return the error that `encode_error` was given; an unknown one becomes an `InternalError`."""
    if not isinstance(raw, Mapping):
        return InternalError("the link carried an error that is no error")
    kind = getattr(errors, str(raw.get("type")), InternalError)
    message, code = str(raw.get("message")), str(raw.get("code"))
    if not (isinstance(kind, type) and issubclass(kind, ChatFlowError)) or kind is errors.InvalidDefinition:
        return InternalError(message)
    return kind(message, code=code)


def _list(raw: JsonValue, kind: type, name: str) -> Sequence[JsonValue]:
    if not isinstance(raw, (list, tuple)):
        raise InternalError(f"the link carried a {kind.__name__}.{name} that is no list")
    return raw


def _time(raw: JsonValue, what: str) -> datetime:
    try:
        return datetime.fromisoformat(str(raw))
    except ValueError:
        raise InternalError(f"the link carried a {what} that is no time") from None


def _plain(value: object) -> JsonValue:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return cast("JsonValue", value)
