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
        ({"pattern": "("}, "not a regular expression of RE2"),
        ({"patternProperties": {"(": {}}}, "not a regular expression of RE2"),
        ({"properties": {"a": {"pattern": "(?=b)"}}}, r"'\(\?=b\)' is not .*no lookaround"),
        ({"$defs": {"a": {"patternProperties": {r"(a)\1": {}}}}}, "no backreferences"),
        ({"pattern": "\ud800"}, "not a regular expression of RE2"),
        ({"pattern": "(((a{100}){100}){100}){100}"}, "repetition"),
        ({"allOf": [{"patternProperties": {"a": {}}}], "unevaluatedProperties": False}, "does not go with"),
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
    with pytest.raises(InvalidInput, match=r"x\.next\.next: 'other' is a property"):
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


CATASTROPHE = "^(a+)+$"
LONG = "a" * 100_000 + "!"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": CATASTROPHE}, LONG),
        ({"properties": {"a": {"anyOf": [{"pattern": CATASTROPHE}]}}}, {"a": LONG}),
        ({"propertyNames": {"pattern": CATASTROPHE}}, {LONG: 1}),
        ({"patternProperties": {CATASTROPHE: {}}, "additionalProperties": False}, {LONG: 1}),
        ({"patternProperties": {CATASTROPHE: {}}, "additionalProperties": {"type": "string"}}, {LONG: 1}),
        ({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"not": {"pattern": CATASTROPHE}}}}, LONG),
    ],
)
@pytest.mark.timeout(20)
def test_no_pattern_takes_longer_than_its_text(schema: dict[str, object], value: object) -> None:
    """Python's own expressions would take longer than the age of the universe."""
    check_schema(schema)
    with pytest.raises(InvalidInput):
        check_value(value, schema, what="x")  # type: ignore[arg-type]


def test_patterns_and_the_properties_they_name_are_applied() -> None:
    schema = {
        "properties": {"id": {"pattern": r"^\p{L}{2}[0-9]+$"}},
        "patternProperties": {"^n_": {"type": "integer"}, "_s$": {"type": "string"}},
        "additionalProperties": False,
    }
    check_schema(schema)
    check_value({"id": "éb42", "n_a": 1, "b_s": "c"}, schema, what="x")
    with pytest.raises(InvalidInput) as caught:
        check_value({"id": "a42", "n_a": "1", "n_s": 2, "other": 0}, schema, what="x")
    lines = set(caught.value.message.split("; "))
    assert lines == {
        r"x.id: 'a42' does not match '^\\p{L}{2}[0-9]+$'",
        "x.n_a: '1' is not of type 'integer'",
        "x.n_s: 2 is not of type 'string'",
        "x: 'other' is a property that is not allowed",
    }
    check_value({"id": 3}, {"properties": {"id": {"pattern": "a"}}}, what="x")
    with pytest.raises(InvalidInput, match="does not match"):
        check_value("a\n", {"pattern": "a$"}, what="x")
    check_schema({"unevaluatedProperties": False, "properties": {"a": {}}})
    with pytest.raises(InvalidInput, match="'b' was unexpected"):
        check_value({"b": 1}, {"unevaluatedProperties": False, "properties": {"a": {}}}, what="x")
