"""JSON Schema as definitions use it: draft 2020-12, references only inside the same schema."""

from collections.abc import Mapping

from .json_values import JsonObject, JsonValue


def check_schema(schema: object) -> None:
    """Raise `ValueError` unless `schema` is a JSON Schema object that refers to nothing outside itself."""
    if not isinstance(schema, Mapping):
        raise ValueError("a JSON Schema here is an object")
    if schema:
        from .schema_validation import check_full_schema

        check_full_schema(schema)


def check_value(value: JsonValue, schema: JsonObject, *, what: str) -> None:
    """Raise `InvalidInput` with one line per fault unless `value` fits `schema`."""
    if schema:
        from .schema_validation import check_full_value

        check_full_value(value, schema, what=what)


def with_defaults(value: JsonObject, schema: JsonObject) -> JsonObject:
    """Return `value` with the top-level defaults of an object schema filled in."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return value
    defaults = {
        name: entry["default"]
        for name, entry in properties.items()
        if isinstance(entry, Mapping) and "default" in entry and name not in value
    }
    return {**defaults, **value}
