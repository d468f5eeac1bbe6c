"""What is typed after -p, -y, -f, --context and --matrix, and what comes of it."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.errors import ChatFlowError, InvalidInput
from chatflow_jupyter.domain.json_values import MAX_BYTES, JsonObject, JsonValue, check_json
from chatflow_jupyter.interfaces.cli.parameters import Typing, contexts_of, read_data
from chatflow_jupyter.interfaces.cli.parser import build_parser

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "format": "path", "default": "."},
        "limit": {"type": "integer"},
        "share": {"type": "number"},
        "execute": {"type": "boolean"},
        "names": {"type": "array"},
        "more": {"type": "object"},
        "either": {"type": ["integer", "string"]},
        "level": {"enum": ["low", "high"]},
        "free": {},
    },
}


def contexts(*words: str, schema: JsonObject = SCHEMA, hints: dict[str, str | None] | None = None) -> Any:
    options: argparse.Namespace = build_parser().parse_args(["run", "x", *words])
    return contexts_of(options, Typing(schema, hints or {}))


def typed(name: str, text: str, **how: Any) -> Any:
    return contexts("-p", f"{name}={text}", **how)[0][name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limit", "5", 5),
        ("limit", "5.0", 5),
        ("share", "5", 5),
        ("share", "1e-3", 0.001),
        ("execute", "true", True),
        ("execute", "False", False),
        ("execute", "yes", True),
        ("execute", "0", False),
        ("names", '["a", 1]', ["a", 1]),
        ("more", '{"a": null}', {"a": None}),
        ("either", "12", 12),
        ("either", "twelve", "twelve"),
        ("level", "12", "12"),
        ("path", "/12", "/12"),
        ("free", "12", 12),
        ("free", "word", "word"),
        ("free", "007", "007"),
        ("unknown", "None", None),
        ("unknown", "True", True),
        ("unknown", "NaN", "NaN"),
        ("unknown", "a=b=c", "a=b=c"),
        ("unknown", "", ""),
    ],
)
def test_a_value_gets_the_type_it_should_have(name: str, text: str, value: object) -> None:
    assert typed(name, text) == value
    assert type(typed(name, text)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("limit", "five", "an integer"),
        ("limit", "5.5", "an integer"),
        ("limit", "true", "an integer"),
        ("share", "much", "a number"),
        ("execute", "maybe", "true or false"),
        ("names", "a,b", "a JSON list"),
        ("more", "[1]", "a JSON object"),
    ],
)
def test_a_value_of_another_type_is_refused_naming_the_type(name: str, text: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=rf"-p {name}=.*expected {expected}"):
        typed(name, text)


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        ("int", "3", 3),
        ("str", "3", "3"),
        ("float", "3", 3),
        ("bool", "1", True),
        ("List[str]", '["a"]', ["a"]),
        ("typing.Dict[str, int]", '{"a": 1}', {"a": 1}),
        ("pd.DataFrame", "3", 3),
        (None, "3", 3),
    ],
)
def test_papermills_inference_comes_after_the_schema(hint: str | None, text: str, value: object) -> None:
    assert typed("x", text, hints={"x": hint}, schema={}) == value


def test_later_flags_win(tmp_path: Path) -> None:
    (tmp_path / "context.json").write_text('{"a": 1, "b": 1, "c": 1, "d": 1}')
    (tmp_path / "file.yaml").write_text("b: 2\nc: 2\nd: 2")
    words = ["--context", f"{tmp_path}/context.json", "-f", f"{tmp_path}/file.yaml"]
    words += ["-y", "{c: 3, d: 3}", "-p", "d=4"]
    assert contexts(*words, schema={}) == [{"a": 1, "b": 2, "c": 3, "d": 4}]


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("first\nsecond\n")
    assert typed("free", f"@{tmp_path}/text.txt") == "first\nsecond"
    (tmp_path / "list.json").write_text("[1, 2]\n")
    assert typed("names", f"@{tmp_path}/list.json") == [1, 2]


def test_a_declared_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed("path", "src") == str(tmp_path / "src")
    assert contexts()[0]["path"] == str(tmp_path)


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ('["a","b"]', [["a", "b"]]),
        ('["a"],["b"]', [["a"], ["b"]]),
        ('{"x": [1, 2]}, {}', [{"x": [1, 2]}, {}]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say \\"a,b\\"",c', ['say "a,b"', "c"]),
        ("a],b", ["a]", "b"]),
        ('it\'s "so",b', ['it\'s "so"', "b"]),
        ("[a,b", ["[a", "b"]),
    ],
)
def test_a_comma_within_json_separates_nothing(typed: str, values: list[JsonValue]) -> None:
    assert [context["free"] for context in contexts("--matrix", f"free={typed}")] == values


def test_a_matrix_gives_every_combination() -> None:
    words = ["-p", "free=x", "--matrix", "limit=1,2", "--matrix", "level=low,high"]
    told = [(one["limit"], one["level"], one["free"]) for one in contexts(*words)]
    assert told == [(1, "low", "x"), (1, "high", "x"), (2, "low", "x"), (2, "high", "x")]


BAD = [
    (["-p", "limit"], "write NAME=VALUE"),
    (["-p", "1x=2"], "a name is a letter"),
    (["-p", "a b=2"], "a name is a letter"),
    (["-p", "x=@/nowhere/at/all"], "cannot be read"),
    (["-y", "[1]"], "expected a mapping"),
    (["-y", "{a: b: c}"], "-y: "),
    (["-y", "a: &x 1\nb: *x"], "aliases"),
    (["-y", "a: 2020-01-01"], "is not JSON"),
    (["-y", "a: !!python/object:os.system {}"], "-y: "),
    (["-y", "1: 2"], "must be strings"),
    (["-y", "'a b': 2"], "a name is a letter"),
    (["-f", "/nowhere/at/all"], "cannot be read"),
    (["--context", "/nowhere/at/all"], "cannot be read"),
    (["--context", "/"], "cannot be read"),
    (["-p", "x=@/dev/zero"], "-p x: /dev/zero is not a regular file"),
    (["-f", "/dev/zero"], "-f: /dev/zero is not a regular file"),
    (["--context", "/dev/zero"], "--context: /dev/zero is not a regular file"),
    (["--matrix", "limit"], "write NAME=VALUE"),
    (["--matrix", "limit=1,,2"], "between commas"),
    (["--matrix", "a=" + ",".join(["1"] * 300)], "300 combinations"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[" ".join(words)[:30] for words, _ in BAD])
def test_what_is_malformed_is_refused_in_one_line(words: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("(", r"\(")) as caught:
        contexts(*words)
    assert len(caught.value.message.splitlines()) == 1


def test_trigger_data_is_one_object(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"a": 1}')
    assert read_data(None) == {}
    assert read_data('{"a": 1}') == {"a": 1}
    assert read_data(f"@{tmp_path}/data.json") == {"a": 1}
    for wrong in ("[1]", "{", "nothing", '{"a": NaN}', "@/nowhere"):
        with pytest.raises(InvalidInput, match="--data"):
            read_data(wrong)


@given(st.text(max_size=200), st.sampled_from([*SCHEMA["properties"], "unknown"]))  # type: ignore[misc]
def test_whatever_is_typed_becomes_json_or_one_clear_line(text: str, name: str) -> None:
    words = build_parser().parse_args(["run", "x", f"-p{name}={text}"])
    refused = None
    try:
        value = contexts_of(words, Typing(SCHEMA, {}))[0][name]
        check_json(value)
        json.dumps(value)
    except ChatFlowError as error:
        refused = error
    assert refused is None or refused.exit_status == 2


def test_a_pipe_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for read in (lambda: read_data(f"@{pipe}"), lambda: contexts("-p", f"x=@{pipe}")):
        with pytest.raises(InvalidInput, match="pipe is not a regular file"):
            read()


def test_a_file_may_have_as_many_bytes_as_allowed_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "much"
    file.write_bytes(b"a" * MAX_BYTES)
    assert len(typed("x", f"@{file}", schema={"properties": {"x": {"type": "string"}}})) == MAX_BYTES
    file.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(InvalidInput, match="more than the"):
        typed("x", f"@{file}")
