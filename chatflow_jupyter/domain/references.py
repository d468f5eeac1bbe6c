"""References: `{field: path}` in a definition stands for a variable of the instance."""

from collections.abc import Mapping

from .conditions import Missing, look_up
from .json_values import JsonObject, JsonValue


def field_reference(value: JsonValue) -> str | None:
    """Return the dotted path when `value` is a reference `{field: path}`, else None."""
    if isinstance(value, Mapping) and set(value) == {"field"} and isinstance(value["field"], str):
        return value["field"]
    return None


def resolve(value: JsonValue, variables: JsonObject) -> JsonValue:
    """Replace every `{field: path}` in `value` by the variable; raises `LookupError` when one is absent."""
    reference = field_reference(value)
    if reference is not None:
        found = look_up(variables, reference)
        if found is Missing.MISSING:
            raise LookupError(f"there is no variable {reference!r}")
        return found
    if isinstance(value, Mapping):
        return {key: resolve(entry, variables) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(entry, variables) for entry in value]
    return value
