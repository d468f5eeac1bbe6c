"""JSON Schemas that nothing can ever fit, or that say two things: told where they are written."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from .conditions import kind_of
from .declared_types import COMPOSED
from .errors import InvalidInput
from .json_schema import check_value
from .json_values import JsonObject, JsonValue

Path: TypeAlias = tuple[int | str, ...]

_PAIRS = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
)
_STRICT_PAIRS = (
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
)


def contradictions(schema: JsonObject) -> Iterator[tuple[Path, str]]:
    """Yield every contradiction with its path into the schema; branches as of `anyOf` are left alone."""
    for path, part in _parts(schema, ()):
        for key, message in _faults(part):
            yield (*path, *key), message


def _parts(schema: JsonValue, path: Path) -> Iterator[tuple[Path, JsonObject]]:
    """Yield the schema and those of its parts that a value must fit."""
    if not isinstance(schema, Mapping):
        return
    yield path, schema
    for key in ("properties", "$defs"):
        named = schema.get(key)
        for name, entry in named.items() if isinstance(named, Mapping) else ():
            yield from _parts(entry, (*path, key, name))
    for key in ("items", "additionalProperties", "propertyNames"):
        yield from _parts(schema.get(key), (*path, key))
    listed = schema.get("prefixItems")
    for number, entry in enumerate(listed if isinstance(listed, (list, tuple)) else ()):
        yield from _parts(entry, (*path, "prefixItems", number))


def _faults(part: JsonObject) -> Iterator[tuple[Path, str]]:
    yield from _bounds(part)
    yield from _values(part)
    yield from _required(part)
    if "default" in part and not _refers(part):
        try:
            check_value(part["default"], part, what="default")
        except InvalidInput as error:
            yield ("default",), error.message


def _bounds(part: JsonObject) -> Iterator[tuple[Path, str]]:
    for low, high in _PAIRS:
        least, most = _number(part, low), _number(part, high)
        if least is not None and most is not None and least > most:
            yield (low,), f"{low} {least:g} is more than {high} {most:g}: nothing fits"
    for low, high in _STRICT_PAIRS:
        least, most = _number(part, low), _number(part, high)
        if least is not None and most is not None and least >= most:
            yield (low,), f"{low} {least:g} leaves nothing below {high} {most:g}"


def _values(part: JsonObject) -> Iterator[tuple[Path, str]]:
    """Check that `enum` and `const` have a value of the declared type."""
    for key in ("enum", "const"):
        if key not in part:
            continue
        given = part[key]
        values = list(given) if key == "enum" and isinstance(given, (list, tuple)) else [given]
        if not values:
            yield (key,), "enum: an empty list: nothing fits"
        elif "type" in part and not any(_is_of_type(value, part["type"]) for value in values):
            wanted = part["type"]
            named = " or ".join(map(str, wanted)) if isinstance(wanted, (list, tuple)) else str(wanted)
            yield (key,), f"{key}: none of its values is of the type {named}: nothing fits"


def _required(part: JsonObject) -> Iterator[tuple[Path, str]]:
    """Check that what is required is allowed."""
    required, properties = part.get("required"), part.get("properties", {})
    if not isinstance(required, (list, tuple)) or not isinstance(properties, Mapping):
        return
    is_closed = part.get("additionalProperties") is False and not COMPOSED & part.keys()
    for name in required:
        if not isinstance(name, str):
            continue
        if properties.get(name) is False:
            yield ("required",), f"{name[:80]!r} is required, and its schema is false: nothing fits"
        elif name not in properties and is_closed:
            yield ("required",), f"{name[:80]!r} is required, and not among the properties that are allowed"


def _number(part: JsonObject, key: str) -> float | None:
    value = part.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _is_of_type(value: JsonValue, wanted: JsonValue) -> bool:
    names = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    kind = {"list": "array"}.get(kind_of(value), kind_of(value))
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
    return any(kind == name or (name == "integer" and whole) for name in names)


def _refers(value: JsonValue) -> bool:
    """Whether something in it refers to another part of the schema."""
    if isinstance(value, Mapping):
        return bool({"$ref", "$dynamicRef"} & value.keys()) or any(map(_refers, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_refers, value))
