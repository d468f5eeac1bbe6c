"""JSON, told apart from what has not been looked at yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A value that JSON can hold."""


class BadData(ValueError):
    """Data does not have the shape it should have: an artifact of another version, or a tool's new output."""


def mapping(value: Json, what: str = "value") -> Mapping[str, Json]:
    """Return `value` if it is an object; raise `BadData` otherwise."""
    if isinstance(value, Mapping):
        return value
    raise BadData(f"{what}: expected an object, got {type(value).__name__}")


def sequence(value: Json, what: str = "value") -> Sequence[Json]:
    """Return `value` if it is a list; raise `BadData` otherwise."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    raise BadData(f"{what}: expected a list, got {type(value).__name__}")


def text(value: Json, default: str = "") -> str:
    """Return `value` if it is a string, `default` when it is absent, its JSON text otherwise."""
    if value is None:
        return default
    return value if isinstance(value, str) else str(value)


def whole(value: Json, default: int = 0) -> int:
    """Return `value` if it is a whole number, `default` otherwise."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def number(value: Json, default: float = 0.0) -> float:
    """Return `value` if it is a number, `default` otherwise."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def strings(value: Json) -> tuple[str, ...]:
    """Return the strings of a list; everything else in it is left out."""
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return tuple(item for item in items if isinstance(item, str))


def wholes(value: Json) -> tuple[int, ...]:
    """Return the whole numbers of a list; everything else in it is left out."""
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return tuple(item for item in items if isinstance(item, int) and not isinstance(item, bool))


def objects(value: Json) -> tuple[Mapping[str, Json], ...]:
    """Return the objects of a list; everything else in it is left out."""
    items: Iterable[Json] = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return tuple(item for item in items if isinstance(item, Mapping))


def shortened(value: str, limit: int) -> str:
    """Return `value` with at most `limit` characters; what was cut is replaced by an ellipsis."""
    return value if len(value) <= limit else value[: max(limit - 1, 0)] + "…"


def cleaned(value: Json) -> Json:
    """Return `value` with every text in it `printable`."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, Sequence) else value


def printable(value: str) -> str:
    """Return `value` fit for JSON and for a reader: surrogates and control characters are escaped."""
    clean = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in clean)
