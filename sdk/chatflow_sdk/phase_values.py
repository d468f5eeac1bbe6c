"""JSON as a phase hands it on: what is accepted, and how it is looked up."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .errors import PhaseError

JsonValue: TypeAlias = str | int | float | bool | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None

MAX_DEPTH = 64
MAX_INTEGER = 2**53


def plain_json(value: object, *, what: str, depth: int = 0) -> JsonValue:
    """Return `value` in JSON types; tuples become lists, and numpy's and pandas' scalars plain numbers.

    Raises `PhaseError` for NaN, infinity, integers over 2^53, keys that are no text, text with a lone
    surrogate, other objects, and anything nested deeper than 64 levels.
    """
    if depth > MAX_DEPTH:
        raise PhaseError(f"{what}: nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(value, what)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise PhaseError(f"{what}: the integer is larger than 2^53; pass it as text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise PhaseError(f"{what}: NaN and infinity are not JSON; pass None instead")
        return float(value)
    if isinstance(value, Mapping):
        if bad := [key for key in value if not isinstance(key, str)]:
            raise PhaseError(f"{what}: keys must be text, got {bad[0]!r}")
        for key in value:
            _plain_text(key, f"{what}: a key")
        return {key: plain_json(entry, what=f"{what}.{key}", depth=depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(entry, what=f"{what}[{i}]", depth=depth + 1) for i, entry in enumerate(value)]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain_json(value.item(), what=what, depth=depth + 1)
    raise PhaseError(f"{what}: a {type(value).__name__} is not JSON; convert it, or write it as an artifact")


def _plain_text(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PhaseError(f"{what}: text contains a lone surrogate, which is no character") from None
    return text


def find(variables: Mapping[str, JsonValue], path: str) -> tuple[bool, JsonValue]:
    """Look up a dotted path; returns whether it is there, and the value.

    Keys may contain dots themselves (a child's key is often a file name): the longest key that leads to
    a value is taken.
    """
    if path in variables:
        return True, variables[path]
    cut = len(path)
    while (cut := path.rfind(".", 0, cut)) > 0:
        inner = variables.get(path[:cut])
        if isinstance(inner, Mapping):
            found, value = find(inner, path[cut + 1 :])
            if found:
                return True, value
    return False, None
