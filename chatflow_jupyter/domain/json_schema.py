"""JSON Schema as definitions use it: draft 2020-12, references only inside the same schema."""

from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator
from referencing import Registry

from .errors import InvalidInput
from .json_values import JsonObject, JsonValue

_NO_REMOTE: Registry[Any] = Registry()


def check_schema(schema: object) -> None:
    """Raise `ValueError` unless `schema` is a JSON Schema object that refers to nothing outside itself."""
    if not isinstance(schema, Mapping):
        raise ValueError("a JSON Schema here is an object")
    _refuse_outside_references(schema)
    try:
        Draft202012Validator.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise ValueError(f"not a JSON Schema: {error.message} at {error.json_path}") from None


def check_value(value: JsonValue, schema: JsonObject, *, what: str) -> None:
    """Raise `InvalidInput` with one line per fault unless `value` fits `schema`."""
    validator = Draft202012Validator(dict(schema), registry=_NO_REMOTE)
    faults = sorted(validator.iter_errors(value), key=lambda error: error.json_path)
    if faults:
        lines = [f"{what}{fault.json_path.removeprefix('$')}: {fault.message[:300]}" for fault in faults[:10]]
        raise InvalidInput("; ".join(lines))


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


def _refuse_outside_references(schema: object) -> None:
    if isinstance(schema, Mapping):
        for key, entry in schema.items():
            if key in ("$ref", "$dynamicRef") and not (isinstance(entry, str) and entry.startswith("#")):
                raise ValueError(f"{key} {entry!r} points outside the schema; only #… is allowed")
            _refuse_outside_references(entry)
    elif isinstance(schema, (list, tuple)):
        for entry in schema:
            _refuse_outside_references(entry)
