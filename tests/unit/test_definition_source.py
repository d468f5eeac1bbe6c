"""A malformed definition is told in its author's words, with file and line; nothing else ever comes out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import MAX_SOURCE_BYTES, parse_definition
from chatflow_jupyter.domain.errors import InvalidDefinition

JARGON = re.compile(
    r"Input should|Extra inputs|Field required|Value error|literal\[|TriggerStart|validation|pydantic"
    r"|unicode string|constructor|instance of|Traceback|\bstr\b|\bint\b|\bdict\b|tuple",
)
HEAD = "name: sample\nversion: 1.0.0\nphases:\n"
ONE = HEAD + "  - name: one\n    notebook: one.ipynb\n"
FULL = """\
name: sample
aliases: [other]
version: 1.2.3
title: A sample
parameters:
  type: object
  properties: {path: {type: string}, execute: {type: boolean, default: false}}
  required: [path]
automation_level: 40
quota: {max_duration_sec: 3600, max_children: 5}
phases:
  - name: collect
    notebook: collect.ipynb
    risk: 10
    timeout_sec: 600
    retries: {max_attempts: 2, backoff_sec: 1, on: [kernel_died, timeout]}
    parameters: {limit: 10, path: {field: context.path}}
    when: {field: context.execute, operator: "==", value: true}
    start: {on_trigger: {schema: {type: object, required: [why]}}}
    fallback: rescue
    next: [{when: {field: collect.n, operator: ">", value: 3}, to: files}, {to: end}]
    outputs: {type: object, properties: {n: {type: integer}}}
    gate: {title: Sure?, auto: {field: context.execute, operator: exists}, on_reject: fail, expires_sec: 60}
  - name: rescue
    notebook: deep/rescue.ipynb
    start: on_trigger
  - name: files
    children:
      schema: ./child.yaml
      foreach: collect.files
      key: {field: item.key}
      context: {file: {field: item}, n: {field: index}}
      max_parallel: 2
      on_failure: continue
"""


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(text, file="d.yaml")
    lines = list(caught.value.problems)
    assert caught.value.message.splitlines() == lines
    for line in lines:
        assert re.match(r"d\.yaml:\d+: \S", line), line
        assert not JARGON.search(line), line
        assert len(line) < 600, line
        line.encode()
    return lines


def test_the_documented_format_is_read_as_documented() -> None:
    definition = parse_definition(FULL, file="d.yaml")
    collect, rescue, files = definition.phases
    assert collect.retries.on == ("kernel_died", "timeout")
    assert collect.waits_for_trigger
    assert collect.trigger_schema == {"type": "object", "required": ["why"]}
    assert rescue.waits_for_trigger
    assert rescue.trigger_schema is None
    assert files.children is not None
    assert files.children.max_parallel == 2
    assert definition.following("collect") == "files"
    again = Definition.load(definition.dump())
    assert again == definition


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(("on", "on"), ("yes", "yes"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"), ("0x10", "0x10")),
        *(
            ("010", 10),
            ("1_000", "1_000"),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("~", None),
            ("", None),
            ("True", True),
        ),
        *(('"1"', "1"), ("=", "="), ("|\n        a\n        b\n", "a\nb\n")),
    ],
)
def test_yaml_is_json_with_comments(written: str, value: object) -> None:
    text = ONE + f"    parameters:\n      x: {written}  # a comment\n".replace("\n  # a comment", "")
    assert parse_definition(text, file="d.yaml").phases[0].parameters == {"x": value}


def test_keys_are_text_whatever_they_look_like() -> None:
    text = ONE + "    parameters: {on: 1, 2: 3, null: 4, true: 5, 2026-01-01: 6}\n"
    found = parse_definition(text, file="d.yaml").phases[0].parameters
    assert found == {"on": 1, "2": 3, "null": 4, "true": 5, "2026-01-01": 6}


MALFORMED = [
    ("", 1, "a definition is a mapping"),
    ("- a\n- b\n", 1, "a definition is a mapping"),
    ("just text", 1, "a definition is a mapping"),
    ("name: a\n\tphases: x", 2, "a tab"),
    ("name: [a\nphases: x", 2, "not YAML"),
    ("name: 'a\nphases: x", 2, "not YAML"),
    ("name: a\nname: b\n", 2, "the key 'name' appears twice"),
    (ONE + "    retries: {on: [timeout], on: []}\n", 6, "the key 'on' appears twice"),
    ("name: &x a\ntitle: *x\n", 2, r"aliases \(\*x\) are not allowed"),
    (ONE + "    parameters: {<<: {a: 1}}\n", 6, "merges"),
    ("name: !!python/object/apply:os.system [id]\n", 1, "tags"),
    ("name: a\ntitle: !!binary aGk=\n", 2, "tags .!!binary."),
    ("name: a\n---\nname: b\n", 2, "one YAML document"),
    ("? [a, b]\n: 1\n", 1, "a key must be text"),
    ("name: a\0b", 1, r"U\+0000"),
    ('name: a\ntitle: "a\\0b"', 2, r"U\+0000"),
    ("name: a\ntitle: \x1b[31m", 2, r"U\+001B"),
    ("name: a\ntitle: \ud800", 2, "surrogate"),
    (b"name: a\ntitle: \xff\xfe", 2, "not UTF-8"),
    (ONE.encode("utf-16"), 1, "not UTF-8"),
    ("a: " + "[" * 70 + "]" * 70, 1, "nested deeper than 64"),
    ("a: " + "[" * 100_000, 1, "nested deeper than 64"),
    ("- " * 100_000, 1, "nested deeper than 64"),
    ("x: " + "[" + "1," * 30_000 + "]", 1, "more than 20000 YAML values"),
    ("#" * (10 * 1024 * 1024), 1, f"at most {MAX_SOURCE_BYTES} bytes"),
    ("é" * (MAX_SOURCE_BYTES - 10), 1, f"at most {MAX_SOURCE_BYTES} bytes"),
    ("name: a\nversion: 1.0\n", 2, "must be a version, not 1.0: it is written like 1.0.0, three numbers"),
    ("name: Big Name\n", 1, "starts with a letter a-z"),
    ("name: a\nversion: one\n", 2, "written like 1.0.0"),
    ("name: a\n", 1, "`phases` is missing"),
    ("name: a\nphases: []\n", 2, "phases: needs at least 1 entry"),
    ("name: a\nphases: {one: 1}\n", 2, "must be a list, not an object"),
    ("name: a\nphases: [3]\n", 2, "phase number 1: must be a mapping, not 3"),
    (HEAD + "  - notebook: x.ipynb\n", 4, "phase number 1: `name` is missing"),
    (
        HEAD + "  - name: one\n    notebok: x.ipynb\n",
        5,
        "phase one: unknown key 'notebok' .did you mean 'notebook'",
    ),
    (ONE + "    quux: 1\n", 6, "unknown key 'quux'; there are name, title, notebook"),
    (ONE + "    Notebook: x\n", 6, "unknown key 'Notebook' .did you mean 'notebook'"),
    (ONE + "    risk: high\n", 6, "risk: must be a whole number, not 'high'"),
    (ONE + "    risk: 101\n", 6, "risk: must be at most 100, not 101"),
    (ONE + "    risk: 2.5\n", 6, "risk: must be a whole number, not 2.5"),
    (ONE + "    risk: true\n", 6, "risk: must be a whole number, not true"),
    (ONE + "    timeout_sec: 0\n", 6, "must be more than 0, not 0"),
    (ONE + "    timeout_sec: 10 min\n", 6, "must be a number of seconds, not '10 min'"),
    (ONE + "    timeout_sec: .inf\n", 6, "not JSON"),
    (ONE + "    timeout_sec: 1e999\n", 6, "too large"),
    (ONE + f"    risk: {'9' * 5000}\n", 6, "larger than"),
    (ONE + "    title: {a: 1}\n", 6, "title: must be text, not an object"),
    (ONE + "    title: 12\n", 6, "put it in quotes"),
    (ONE + "    start: sometimes\n", 6, "start: must be auto or on_trigger or a mapping, not 'sometimes'"),
    (ONE + "    start: [auto]\n", 6, "start: must be auto or on_trigger or a mapping, not a list"),
    (
        ONE + "    start: {on_trigger: {shcema: {}}}\n",
        6,
        "start: unknown key 'shcema' .did you mean 'schema'",
    ),
    (ONE + "    start: {on_trigger: 3}\n", 6, "start"),
    (
        ONE + "    gate: {on_reject: explode}\n",
        6,
        r"gate.on_reject: must be terminate or fail or \{goto: phase\}, not 'explode'",
    ),
    (ONE + "    gate: {expires_sec: -1}\n", 6, "gate.expires_sec: must be more than 0"),
    (ONE + "    gate: yes please\n", 6, "gate: must be a mapping, not 'yes please'"),
    (ONE + "    retries: {max_attempts: 0}\n", 6, "retries.max_attempts: must be at least 1"),
    (ONE + "    retries:\n      on: timeout\n", 7, r"retries.on: must be a list, not 'timeout'"),
    (ONE + "    when: 3\n", 6, "when: a condition is a mapping"),
    (ONE + "    when: {field: context.a, operator: '=', value: 1}\n", 6, "unknown operator '='"),
    (
        ONE + "    when: {field: contxt.a, operator: exists}\n",
        6,
        "unknown field 'contxt.a'.*did you mean 'context'",
    ),
    (ONE + "    when: {field: one.a, operator: exists}\n", 6, "unknown field 'one.a'"),
    (ONE + "    gate: {auto: {field: two.a, operator: exists}}\n", 6, "gate.auto: unknown field 'two.a'"),
    (ONE + "    next: [{to: nowhere}]\n", 6, "'nowhere' must name a later phase or `end`"),
    (ONE + "    next: [{to: one}]\n", 6, "'one' must name a later phase"),
    (ONE + "    next: [{to: end}, {to: end}]\n", 6, "never reached"),
    (ONE + "    fallback: one\n", 6, "must name a later phase .there is none"),
    (ONE + "    parameters: {x: {field: onne.x}}\n", 6, "unknown field 'onne.x'"),
    (ONE + "    parameters: {x: [{y: {field: one.x}}]}\n", 6, "unknown field 'one.x'"),
    (ONE + "    outputs: {type: array}\n", 6, "`type` must be object, not array"),
    (ONE + "    outputs: {type: 3}\n", 6, "not a JSON Schema"),
    (ONE + "    outputs: {properties: {a: {pattern: '(?=b)'}}}\n", 6, "no lookaround"),
    (ONE + "    when: {field: context.a, operator: matches, value: '(b)\\1'}\n", 6, "no backreferences"),
    (ONE + "    outputs: {$ref: 'http://x/y'}\n", 6, "points outside"),
    ("parameters: {properties: {a: {type: integer, default: x}}}\n" + ONE, 1, "'x' is not of type 'integer'"),
    (ONE + "  - name: one\n    notebook: two.ipynb\n", 6, "the name 'one' appears twice"),
    (ONE + "  - name: end\n    notebook: two.ipynb\n", 6, "the name is reserved"),
    (ONE + "  - name: two\n", 6, "needs a `notebook`, `children`, or both"),
    (ONE + "    next: [{to: end}]\n  - name: two\n    notebook: two.ipynb\n", 7, "no phase leads to it"),
    (ONE + "  - {name: Two, notebook: two.ipynb}\n", 6, "phase Two: name: 'Two' will not do"),
    (HEAD + "  - {name: one, notebook: ../one.ipynb}\n", 4, "path inside the template folder"),
    (HEAD + "  - {name: one, notebook: /etc/one.ipynb}\n", 4, "path inside the template folder"),
    (HEAD + "  - {name: one, notebook: 'a\\b.ipynb'}\n", 4, "path inside the template folder"),
    (HEAD + "  - {name: one, notebook: one.py}\n", 4, "must end in .ipynb"),
    (HEAD + "  - {name: one, notebook: ''}\n", 4, "path inside|may not be empty"),
    (HEAD + "  - {name: one, children: 3}\n", 4, "children: must be a mapping, not 3"),
    (HEAD + "  - {name: one, children: {foreach: context.x}}\n", 4, "`schema` is missing"),
    (HEAD + "  - {name: one, children: {schema: ./c.yaml}}\n", 4, "exactly one of `foreach`"),
    (
        HEAD + "  - {name: one, children: {schema: ./c.yaml, items: [], foreach: context.x}}\n",
        4,
        "exactly one",
    ),
    (
        HEAD + "  - {name: one, children: {schema: ../c.yaml, items: []}}\n",
        4,
        "neither ./file.yaml nor a name",
    ),
    (HEAD + "  - {name: one, children: {schema: ./../c.yaml, items: []}}\n", 4, "inside the template folder"),
    (HEAD + "  - {name: one, children: {schema: a@latest, items: []}}\n", 4, "neither"),
    (HEAD + "  - {name: one, children: {schema: a, foreach: two.x}}\n", 4, "unknown field 'two.x'"),
    (HEAD + "  - {name: one, children: {schema: a, items: [], key: {x: 1}}}\n", 4, "key must be a reference"),
    (
        HEAD + "  - {name: one, children: {schema: a, items: [], key: {field: context.x}}}\n",
        4,
        "unknown field",
    ),
    (HEAD + "  - {name: one, children: {schema: a, items: [], max_parallel: 0}}\n", 4, "at least 1"),
    (HEAD + "  - {name: one, children: {schema: a, items: 3}}\n", 4, "must be a list"),
]


@pytest.mark.parametrize(("text", "line", "says"), MALFORMED, ids=[says[:40] for _, _, says in MALFORMED])
def test_a_malformed_definition(text: str | bytes, line: int, says: str) -> None:
    found = faults(text)
    fitting = [fault for fault in found if re.search(says, fault)]
    assert fitting, found
    assert fitting[0].startswith(f"d.yaml:{line}: "), found


def test_every_fault_is_reported_once_in_the_order_of_the_file() -> None:
    text = HEAD + "  - name: one\n    risk: 101\n    start: no\n  - name: Two\n    notebok: x\ncolour: red\n"
    found = faults(text)
    assert [int(line.split(":")[1]) for line in found] == [5, 6, 7, 8, 9]
    assert len(found) == len(set(found))


def test_a_thousand_faults_are_not_a_thousand_lines() -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse_definition(HEAD + "".join(f"  - {{name: {n}}}\n" for n in range(190)), file="d.yaml")
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1] == "d.yaml: and 140 more faults"


def outcome(text: str | bytes) -> None:
    """Whatever is read is a definition or a list of readable faults."""
    try:
        definition = parse_definition(text, file="d.yaml")
    except InvalidDefinition as error:
        problems = error.problems
    else:
        assert definition.phases
        return
    assert problems
    for line in problems:
        assert re.match(r"d\.yaml(:\d+)?: \S[^\n\r]*$", line), line
        assert not JARGON.search(line.split("'", 1)[0]), line


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_text_is_a_definition_or_readable_faults(text: str | bytes) -> None:
    outcome(text)


WORDS = [
    "name",
    "phases",
    "one",
    "on",
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "&a ",
    "*a",
    "!!x ",
]
WORDS += [
    "|",
    ">",
    "'",
    '"',
    "#",
    "? ",
    "---",
    "\t",
    "<<",
    "1",
    ".nan",
    "~",
    "\\",
    "%",
    "@",
    "`",
    "\u2028",
    "é",
]


@given(st.lists(st.sampled_from(WORDS), max_size=30).map("".join))
def test_any_yaml_is_a_definition_or_readable_faults(text: str) -> None:
    outcome(text)


VALUES = st.recursive(
    st.sampled_from(["one", "end", "x.ipynb", "auto", "context.x", "==", "./c.yaml", "object", ""])
    | st.integers(-2, 101)
    | st.none()
    | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "field",
                    "operator",
                    "value",
                    "to",
                    "when",
                    "on",
                    "schema",
                    "foreach",
                    "type",
                    "all",
                    "on_trigger",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
PHASE_KEYS = [
    "name",
    "notebook",
    "start",
    "when",
    "fallback",
    "next",
    "gate",
    "retries",
    "children",
    "outputs",
]
PHASE_KEYS += ["parameters", "risk", "timeout_sec", "colour"]


@given(st.dictionaries(st.sampled_from(PHASE_KEYS), VALUES, max_size=5), VALUES)
def test_any_shape_is_a_definition_or_readable_faults(phase: dict[str, object], other: object) -> None:
    import json

    first = {"name": "one", "notebook": "one.ipynb", **phase}
    outcome(json.dumps({"name": "a", "phases": [first, other], "parameters": other}))


@given(st.data())
def test_a_definition_with_one_line_changed(data: st.DataObject) -> None:
    lines = FULL.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    at = data.draw(st.integers(0, len(line)))
    inserted = data.draw(st.sampled_from([*WORDS, "x", " ", ""]))
    lines[number] = line[:at] + inserted + line[at + data.draw(st.integers(0, 3)) :]
    outcome("\n".join(lines) + "\n")
