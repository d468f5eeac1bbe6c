"""The kinds of values in a definition: what each may look like, and what is told of one that will not do."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo

from .conditions import Condition, condition_to_json, parse_condition
from .ids import ENGINE_PRINCIPAL, VERBS
from .json_schema import check_schema
from .json_values import JsonValue, check_json

NAME = r"^[a-z][a-z0-9_]{0,63}$"
SCHEMA_NAME = r"^[a-z][a-z0-9_-]{0,63}$"
VERSION = r"^\d+\.\d+\.\d+(\+[0-9A-Za-z.-]+)?$"
STORED = {"stored": True}
"""Validation context of a definition read back from the store: its schemas were checked when published."""


def is_local_schema(reference: str) -> bool:
    """Whether a child schema names a file of the same template folder rather than a published name."""
    return reference.startswith("./")


def split_schema_id(schema_id: str) -> tuple[str, str | None]:
    """Split `name@version`; the version is None when absent."""
    name, _, version = schema_id.partition("@")
    return name, version or None


def is_schema_name(text: str) -> bool:
    """Whether `text` could be the name or alias of a definition."""
    return re.match(SCHEMA_NAME, text) is not None


def is_condition(value: object) -> bool:
    """Whether `value` is a parsed condition."""
    return not isinstance(value, Mapping) and hasattr(value, "__dataclass_fields__")


def _json(value: object) -> object:
    check_json(value)
    return value


def _schema(value: object, info: ValidationInfo) -> object:
    if info.context is STORED:
        return value
    check_json(value)
    if value is not None:
        check_schema(value)
        kind = value.get("type", "object") if isinstance(value, Mapping) else "object"
        if kind != "object":
            raise ValueError(f"this schema describes an object: its `type` must be object, not {kind}")
    return value


def _relative_path(value: object) -> object:
    if isinstance(value, str):
        parts = value.split("/")
        if value.startswith("/") or "\\" in value or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{value!r} must be a path inside the template folder, without . or ..")
    return value


def _schema_reference(value: object) -> object:
    if isinstance(value, str):
        if is_local_schema(value):
            _relative_path(value.removeprefix("./"))
            return value
        name, version = split_schema_id(value)
        if not is_schema_name(name) or (version is not None and not re.match(VERSION, version)):
            raise ValueError(f"{value[:80]!r} is neither ./file.yaml nor a name or name@1.0.0")
    return value


if TYPE_CHECKING:
    ConditionField: TypeAlias = Condition | None
    JsonFields: TypeAlias = dict[str, JsonValue]
    JsonSchema: TypeAlias = dict[str, JsonValue]
    JsonItems: TypeAlias = tuple[JsonValue, ...]
else:  # pydantic would otherwise validate the members itself, each in its own words
    ConditionField = Annotated[
        object,
        BeforeValidator(lambda raw: raw if raw is None or is_condition(raw) else parse_condition(raw)),
        PlainSerializer(lambda value: None if value is None else condition_to_json(value)),
    ]
    JsonSchema = Annotated[dict[str, object], BeforeValidator(_schema)]
    JsonFields = Annotated[dict[str, object], BeforeValidator(_json)]
    JsonItems = tuple[object, ...]
BundlePath = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_relative_path)]
SchemaReference = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_schema_reference)]
PhaseName = Annotated[str, Field(pattern=NAME)]


def _approver(value: object) -> object:
    if isinstance(value, str):
        verb = value.removeprefix("verb:")
        if verb != value and verb not in VERBS:
            raise ValueError(
                f"{value[:80]!r} names no verb; there are {', '.join(f'verb:{v}' for v in VERBS)}"
            )
        if not value.isprintable() or value != value.strip():
            raise ValueError(f"{value[:80]!r} is not a name: it must be printable, without spaces around it")
        if value == ENGINE_PRINCIPAL:
            raise ValueError(f"{value!r} is nobody who answers: that is what the engine itself is called")
    return value


Approver = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_approver)]
