"""JSON as the engine accepts it: a closed type, one strict decoder, one canonical encoding."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .errors import InvalidInput

JsonValue: TypeAlias = str | int | float | bool | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
JsonObject: TypeAlias = Mapping[str, JsonValue]

MAX_DEPTH = 64
MAX_BYTES = 1024 * 1024
MAX_INTEGER = 2**53


def decode_json(text: str | bytes, *, what: str = "JSON", max_bytes: int = MAX_BYTES) -> JsonValue:
    """Parse JSON strictly: at most `max_bytes` and 64 levels, no duplicate keys, NaN or huge integers.

    Raises `InvalidInput` naming `what` and the reason.
    """
    size_bytes = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > max_bytes:
        raise InvalidInput(f"{what}: {size_bytes} bytes are more than the {max_bytes} allowed")
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
        )
    except RecursionError:
        raise InvalidInput(f"{what}: nested deeper than {MAX_DEPTH} levels") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{what}: {error}") from None
    check_json(value, what=what)
    return value


def decode_object(text: str | bytes, *, what: str = "JSON", max_bytes: int = MAX_BYTES) -> JsonObject:
    """Parse strict JSON that must be an object; raises `InvalidInput` otherwise."""
    value = decode_json(text, what=what, max_bytes=max_bytes)
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{what}: expected an object, got {type_name(value)}")
    return value


def check_json(value: object, *, what: str = "value", depth: int = 0) -> None:
    """Raise `InvalidInput` unless `value` is JSON that every backend can store unchanged."""
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{what}: nested deeper than {MAX_DEPTH} levels")
    match value:
        case None | bool():
            return
        case str():
            _check_text(value, what)
        case int():
            if abs(value) > MAX_INTEGER:
                raise InvalidInput(f"{what}: the integer is larger than 2^53")
        case float():
            if not math.isfinite(value):
                raise InvalidInput(f"{what}: NaN and infinity are not JSON")
        case list() | tuple():
            for number, entry in enumerate(value):
                check_json(entry, what=f"{what}[{number}]" if depth < 4 else what, depth=depth + 1)
        case Mapping():
            for key, entry in value.items():
                if not isinstance(key, str):
                    raise InvalidInput(f"{what}: object keys must be strings, got {type(key).__name__}")
                _check_text(key, what)
                check_json(entry, what=f"{what}.{key}" if depth < 4 else what, depth=depth + 1)
        case _:
            raise InvalidInput(f"{what}: a {type(value).__name__} is not JSON")


def own_json(value: JsonObject) -> JsonObject:
    """Return a copy that shares nothing with `value`: whoever holds that one may go on changing it.

    What is nested deeper than JSON may be is left as it is, for whoever checks it.
    """
    copied = _copied(value, 0)
    assert isinstance(copied, dict)
    return copied


def canonical_json(value: JsonValue) -> str:
    """Return the one encoding of `value` that hashes and comparisons use (sorted keys, no spaces)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encoded_size_bytes(value: JsonValue) -> int:
    """Return how many bytes `value` takes in its canonical encoding."""
    return len(canonical_json(value).encode())


def type_name(value: object) -> str:
    """Return the JSON name of the type of `value`, for messages."""
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a number", type(None): "null"}
    if isinstance(value, Mapping):
        return "an object"
    return names.get(type(value), "a list")


def _copied(value: JsonValue, depth: int) -> JsonValue:
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        return {key: _copied(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(entry, depth + 1) for entry in value]
    return value


def _check_text(text: str, what: str) -> None:
    if "\x00" in text:
        raise InvalidInput(f"{what}: text may not contain the NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"{what}: text contains a lone surrogate") from None


def _without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:80]!r} appears twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _bounded_integer(digits: str) -> int:
    if len(digits) > 17:
        raise ValueError("an integer is larger than 2^53")
    return int(digits)
