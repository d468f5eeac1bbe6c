"""Conditions: a closed, three-valued grammar over an instance's variables.

`{field: "static.high", operator: "<", value: 10}` under `all`, `any` and `not`. A missing field, a type
mismatch or NaN is *unknown*; `not unknown` is unknown; only `exists` turns absence into an answer.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .errors import InvalidInput
from .json_values import JsonObject, JsonValue, check_json
from .patterns import check_pattern, is_found

MAX_CONDITION_DEPTH = 16
_POSITION = re.compile(r"[0-9]{1,9}\Z")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "contains", "matches", "exists")


class Truth(Enum):
    """The three values of a condition."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, value: bool) -> "Truth":
        """Return TRUE or FALSE."""
        return cls.TRUE if value else cls.FALSE


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One field compared with a constant."""

    field: str
    operator: str
    value: JsonValue = True


@dataclass(frozen=True, kw_only=True, slots=True)
class AllOf:
    """True when every member is; false as soon as one is false."""

    members: "tuple[Condition, ...]"


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyOf:
    """True as soon as one member is; false when every member is false."""

    members: "tuple[Condition, ...]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    member: "Condition"


Condition: TypeAlias = Comparison | AllOf | AnyOf | Not


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a condition came to, and for *unknown* which fields were missing or of the wrong type."""

    truth: Truth
    unknown_fields: tuple[str, ...] = ()


class Missing(Enum):
    """The absence of a field, which null is not."""

    MISSING = "missing"


def look_up(variables: JsonObject, field: str) -> JsonValue | Missing:
    """Return the value at the dotted path `field`, list positions by number, or `Missing.MISSING`."""
    value: JsonValue = variables
    for part in field.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, (list, tuple)) and _POSITION.match(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return Missing.MISSING
    return value


def evaluate(condition: Condition, variables: JsonObject) -> Verdict:
    """Evaluate `condition` over `variables`. Total: every input gives a verdict."""
    match condition:
        case Comparison():
            truth = _compare(condition, look_up(variables, condition.field))
            return Verdict(truth=truth, unknown_fields=(condition.field,) if truth is Truth.UNKNOWN else ())
        case Not(member=member):
            inner = evaluate(member, variables)
            flipped = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}
            return Verdict(truth=flipped[inner.truth], unknown_fields=inner.unknown_fields)
        case AllOf(members=members):
            return _combine(members, variables, decisive=Truth.FALSE, otherwise=Truth.TRUE)
        case AnyOf(members=members):
            return _combine(members, variables, decisive=Truth.TRUE, otherwise=Truth.FALSE)


def comparisons_of(condition: Condition) -> tuple[Comparison, ...]:
    """Return every comparison the condition makes, in order."""
    match condition:
        case Comparison():
            return (condition,)
        case Not(member=member):
            return comparisons_of(member)
        case AllOf(members=members) | AnyOf(members=members):
            return tuple(each for member in members for each in comparisons_of(member))


def mapped(condition: Condition, change: Callable[[Comparison], Comparison]) -> Condition:
    """Return the condition with every comparison in it replaced by what `change` makes of it."""
    match condition:
        case Comparison():
            return change(condition)
        case Not(member=member):
            return Not(member=mapped(member, change))
        case AllOf(members=members):
            return AllOf(members=tuple(mapped(member, change) for member in members))
        case AnyOf(members=members):
            return AnyOf(members=tuple(mapped(member, change) for member in members))


def parse_condition(raw: object, depth: int = 0) -> Condition:
    """Build a condition from its YAML or JSON form; raises `ValueError` saying what is wrong."""
    if depth > MAX_CONDITION_DEPTH:
        raise ValueError(f"conditions may be nested at most {MAX_CONDITION_DEPTH} deep")
    if not isinstance(raw, Mapping):
        raise ValueError("a condition is a mapping: {field, operator, value}, or all / any / not")
    keys = set(raw)
    if keys == {"all"} or keys == {"any"}:
        key = keys.pop()
        entries = raw[key]
        if not isinstance(entries, (list, tuple)) or not entries:
            raise ValueError(f"`{key}` takes a list of at least one condition")
        members = tuple(parse_condition(entry, depth + 1) for entry in entries)
        return AllOf(members=members) if key == "all" else AnyOf(members=members)
    if keys == {"not"}:
        return Not(member=parse_condition(raw["not"], depth + 1))
    return _parse_comparison(raw, keys)


def condition_to_json(condition: Condition) -> JsonObject:
    """Return the form `parse_condition` reads."""
    match condition:
        case Comparison(field=field, operator=operator, value=value):
            return {"field": field, "operator": operator, "value": value}
        case Not(member=member):
            return {"not": condition_to_json(member)}
        case AllOf(members=members):
            return {"all": [condition_to_json(member) for member in members]}
        case AnyOf(members=members):
            return {"any": [condition_to_json(member) for member in members]}


def _parse_comparison(raw: Mapping[str, object], keys: set[str]) -> Comparison:
    unknown = sorted(str(key) for key in keys - {"field", "operator", "value"})
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in a condition; it has field, operator and value")
    field, operator, value = raw.get("field"), raw.get("operator"), raw.get("value", True)
    if not isinstance(field, str) or not field or not all(field.split(".")):
        raise ValueError("a condition needs `field`, a dotted path such as static.high")
    if operator not in OPERATORS:
        raise ValueError(f"unknown operator {operator!r}; there are {' '.join(OPERATORS)}")
    if operator != "exists" and "value" not in raw:
        raise ValueError(f"the operator {operator} needs a `value`")
    if operator == "exists" and not isinstance(value, bool):
        raise ValueError("`exists` takes value true or false")
    if operator == "in" and not isinstance(value, (list, tuple)):
        raise ValueError("`in` takes a list as value")
    if operator == "matches":
        if not isinstance(value, str):
            raise ValueError("`matches` takes a regular expression as value")
        check_pattern(value)
    try:
        check_json(value, what="value")
    except InvalidInput as error:
        raise ValueError(f"a condition compares with JSON: {error.message}") from None
    return Comparison(field=field, operator=str(operator), value=value)  # type: ignore[arg-type]  # YAML gives JSON


def _combine(
    members: Sequence[Condition], variables: JsonObject, *, decisive: Truth, otherwise: Truth
) -> Verdict:
    verdicts = [evaluate(member, variables) for member in members]
    if any(verdict.truth is decisive for verdict in verdicts):
        return Verdict(truth=decisive)
    unknown = tuple(field for verdict in verdicts for field in verdict.unknown_fields)
    if any(verdict.truth is Truth.UNKNOWN for verdict in verdicts):
        return Verdict(truth=Truth.UNKNOWN, unknown_fields=tuple(dict.fromkeys(unknown)))
    return Verdict(truth=otherwise)


_ORDER: dict[str, Callable[[float | str, float | str], bool]] = {
    "<": lambda left, right: left < right,  # type: ignore[operator]  # both sides are of one kind, checked before
    "<=": lambda left, right: left <= right,  # type: ignore[operator]
    ">": lambda left, right: left > right,  # type: ignore[operator]
    ">=": lambda left, right: left >= right,  # type: ignore[operator]
}


def _compare(condition: Comparison, found: JsonValue | Missing) -> Truth:
    expected = condition.value
    if condition.operator == "exists":
        return Truth.of((found is not Missing.MISSING) == expected)
    if found is Missing.MISSING or _is_nan(found):
        return Truth.UNKNOWN
    match condition.operator:
        case "==":
            return _equal(found, expected)
        case "!=":
            equal = _equal(found, expected)
            return equal if equal is Truth.UNKNOWN else Truth.of(equal is Truth.FALSE)
        case "in":
            return _member(found, expected)
        case "contains":
            if isinstance(found, str):
                return Truth.of(expected in found) if isinstance(expected, str) else Truth.UNKNOWN
            return _member(expected, found)
        case "matches":
            return _match(found, expected)
        case operator:
            if isinstance(found, str) and isinstance(expected, str):
                return Truth.of(_ORDER[operator](found, expected))
            if _is_number(found) and _is_number(expected):
                return Truth.of(_ORDER[operator](found, expected))  # type: ignore[arg-type]  # numbers, just checked
            return Truth.UNKNOWN


def _equal(left: JsonValue, right: JsonValue) -> Truth:
    if left is None or right is None:
        return Truth.of(left is right)
    if kind_of(left) != kind_of(right):
        return Truth.UNKNOWN
    return Truth.of(_same(left, right))


def _member(needle: JsonValue, haystack: JsonValue) -> Truth:
    if not isinstance(haystack, (list, tuple)):
        return Truth.UNKNOWN
    return Truth.of(any(_same(needle, entry) for entry in haystack))


def _match(found: JsonValue, pattern: JsonValue) -> Truth:
    if not isinstance(found, str) or not isinstance(pattern, str):
        return Truth.UNKNOWN
    try:
        return Truth.of(is_found(pattern, found))
    except ValueError:  # no condition that was parsed has such a pattern
        return Truth.UNKNOWN


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Compare as JSON does: true is not 1, [1] is not [true]."""
    if kind_of(left) != kind_of(right):
        return False
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return left == right


def kind_of(value: JsonValue) -> str:
    """Return boolean, number, string, null, object or list: only values of one kind are compared."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    return "object" if isinstance(value, Mapping) else "list"


def _is_number(value: JsonValue) -> bool:
    return kind_of(value) == "number"


def _is_nan(value: JsonValue) -> bool:
    return isinstance(value, float) and math.isnan(value)
