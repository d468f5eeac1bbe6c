"""What schemas say of variables: whether a field can be there, and of which kind it is."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from .conditions import Comparison, kind_of
from .definition_faults import nearest
from .json_values import JsonObject, JsonValue

COMPOSED = frozenset(
    {
        *("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"),
        *("patternProperties", "unevaluatedProperties"),
    }
)
"""Keywords with which a schema says more than its `properties` do."""
_KINDS = {"integer": "number", "array": "list"}
_ORDERED = frozenset({"string", "number"})
_WORDS = {"list": "a list", "object": "an object", "null": "null", "boolean": "true or false"}


class Undeclared(ValueError):
    """A schema leaves no room for a field; the message says which there are."""


def kinds_at(schema: JsonObject, path: Sequence[str], *, complete: bool) -> frozenset[str] | None:
    """Return the kinds of value the schema allows at `path`, or None where it does not say.

    Raises `Undeclared` where it allows nothing; with `complete` its `properties` are all there are, unless it
    speaks of additional ones.
    """
    node: JsonValue = schema
    for part in path:
        if not isinstance(node, Mapping) or COMPOSED & node.keys():
            return None
        properties, rest = node.get("properties"), node.get("additionalProperties")
        known = properties if isinstance(properties, Mapping) else {}
        if part in known:
            node = known[part]
        elif rest is False or (rest is None and complete and known):
            there = f"there are {', '.join(sorted(known))}" if known else "there are none"
            raise Undeclared(f"{part[:80]!r} is not declared; {there}{nearest(part, known)}")
        elif isinstance(rest, Mapping):
            node = rest
        else:
            return None
        complete = False
    return _kinds(node) if isinstance(node, Mapping) else None


def misfit(comparison: Comparison, kinds: Collection[str]) -> str | None:
    """Return why a field of these kinds never answers the comparison, or None when it may."""
    if any(_answers(comparison, kind) for kind in kinds):
        return None
    declared = " or ".join(_WORDS.get(kind, f"a {kind}") for kind in sorted(kinds))
    wanted = "" if comparison.operator == "exists" else f" {_shown(comparison.value)}"
    return f"{comparison.field} is declared {declared}: `{comparison.operator}{wanted}` is never answered"


def _answers(comparison: Comparison, kind: str) -> bool:
    value = comparison.value
    match comparison.operator:
        case "exists":
            return True
        case "==" | "!=":
            return value is None or kind in (kind_of(value), "null")
        case "in":
            return isinstance(value, (list, tuple)) and any(kind == kind_of(entry) for entry in value)
        case "contains":
            return kind == "list" or (kind == "string" and isinstance(value, str))
        case "matches":
            return kind == "string"
        case _:
            return kind in _ORDERED and kind == kind_of(value)


def _kinds(schema: JsonObject) -> frozenset[str] | None:
    if COMPOSED & schema.keys():
        return None
    if "const" in schema:
        return frozenset({kind_of(schema["const"])})
    listed = schema.get("enum")
    if isinstance(listed, (list, tuple)) and listed:
        return frozenset(kind_of(entry) for entry in listed)
    return frozenset(_named(schema.get("type"))) or None


def _named(kind: JsonValue) -> Iterator[str]:
    for name in kind if isinstance(kind, (list, tuple)) else [kind]:
        if isinstance(name, str):
            yield _KINDS.get(name, name)


def _shown(value: JsonValue) -> str:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return shown if len(shown) <= 40 else f"{shown[:39]}…"
