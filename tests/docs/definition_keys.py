"""The keys of a definition in words, from the models that validate it: name, type and default of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from chatflow_jupyter.domain.definition import Definition

MODELS = {
    "The definition": "Definition",
    "A phase": "Phase",
    "Retries": "Retries",
    "Routes": "Route",
    "A gate": "Gate",
    "Starting on a trigger": "TriggerStart",
    "Children": "Children",
    "Spawns": "Spawns",
    "Quota": "Quota",
}
_CONDITIONS = {"when", "auto"}
_SCHEMAS = {"schema", "outputs"}


def keys_of(model: str) -> tuple[tuple[str, str, str], ...]:
    """Return `(key, type, default)` for every key of a model."""
    whole = Definition.model_json_schema(by_alias=True)
    schema = whole if model == "Definition" else whole["$defs"][model]
    needed = schema.get("required", ())
    return tuple(
        (name, _type(model, name, field), "required" if name in needed else _default(field))
        for name, field in schema["properties"].items()
    )


def _type(model: str, name: str, field: Mapping[str, Any]) -> str:
    if name in _CONDITIONS:
        return "condition"
    if name == "parameters" and model == "Definition":
        return "JSON Schema"
    if name == "on_reject":  # the source has `{goto: phase}` where the model has two fields
        return " or ".join(word.replace("goto", "{goto: …}") for word in field["enum"])
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    if name in _SCHEMAS and kinds[0].get("type") == "object":
        return "JSON Schema"
    return " or ".join(_words(kind) for kind in kinds)


def _words(kind: Mapping[str, Any]) -> str:
    if "$ref" in kind:
        return {"TriggerStart": "{on_trigger: …}", "Route": "route"}.get(_name(kind), _name(kind).lower())
    if "const" in kind:
        return str(kind["const"])
    if "enum" in kind:
        return " or ".join(kind["enum"])
    match kind.get("type"):
        case "array":
            items = kind["items"]
            return f"list of {_words(items)}s" if items else "list"
        case "integer":
            return f"whole number{_bounds(kind)}"
        case "number":
            return f"number{_bounds(kind)}"
        case "boolean":
            return "true or false"
        case "object":
            return "mapping"
        case "string":
            return "text" if "pattern" not in kind else "version" if "+" in kind["pattern"] else "name"
        case _:
            return "anything"


def _name(kind: Mapping[str, Any]) -> str:
    return str(kind["$ref"]).rpartition("/")[2]


def _bounds(kind: Mapping[str, Any]) -> str:
    low, high, over = kind.get("minimum"), kind.get("maximum"), kind.get("exclusiveMinimum")
    if over is not None:
        return f" over {over}" + ("" if high is None else f", at most {high}")
    if low is not None and high is not None:
        return f" {low} to {high}"
    return "" if low is None else f" from {low}"


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not value):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
