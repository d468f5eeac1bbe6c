"""What changed between two definitions, in words, and what breaks those who start them."""

import pytest

from chatflow_jupyter.domain.definition_changes import changes_between
from chatflow_jupyter.domain.definition_source import parse_definition

BASE = """\
name: sample
version: 1.0.0
parameters:
  type: object
  required: [month]
  properties:
    month: {type: integer, minimum: 1, maximum: 12}
    mode: {enum: [fast, slow]}
    note: {type: string, default: none}
phases:
  - {name: collect, notebook: collect.ipynb, timeout_sec: 60}
  - {name: check, notebook: check.ipynb, gate: {quorum: 2, approvers: [ann, bob]}}
  - {name: publish, notebook: publish.ipynb}
"""
CLOSED = "  type: object\n  additionalProperties: false\n"


def told(after: str, before: str = BASE) -> list[tuple[str, bool]]:
    old, new = (parse_definition(text, file="d.yaml") for text in (before, after))
    return [(f"{change.what}: {change.how}", change.breaks) for change in changes_between(old, new)]


def test_nothing_differs_between_a_definition_and_itself() -> None:
    assert told(BASE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1.0.0", "1.1.0", "version: 1.0.0 -> 1.1.0"),
        ("timeout_sec: 60", "timeout_sec: 90", "phase collect: timeout_sec: 60.0 -> 90.0"),
        (", timeout_sec: 60", "", "phase collect: timeout_sec: 60.0 is gone"),
        ("publish.ipynb}", "publish.ipynb, risk: 70}", "phase publish: risk: is 70 now"),
        ("quorum: 2, ", "", "phase check: gate.quorum: 2 is gone"),
        ("phases:", "quota: {max_children: 3}\nphases:", 'quota: is {"max_children":3} now'),
        ("  - {name: publish, notebook: publish.ipynb}\n", "", "phase publish: is gone"),
        ("name: publish,", "name: print,", "phase publish: is called print now"),
        ("phases:\n", "phases:\n  - {name: begin, notebook: b.ipynb}\n", "phase begin: is new, first"),
        (
            "publish.ipynb}\n",
            "publish.ipynb}\n  - {name: tell, notebook: t.ipynb}\n",
            "phase tell: is new, after publish",
        ),
    ],
)
def test_what_no_caller_notices(old: str, new: str, said: str) -> None:
    assert told(BASE.replace(old, new, 1)) == [(said, False)]


def test_a_phase_that_comes_elsewhere_is_told_once() -> None:
    lines = BASE.splitlines(keepends=True)
    assert told("".join([*lines[:10], lines[11], lines[12], lines[10]])) == [
        ("phase collect: comes after publish now", False)
    ]


@pytest.mark.parametrize(
    ("old", "new", "said", "breaks"),
    [
        ("required: [month]", "required: [month, mode]", "parameter mode: is required now", True),
        ("required: [month]", "required: []", "parameter month: is not required any more", False),
        ("required: [month]", "required: [month, other]", "parameter other: is required now", True),
        ("    note:", "    new: {}\n    note:", "parameter new: is new", False),
        ("    note: {type: string, default: none}\n", "", "parameter note: is gone", False),
        ("maximum: 12", "maximum: 6", "parameter month: maximum: 12 -> 6", True),
        ("maximum: 12", "maximum: 13", "parameter month: maximum: 12 -> 13", False),
        ("minimum: 1, ", "", "parameter month: minimum: 1 -> none", False),
        ("{type: integer,", "{type: number,", 'parameter month: type: "integer" -> "number"', False),
        ("{type: string,", "{", 'parameter note: type: "string" -> none', False),
        ("[fast, slow]", "[fast]", 'parameter mode: "slow" does not fit any more', True),
        ("[fast, slow]", "[fast, slow, 3]", "parameter mode: 3 fits too", False),
        ("{enum: [fast, slow]}", "{}", "parameter mode: any value of its type fits now", False),
        ("default: none", "default: some", 'parameter note: default: "none" -> "some"', False),
        ("default: none", "default: none, pattern: '^n'", "parameter note: `pattern` changed", True),
        ("  type: object\n", CLOSED, "parameters: others are refused now", True),
    ],
)
def test_what_a_caller_gives_fits_or_may_not_any_more(old: str, new: str, said: str, breaks: bool) -> None:
    assert told(BASE.replace(old, new, 1)) == [(said, breaks)]


def test_what_is_required_and_has_a_default_breaks_nobody() -> None:
    assert [breaks for _, breaks in told(BASE.replace("[month]", "[month, note]"))] in ([], [False])


@pytest.mark.parametrize(
    ("old", "new"),
    [("{type: integer,", "{type: [integer, string],"), ("{type: string,", '{type: [string, "null"],')],
)
def test_a_type_that_was_widened_breaks_nobody_and_one_narrowed_does(old: str, new: str) -> None:
    wide = BASE.replace(old, new)
    assert [breaks for _, breaks in told(wide)] == [False]
    assert [breaks for _, breaks in told(BASE, wide)] == [True]


def test_a_parameter_that_is_gone_breaks_callers_where_others_are_refused() -> None:
    closed = BASE.replace("  type: object\n", CLOSED)
    without = closed.replace("    note: {type: string, default: none}\n", "")
    assert told(without, closed) == [("parameter note: is gone", True)]
