"""What changed between two schemas of parameters, and whether what callers gave still fits."""

from collections.abc import Iterator, Mapping

from .declared_types import COMPOSED, kinds_at
from .json_values import JsonObject, JsonValue, canonical_json

_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_WORDS = frozenset({"title", "description", "examples", "$comment", "default"})
_TOLD = frozenset({"type", "enum", "const", *_AT_LEAST, *_AT_MOST, *_WORDS})

Told = tuple[str, str, bool]
"""The parameter ("" for all), what became of it, and whether what fitted before may be refused now."""


def parameter_changes(before: JsonObject, after: JsonObject) -> Iterator[Told]:
    """Yield every change; one that cannot be judged counts as breaking."""
    old, new = _properties(before), _properties(after)
    required, was_required = _required(after), _required(before)
    for name in old:
        if name not in new:
            yield name, "is gone", after.get("additionalProperties") is False
    for name, schema in new.items():
        needed = name in required and not (isinstance(schema, Mapping) and "default" in schema)
        if name not in old:
            yield name, "is new, and required" if needed else "is new", needed
            continue
        if needed and name not in was_required:
            yield name, "is required now", True
        elif name in was_required and name not in required:
            yield name, "is not required any more", False
        yield from ((name, how, breaks) for how, breaks in _schema_changes(old[name], schema))
    yield from _of_the_whole(before, after)


def _of_the_whole(before: JsonObject, after: JsonObject) -> Iterator[Told]:
    for name in sorted(_required(after) - _required(before) - _properties(after).keys()):
        yield name, "is required now", True
    old, new = before.get("additionalProperties", True), after.get("additionalProperties", True)
    if canonical_json(old) != canonical_json(new):
        how = "others are refused now" if new is False else "others are let in otherwise"
        yield "", how, new is not True
    told = {"properties", "required", "additionalProperties", "type", *_WORDS}
    for key in (*before, *(key for key in after if key not in before)):
        if key not in told and canonical_json(before.get(key)) != canonical_json(after.get(key)):
            yield "", f"`{key}` changed", True


def _schema_changes(before: JsonValue, after: JsonValue) -> Iterator[tuple[str, bool]]:
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        if canonical_json(before) != canonical_json(after):
            yield "its schema changed", True
        return
    old, new = _kinds(before), _kinds(after)
    if canonical_json(before.get("type")) != canonical_json(after.get("type")):
        widened = "type" not in after or (
            new is not None and old is not None and old <= new and after.get("type") != "integer"
        )
        yield f"type: {_word(before.get('type'))} -> {_word(after.get('type'))}", not widened
    yield from _listed_changes(before, after)
    for names, stricter in ((_AT_LEAST, 1), (_AT_MOST, -1)):
        for key in names:
            yield from _bound_changes(key, before.get(key), after.get(key), stricter)
    if canonical_json(before.get("default")) != canonical_json(after.get("default")):
        yield f"default: {_word(before.get('default'))} -> {_word(after.get('default'))}", False
    for key in (*before, *(key for key in after if key not in before)):
        if key not in _TOLD and canonical_json(before.get(key)) != canonical_json(after.get(key)):
            yield f"`{key}` changed", key in after


def _listed_changes(before: JsonObject, after: JsonObject) -> Iterator[tuple[str, bool]]:
    old, new = _allowed(before), _allowed(after)
    if old == new:
        return
    if new is None:
        yield "any value of its type fits now", False
    elif old is None:
        yield f"only {', '.join(new)} fit now", True
    else:
        gone, more = [each for each in old if each not in new], [each for each in new if each not in old]
        if gone:
            yield f"{', '.join(gone)} does not fit any more", True
        if more:
            yield f"{', '.join(more)} fits too", False


def _bound_changes(key: str, old: JsonValue, new: JsonValue, stricter: int) -> Iterator[tuple[str, bool]]:
    if old == new:
        return
    is_stricter = new is not None and (old is None or _more(new, old, stricter))
    yield f"{key}: {_word(old)} -> {_word(new)}", is_stricter


def _more(new: JsonValue, old: JsonValue, sign: int) -> bool:
    both_numbers = isinstance(new, (int, float)) and isinstance(old, (int, float))
    return not both_numbers or (new - old) * sign > 0  # type: ignore[operator]  # both are numbers here


def _allowed(schema: JsonObject) -> list[str] | None:
    if "const" in schema:
        return [canonical_json(schema["const"])]
    listed = schema.get("enum")
    return [canonical_json(each) for each in listed] if isinstance(listed, (list, tuple)) else None


def _kinds(schema: JsonObject) -> frozenset[str] | None:
    bare = {key: value for key, value in schema.items() if key == "type" or key in COMPOSED}
    return kinds_at(bare, (), complete=False)


def _properties(schema: JsonObject) -> Mapping[str, JsonValue]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _required(schema: JsonObject) -> set[str]:
    found = schema.get("required")
    return {name for name in found if isinstance(name, str)} if isinstance(found, (list, tuple)) else set()


def _word(value: JsonValue) -> str:
    return "none" if value is None else canonical_json(value)
