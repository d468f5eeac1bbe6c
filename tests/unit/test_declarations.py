"""What a definition declares and then contradicts is refused where it is written; what is stored is read."""

import re
from typing import get_args

import pytest

from chatflow_jupyter.domain.attempt_codes import ATTEMPT_CODES
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition
from chatflow_jupyter.runner.notebook_job import FailureCode

HEAD = """\
name: sample
parameters:
  type: object
  properties:
    month: {type: integer}
    where: {type: object, properties: {town: {type: string}}, additionalProperties: false}
    regions: {type: array, items: {type: string}}
    mode: {enum: [fast, 3]}
    level: {type: [string, "null"]}
    free: {}
phases:
  - name: one
    notebook: one.ipynb
    outputs: {properties: {n: {type: number}, label: {type: string}}, additionalProperties: false}
"""
TWO = "  - name: two\n    notebook: two.ipynb\n"
WHEN = HEAD + TWO + "    when: "


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(text, file="d.yaml")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            "{field: context.mnth, operator: exists}",
            r"'mnth' is not declared; .*did you mean 'month'",
        ),
        ("{field: context.month.day, operator: exists}", None),
        ("{field: context.where.twn, operator: exists}", r"'twn' is not declared.*did you mean 'town'"),
        ("{field: context.month, operator: ==, value: April}", r"declared a number: `== 'April'` is never"),
        ('{field: context.month, operator: "!=", value: true}', r"`!= true` is never answered"),
        ("{field: context.month, operator: matches, value: a}", r"declared a number: `matches 'a'`"),
        ("{field: context.month, operator: in, value: [a, b]}", r"`in \['a', 'b'\]` is never"),
        ("{field: context.where, operator: <, value: 1}", r"declared an object: `< 1`"),
        ("{field: context.regions, operator: ==, value: x}", r"declared a list: `== 'x'`"),
        ("{field: context.mode, operator: ==, value: true}", r"a number or a string: `== true`"),
        ('{field: one.label, operator: ">", value: 3}', r"one.label is declared a string: `> 3`"),
        ("{field: one.count, operator: exists}", r"'count' is not declared; there are label, n"),
        (
            "{any: [{field: context.free, operator: exists}, {not: {field: one.m, operator: exists}}]}",
            "'m' is",
        ),
    ],
)
def test_a_condition_on_what_is_not_declared_so(condition: str, said: str | None) -> None:
    if said is None:
        assert parse_definition(WHEN + condition + "\n", file="d.yaml")
        return
    (fault,) = faults(WHEN + condition + "\n")
    assert fault.startswith("d.yaml:17: phase two: when: ")
    assert re.search(said, fault), fault


@pytest.mark.parametrize(
    "condition",
    [
        "{field: context.month, operator: ==, value: 4}",
        "{field: context.month, operator: in, value: [a, 4]}",
        "{field: context.level, operator: ==, value: null}",
        "{field: context.level, operator: contains, value: a}",
        "{field: context.regions, operator: contains, value: 3}",
        "{field: context.regions.0, operator: ==, value: 3}",
        "{field: context.mode, operator: ==, value: 3}",
        "{field: context.free, operator: <, value: 3}",
        "{field: one.status, operator: ==, value: succeeded}",
        "{field: one.gate.reason, operator: exists}",
        "{field: trigger.anything, operator: ==, value: 3}",
    ],
)
def test_a_condition_that_can_be_answered_is_left_alone(condition: str) -> None:
    assert parse_definition(WHEN + condition + "\n", file="d.yaml").phases[1].when is not None


@pytest.mark.parametrize(
    "parameters",
    [
        "{}",
        "{type: object}",
        "{properties: {a: {}}, additionalProperties: true}",
        "{properties: {a: {}}, patternProperties: {'^x': {}}}",
        "{properties: {a: {}}, allOf: [{properties: {x: {}}}]}",
    ],
)
def test_where_more_may_be_there_than_is_named_no_name_is_a_slip(parameters: str) -> None:
    text = f"name: a\nparameters: {parameters}\nphases:\n" + TWO
    text += "    when: {field: context.x, operator: exists}\n"
    assert parse_definition(text, file="d.yaml")


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        (
            "    parameters: {m: {field: context.mnth}}\n",
            17,
            "parameters: context.mnth: 'mnth'",
        ),
        ("    parameters:\n      m: [{x: {field: one.count}}]\n", 17, "one.count: 'count' is not declared"),
        (
            "    children: {schema: a, foreach: context.month}\n",
            17,
            "month is declared number, not a list",
        ),
        ("    children: {schema: a, foreach: context.mnth}\n", 17, "foreach: context.mnth: 'mnth'"),
        (
            "    children: {schema: a, items: [1], context: {x: {field: context.mnth}}}\n",
            17,
            "children.context: context.mnth",
        ),
        (
            "    retries: {max_attempts: 2, on: [timeout, timeuot]}\n",
            17,
            "retries.on.1.: no attempt",
        ),
        ("    retries:\n      on:\n      - runner_gone\n", 19, "'runner_gone'; there are bad_notebook, c"),
    ],
)
def test_a_field_or_code_that_does_not_exist(more: str, line: int, said: str) -> None:
    (fault,) = faults(HEAD + TWO + more)
    assert fault.startswith(f"d.yaml:{line}: phase two: ")
    assert re.search(said, fault), fault


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{minimum: 3, maximum: 2}", "minimum 3 is more than maximum 2: nothing fits"),
        ("{minLength: 3, maxLength: 2}", "minLength 3 is more than"),
        ("{minItems: 3, maxItems: 2}", "minItems 3 is more than"),
        ("{exclusiveMinimum: 2, maximum: 2}", "exclusiveMinimum 2 leaves nothing below maximum 2"),
        ("{minimum: 2, exclusiveMaximum: 2}", "minimum 2 leaves nothing below"),
        ("{enum: []}", "enum: an empty list|should be non-empty"),
        ("{type: integer, enum: [a, 1.5]}", "enum: none of its values is of the type integer"),
        ("{type: [string, boolean], const: 3}", "const: none of its values is of the type string or boolean"),
        (
            "{required: [a], properties: {b: {}}, additionalProperties: false}",
            "'a' is required, and not among",
        ),
        ("{required: [a], properties: {a: false}}", "'a' is required, and its schema is false"),
        ("{properties: {b: {type: integer, default: x}}}", "'x' is not of type 'integer'"),
        ("{items: {minimum: 3, maximum: 2}}", "minimum 3 is more"),
        ("{additionalProperties: {minimum: 3, maximum: 2}}", "minimum 3 is more"),
    ],
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "name: a\nparameters:\n  properties:\n    a:\n      {type: object, properties: {x: ",
            "}}\nphases:\n" + TWO,
        ),
        ("name: a\nphases:\n" + TWO + "    outputs: {properties: {x: ", "}}\n"),
        ("name: a\nphases:\n" + TWO + "    gate: {schema: {properties: {x: ", "}}}\n"),
        ("name: a\nphases:\n" + TWO + "    start: {on_trigger: {schema: {properties: {x: ", "}}}}\n"),
    ],
)
def test_a_schema_that_nothing_fits_is_told_where_it_is_written(
    before: str, after: str, schema: str, said: str
) -> None:
    found = faults(before + schema + after)
    assert any(re.search(said, fault) for fault in found), found
    assert all(fault.startswith("d.yaml:5: ") for fault in found), found


@pytest.mark.parametrize(
    "schema",
    [
        "{minimum: 2, maximum: 2}",
        "{type: number, enum: [1, a]}",
        "{type: integer, const: 3.0}",
        "{required: [a], additionalProperties: {type: string}}",
        "{required: [xa], patternProperties: {'^x': {}}, additionalProperties: false}",
        "{anyOf: [{minimum: 3, maximum: 2}, {type: string}]}",
        "{default: {b: 1}, $ref: '#/$defs/other'}",
    ],
)
def test_a_schema_that_something_fits_is_left_alone(schema: str) -> None:
    text = f"name: a\nphases:\n{TWO}    outputs: {{$defs: {{other: {{}}}}, properties: {{x: {schema}}}}}\n"
    assert parse_definition(text, file="d.yaml")


def test_children_that_a_depth_of_one_leaves_no_room_for() -> None:
    text = "name: a\nmax_depth: 1\nphases:\n  - {name: one, children: {schema: b, items: [1]}}\n"
    (fault,) = faults(text)
    assert fault == "d.yaml:4: phase one: children: `max_depth: 1` leaves no room for children"


def test_every_way_a_notebook_fails_may_be_named_under_retries() -> None:
    assert ATTEMPT_CODES - set(get_args(FailureCode)) == {
        *("invalid_parameters", "invalid_outputs", "invalid_children", "quota_exceeded", "too_deep")
    }
    assert set(get_args(FailureCode)) <= ATTEMPT_CODES


def test_a_stored_definition_is_read_whatever_is_refused_today() -> None:
    definition = parse_definition(HEAD + TWO, file="d.yaml")
    raw = definition.dump().replace('"two.ipynb"', '"two.ipynb","retries":{"on":["gone"]},"when":WHEN')
    raw = raw.replace("WHEN", '{"field":"context.mnth","operator":"==","value":1}')
    stored = Definition.load(raw.replace('"integer"', '"integer","minimum":3,"maximum":2'))
    assert stored.phases[1].retries.on == ("gone",)
    assert stored.phases[1].when is not None
