"""Conditions in words, with what their fields hold now, for those who ask why."""

from .conditions import AllOf, AnyOf, Comparison, Condition, Missing, Not, look_up
from .json_values import JsonObject, canonical_json

MAX_VALUE = 60


def in_words(condition: Condition, variables: JsonObject) -> str:
    """Return the condition as a person reads it: `static.high < 10 (it is 3)`."""
    match condition:
        case Comparison(operator="exists", value=wanted):
            there = "is there" if wanted else "is absent"
            return f"{condition.field} {there}{_now(condition.field, variables, wanted is True)}"
        case Comparison(field=field, operator=operator, value=value):
            return f"{field} {operator} {_shown(canonical_json(value))}{_now(field, variables, True)}"
        case Not(member=member):
            return f"not ({in_words(member, variables)})"
        case AllOf(members=members):
            return _joined(" and ", members, variables)
        case AnyOf(members=members):
            return _joined(" or ", members, variables)


def _joined(word: str, members: tuple[Condition, ...], variables: JsonObject) -> str:
    parts = [
        f"({in_words(member, variables)})"
        if isinstance(member, (AllOf, AnyOf))
        else in_words(member, variables)
        for member in members
    ]
    return word.join(parts)


def _now(field: str, variables: JsonObject, wanted: bool) -> str:
    found = look_up(variables, field)
    if isinstance(found, Missing):
        return " (it is not known)" if wanted else ""
    return f" (it is {_shown(canonical_json(found))})"


def _shown(text: str) -> str:
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
