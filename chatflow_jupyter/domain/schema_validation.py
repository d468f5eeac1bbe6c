"""Checking JSON Schemas and values against them, with the `jsonschema` library.

Apart from `json_schema`, because importing that library takes a quarter of a second, which a process that
needs no schema should not pay.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import jsonschema
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, Schema

if TYPE_CHECKING:
    from referencing._core import Resolver

from .errors import InvalidInput
from .json_values import JsonObject, JsonValue
from .patterns import check_pattern, is_found

_NO_REMOTE: Registry[Schema] = Registry()
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES = ("$ref", "$dynamicRef")
_NO_FORMATS = FormatChecker(formats=())


def check_full_schema(schema: Mapping[str, object]) -> None:
    """Raise `ValueError` unless `schema` is a JSON Schema that refers to nothing outside itself."""
    keywords: set[str] = set()
    for part in _parts(schema):
        keywords |= part.keys()
        if isinstance(part.get("$id"), str) or part.get("$schema", _DIALECT) != _DIALECT:
            raise ValueError(f"a JSON Schema here has no $id, and its $schema is {_DIALECT} or absent")
    try:
        Draft202012Validator.check_schema(dict(schema), format_checker=_NO_FORMATS)
    except jsonschema.SchemaError as error:
        raise ValueError(f"not a JSON Schema: {error.message[:300]} at {error.json_path}") from None
    resolver = _NO_REMOTE.resolver_with_root(DRAFT202012.create_resource(dict(schema)))
    for part in _parts(schema):
        for key in _REFERENCES:
            target = part.get(key)
            if isinstance(target, str):
                _check_reference(key, target, resolver)
        for pattern in _patterns(part):
            check_pattern(pattern)
    if {"patternProperties", "unevaluatedProperties"} <= keywords:
        raise ValueError("unevaluatedProperties does not go with patternProperties; use additionalProperties")


def check_full_value(value: JsonValue, schema: JsonObject, *, what: str) -> None:
    """Raise `InvalidInput` with one line per fault unless `value` fits `schema`."""
    validator = _Validator(dict(schema), registry=_NO_REMOTE)
    try:
        faults = sorted(validator.iter_errors(value), key=lambda error: error.json_path)
    except (RecursionError, Unresolvable, ValueError) as error:
        reason = "it refers to itself for ever" if isinstance(error, RecursionError) else str(error)[:300]
        raise InvalidInput(f"{what}: the schema cannot be applied: {reason}") from None
    if faults:
        lines = [f"{what}{fault.json_path.removeprefix('$')}: {fault.message[:300]}" for fault in faults[:10]]
        raise InvalidInput("; ".join(lines))


def _parts(schema: object) -> Iterator[Mapping[str, object]]:
    """Yield every object in the schema, those inside `enum` and other data as well."""
    if isinstance(schema, Mapping):
        yield schema
        for entry in schema.values():
            yield from _parts(entry)
    elif isinstance(schema, (list, tuple)):
        for entry in schema:
            yield from _parts(entry)


def _check_reference(key: str, target: str, resolver: "Resolver[Schema]") -> None:
    if not target.startswith("#"):
        raise ValueError(f"{key} {target[:80]!r} points outside the schema; only #… is allowed")
    try:
        resolver.lookup(target)
    except Unresolvable:
        raise ValueError(f"{key} {target[:80]!r} points to nothing in the schema") from None


def _patterns(part: Mapping[str, object]) -> Iterator[str]:
    pattern, named = part.get("pattern"), part.get("patternProperties")
    if isinstance(pattern, str):
        yield pattern
    if isinstance(named, Mapping):
        yield from (key for key in named if isinstance(key, str))


class _Descending(Protocol):
    """What a keyword needs of the library's validator."""

    def descend(
        self, instance: object, schema: object, path: str | None = None, schema_path: str | None = None
    ) -> Iterator[ValidationError]:
        """Yield the faults of a part of the value."""


def _pattern(_: _Descending, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not is_found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: _Descending, named: Mapping[str, object], instance: object, _: object
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, schema in named.items():
            for name in instance:
                if is_found(pattern, name):
                    yield from validator.descend(instance[name], schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: _Descending, rest: object, instance: object, schema: Mapping[str, Mapping[str, object]]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name in instance:
        if name in known or any(is_found(pattern, name) for pattern in patterns):
            continue
        if rest is False:
            yield ValidationError(f"{name!r} is a property that is not allowed")
        else:
            yield from validator.descend(instance[name], rest, path=name)


# The library searches with Python's own expressions. So it does in unevaluatedProperties, which is left to
# it: without patternProperties there is nothing to search for.
_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # its stubs leave it untyped
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)
