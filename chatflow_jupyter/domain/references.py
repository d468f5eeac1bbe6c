"""References: `{field: path}` in a definition stands for a variable of the instance."""

from collections.abc import Mapping

from .conditions import Missing, look_up
from .definition import field_reference
from .json_values import JsonObject, JsonValue


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
