"""JSON Schema: refused at load when it could not be applied, and never fetched from anywhere."""

import pytest

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.json_schema import check_schema, check_value, with_defaults


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ([], "is an object"),
        ({"type": 3}, "not a JSON Schema"),
        ({"$ref": "http://example.org/x"}, "points outside"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "points outside"),
        ({"$ref": "#/nowhere"}, "points to nothing"),
        ({"$dynamicRef": "#nobody"}, "points to nothing"),
        ({"$id": "http://example.org/", "$ref": "#/$defs/a", "$defs": {"a": {}}}, r"no \$id"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, r"\$schema is"),
        ({"pattern": "("}, "regex|regular expression"),
        ({"patternProperties": {"(": {}}}, "regex|regular expression"),
    ],
)
def test_a_schema_that_could_not_be_applied_is_refused(schema: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"$ref": "#/$defs/n"}}},
        {"allOf": [{"$ref": "#"}]},
    ],
)
def test_a_schema_that_refers_to_itself_for_ever_refuses_every_value(schema: dict[str, object]) -> None:
    check_schema(schema)
    with pytest.raises(InvalidInput, match="refers to itself for ever"):
        check_value({"a": 1}, schema, what="outputs")  # type: ignore[arg-type]


def test_recursive_and_anchored_schemas_work() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
    check_schema(tree)
    check_value({"next": {"next": {}}}, tree, what="x")
    with pytest.raises(InvalidInput, match=r"x\.next\.next: Additional"):
        check_value({"next": {"next": {"other": 1}}}, tree, what="x")
    check_schema({"$ref": "#here", "$defs": {"a": {"$anchor": "here"}}})


def test_properties_may_be_called_like_keywords() -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}}
    check_schema(schema)
    check_value({"$ref": "x", "pattern": "("}, schema, what="x")


def test_every_fault_is_named_up_to_ten() -> None:
    schema = {"properties": {name: {"type": "integer"} for name in "abcdefghijklmn"}}
    with pytest.raises(InvalidInput) as caught:
        check_value(dict.fromkeys("abcdefghijklmn", "no"), schema, what="parameters")
    assert caught.value.message.count("parameters.") == 10


def test_defaults_are_filled_in_and_never_overwrite() -> None:
    schema = {"properties": {"a": {"default": 1}, "b": {"default": None}, "c": {}}}
    assert with_defaults({"a": 2}, schema) == {"a": 2, "b": None}
    assert with_defaults({"a": 2}, {"properties": 3}) == {"a": 2}
