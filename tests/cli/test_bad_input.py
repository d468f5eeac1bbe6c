"""Whatever is typed wrongly: one clear line, no traceback, nothing written."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.program import Program, write_notebook, write_template

PLAN = ("schedules", "add", "nightly", "gated")
WAIVE = ("waivers", "add", "gated", "second")
NOTHING_WRITTEN = [
    ([], 2, "the following arguments are required: COMMAND"),
    (["rnu"], 2, "did you mean 'run'?"),
    (["run"], 2, "the following arguments are required: WHAT"),
    (["run", "gated", "--atomation-level", "3"], 2, "unrecognized arguments: --atomation-level"),
    (
        ["run", "gated", "--atomation-level", "3"],
        2,
        "did you mean --automation-level?; see `chatflow run --help`",
    ),
    (["run", "in.ipynb", "out.ipynb", "-p", "x", "1"], 2, "parameters are -p NAME=VALUE"),
    (["trigger", "last", "--aprove"], 2, "did you mean --approve?; see `chatflow trigger --help`"),
    (["run", "gated", "--automation-level", "x"], 2, "invalid int value: 'x'"),
    (["run", "gated", "--automation-level", "101"], 2, "--automation-level 101: a number from 0 to 100"),
    (["run", "gated", "-p", "number=one"], 2, "-p number=one: expected an integer"),
    (["run", "gated", "-p", "numbre=1"], 2, "gated has no parameter 'numbre'; did you mean number?"),
    (["run", "gated", "-p", "number"], 2, "write NAME=VALUE"),
    (["run", "gated", "-y", "number: one"], 2, "parameters.number: 'one' is not of type 'integer'"),
    (["run", "gated", "--context", "missing.json"], 2, "cannot be read"),
    (["run", "gated", "--idempotency-key", ""], 2, "may not be empty"),
    (["run", "missing.ipynb"], 2, "there is no such notebook"),
    (["run", "nearly.ipynb"], 2, "did you mean nearby.ipynb?"),
    (["run", "broken.ipynb"], 2, "broken.ipynb: not a notebook"),
    (["run", "nearby.ipynb", "-p", "class=1"], 2, "'class': the name is a reserved word of Python"),
    (["run", "nearby.ipynb", "-y", "class: 1"], 2, "'class': the name is a reserved word of Python"),
    (["run", "nearby.ipynb", "--matrix", "in=1,2"], 2, "'in': the name is a reserved word of Python"),
    (["start", "nearby.ipynb", "--context", "odd.json"], 2, "'a b': names are a letter or _"),
    (["run", "./nowhere"], 6, "nowhere: there is no such folder"),
    (["run", "."], 6, "holds no definition.yaml, so it is not a template"),
    (["run", "https://example.org/a.ipynb"], 2, "URLs are not run"),
    (["run", "s3://bucket/template"], 2, "URLs are not run"),
    (["run", "./broken"], 2, "definition.yaml:2: "),
    (["start", "gated", "-f", "binary"], 2, "not UTF-8"),
    (["list", "--limit", "0"], 2, "--limit 0: a number from 1"),
    (["list", "--status", "done"], 2, "unknown --status 'done'; there are: created"),
    (["list", "--tenant", "../other"], 2, "--tenant '../other'"),
    (["trigger", "last", "--data", "{"], 2, "--data: "),
    (["trigger", "last", "--reason", "because"], 2, "goes with --approve or --reject"),
    (["trigger", "last", "--approve", "--reject"], 2, "not allowed with argument --approve"),
    (["trigger", "last", "--as", "ann"], 2, "--as goes with --approve or --reject"),
    (["trigger", "last", "--seen", "0123456789ab"], 2, "--seen goes with --approve or --reject"),
    (["trigger", "last", "--approve", "--seen"], 2, "--seen: expected one argument"),
    (["trigger", "last", "--approve", "--data", "@nowhere.json"], 2, "nowhere.json cannot be read"),
    (["trigger", "last", "--approve", "--seen", "0123"], 2, "--seen '0123': 12 to 64 of the digits"),
    (["trigger", "last", "--approve", "--seen", "notahash"], 2, "--seen 'notahash': 12 to 64 of the digits"),
    (["trigger", "last", "--approve", "--seen", "a" * 65], 2, "12 to 64 of the digits"),
    (["trigger", "last", "--approve", "--as", ""], 2, "--as '': 1 to 255 printable characters"),
    (["trigger", "last", "--approve", "--as", " ann"], 2, "--as ' ann': 1 to 255 printable characters"),
    (["trigger", "last", "--approve", "--as", "a\x1b[31m"], 2, "1 to 255 printable characters"),
    (["trigger", "last", "--approve", "--as", "verb:admin"], 2, "nobody is called that"),
    (["trigger", "last", "--approve", "--as", "engine", "--dry-run"], 2, "nobody is called that"),
    (["trigger", "last", "--approve", "--as", "a\udcff"], 2, "1 to 255 printable characters"),
    (["trigger", "last", "--approve", "--reason", "a\udcff"], 2, "--reason: 'a\\udcff' is not text in UTF-8"),
    (["trigger", "last", "--idempotency-key", "\udcff"], 2, "--idempotency-key: '\\udcff' is not text"),
    (["run", "gated", "--feature", "\udcff"], 2, "--feature: '\\udcff' is not text"),
    (["status", "wfi_\udcff"], 2, "ID: 'wfi_\\udcff' is not text"),
    (["list", "--name", "\udcff"], 2, "--name: '\\udcff' is not text"),
    ([*WAIVE, "--until", "+1d", "--reason", "\udcff"], 2, "--reason: '\\udcff' is not text"),
    (
        [*WAIVE, "--until", "+1d", "--reason", "x", "--feature", "\udcff"],
        2,
        "--feature: '\\udcff' is not text",
    ),
    ([*WAIVE, "--until", "20991231", "--reason", "x"], 2, "--until '20991231': a day as 2026-12-31"),
    (["audit"], 2, "the following arguments are required: COMMAND"),
    (["audit", "list", "--verb", "aprove"], 2, "did you mean 'approve'?"),
    (["audit", "list", "--limit", "0"], 2, "--limit 0: a number from 1 to 1000"),
    (["audit", "list", "--before", "-1"], 2, "--before -1: the position of a row, from 1 on"),
    (["audit", "list", "--since", "yesterday"], 2, "--since 'yesterday': a day as 2026-12-31"),
    (["audit", "list", "--instance", "wfi_x"], 6, "nothing has been run there"),
    (["audit", "verify", "--seen", "3"], 2, "POSITION:SHA256 as `audit verify` prints it"),
    (["schedules"], 2, "the following arguments are required: COMMAND"),
    (["schedules", "ad"], 2, "did you mean 'add'?"),
    ([*PLAN], 2, "one of the arguments --cron --at is required"),
    ([*PLAN, "--cron", "* * * * *", "--at", "+1d"], 2, "not allowed with argument --cron"),
    ([*PLAN, "--cron", "* * * *"], 2, "needs five fields"),
    ([*PLAN, "--cron", "30 2 31 2 *"], 2, "a month has to have the day"),
    ([*PLAN, "--cron", "\udcff"], 2, "--cron: '\\udcff' is not text"),
    ([*PLAN, "--at", "tomorrow"], 2, "a moment as '2026-12-01 09:00'"),
    ([*PLAN, "--at", "20991231"], 2, "a moment as '2026-12-01 09:00'"),
    ([*PLAN, "--at", "2099-02-30 09:00"], 2, "a moment as '2026-12-01 09:00'"),
    ([*PLAN, "--at", "2020-01-01 09:00"], 2, "that is over already"),
    ([*PLAN, "--at", "+999999d"], 2, "more than fifty years"),
    ([*PLAN, "--at", "2031-03-30 02:30", "--zone", "Europe/Berlin"], 2, "jumps over that"),
    ([*PLAN, "--at", "+1d", "--zone", "Mars/Base"], 2, "there is none of that name"),
    ([*PLAN, "--cron", "0 0 * * *", "--catch-up", "all"], 2, "say --overlap queue or allow"),
    ([*PLAN, "--cron", "0 0 * * *", "--catch-up", "most"], 2, "unknown --catch-up 'most'"),
    ([*PLAN, "--cron", "0 0 * * *", "-p", "number=one"], 2, "-p number=one: expected an integer"),
    ([*PLAN, "--cron", "0 0 * * *", "-p", "numbre=1"], 2, "did you mean number?"),
    (["schedules", "add", "a b", "gated", "--cron", "0 0 * * *"], 2, "schedule name 'a b'"),
    (["schedules", "add", "nightly", "nowhere.ipynb", "--at", "+1d"], 2, "there is no such notebook"),
    (["schedules", "show", "nightly", "--next", "-1"], 2, "--next -1: a number from 0 to 1000"),
    (["schedules", "show", "nightly"], 6, "nightly: there is no such schedule"),
    (["schedules", "pause", "\x1b[31m"], 6, "there is no such schedule"),
    (["schedules", "run-now", "nightly"], 6, "`chatflow schedules list` shows those there are"),
    (["waivers"], 2, "the following arguments are required: COMMAND"),
    (["waivers", "ad"], 2, "did you mean 'add'?"),
    (["waivers", "add", "gated", "second", "--until", "+1d"], 2, "arguments are required: --reason"),
    (["waivers", "add", "gated", "second", "--reason", "x"], 2, "arguments are required: --until"),
    ([*WAIVE, "--until", "2020-01-01", "--reason", "x"], 2, "UTC: that is over already"),
    ([*WAIVE, "--until", "2020-01-01T10:00", "--reason", "x"], 2, "UTC: that is over already"),
    ([*WAIVE, "--until", "9000-01-01", "--reason", "x"], 2, "is more than 366 days from now"),
    ([*WAIVE, "--until", "9999-12-31", "--reason", "x"], 2, "--until '9999-12-31': a day as 2026-12-31"),
    ([*WAIVE, "--until", "0001-01-01", "--reason", "x"], 2, "over already"),
    ([*WAIVE, "--until", "2026-02-30", "--reason", "x"], 2, "--until '2026-02-30': a day as 2026-12-31"),
    ([*WAIVE, "--until", "tomorrow", "--reason", "x"], 2, "--until 'tomorrow': a day as 2026-12-31"),
    ([*WAIVE, "--until", "+400d", "--reason", "x"], 2, "is more than 366 days from now"),
    ([*WAIVE, "--until", "+999999999d", "--reason", "x"], 2, "--until '+999999999d': a day as"),
    ([*WAIVE, "--until", "+0h", "--reason", "x"], 2, "over already"),
    ([*WAIVE, "--until", "+1d", "--reason", " "], 2, "reason: say why"),
    ([*WAIVE, "--until", "+1d", "--reason", "x" * 1001], 2, "1001 characters are more than 1000"),
    ([*WAIVE, "--until", "+1d", "--reason", "x", "--feature", ""], 2, "feature: must have 1 to 255"),
    (
        ["waivers", "add", "gated@1.0.0", "second", "--until", "+1d", "--reason", "x"],
        2,
        "about every version",
    ),
    (["validate", "nowhere"], 6, "nowhere: there is no such file or folder"),
    (["completion", "tcsh"], 2, "unknown shell 'tcsh'; there are: bash, zsh, fish"),
    (["db"], 2, "the following arguments are required: COMMAND"),
    (["db", "check"], 6, "there is no store yet"),
    (["db", "backup"], 6, "there is no store yet"),
]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    NOTHING_WRITTEN,
    ids=[" ".join(words)[:40] for words, _, _ in NOTHING_WRITTEN],
)
def test_one_line_and_nothing_written(
    words: list[str],
    status: int,
    said: str,
    chatflow: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "here"
    (folder / "broken").mkdir(parents=True)
    (folder / "broken" / "definition.yaml").write_text("name: broken\nphases: []\n")
    (folder / "broken.ipynb").write_text("{}")
    (folder / "odd.json").write_text('{"a b": 1}')
    (folder / "binary").write_bytes(b"\xff\xfe")
    write_notebook(folder / "nearby.ipynb", "1")
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    printed = chatflow(*words, status=status)
    lines = printed.stderr.splitlines()
    assert said in printed.stderr
    assert len(lines) == 1, printed.stderr
    assert lines[0].startswith("chatflow: ")
    assert printed.stdout == ""
    assert sorted(folder.rglob("*")) == before
    assert not chatflow.home.exists()


def _add(schema: str, phase: str) -> tuple[str, ...]:
    return ("waivers", "add", schema, phase, "--until", "+1d", "--reason", "known")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "gaetd"], 6, "no definition or template has that name; did you mean gated?"),
        (["run", "gated@9.9.9"], 6, "no such version is published"),
        (["status", "wfi_unknown"], 6, "there is no such instance; `chatflow list` shows"),
        (["status", "last"], 6, "there is no instance yet"),
        (["status", "\x1b[31mred\x00"], 6, "there is no such instance"),
        (["trigger", "wfi_unknown"], 6, "there is no such instance"),
        (["artifacts", "wfi_unknown", "--save", "x"], 6, "there is no such instance"),
        (["schemas", "gaetd"], 6, "did you mean gated?"),
        ([*_add("gaetd", "second")], 6, "did you mean gated?"),
        ([*_add("./nowhere", "second")], 6, "there is no such folder"),
        ([*_add("gated", "secnd")], 6, "there is no phase 'secnd' (did you mean 'second'?)"),
        ([*_add("gated", "first")], 6, "there is no gate before first; there are gates before second"),
        ([*_add("gated", "second")], 7, "does not say `waivable: true`"),
        (["waivers", "revoke", "wvr_unknown"], 6, "there is no such waiver; `chatflow waivers list` shows"),
        (["waivers", "revoke", "\x1b[31mred"], 6, "there is no such waiver"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    words: list[str], status: int, said: str, shared: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = shared(*words, status=status)
    assert said in printed.stderr
    assert "\x1b" not in printed.stderr
    assert len(printed.stderr.splitlines()) == 1
    assert printed.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_validate_names_every_problem_with_its_line(chatflow: Program, tmp_path: Path) -> None:
    phases = ["  - name: one", "    notebok: a.ipynb", "  - name: end", "    notebook: b.ipynb"]
    text = "\n".join(["name: wrong", "version: 1", "phases:", *phases, ""])
    (tmp_path / "definition.yaml").write_text(text)
    printed = chatflow("validate", str(tmp_path), status=2)
    lines = printed.stdout.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith(f"{tmp_path}/definition.yaml:") for line in lines)
    assert any(":5: " in line and "notebok" in line for line in lines)
    told = json.loads(chatflow("validate", str(tmp_path), "--json", status=2).stdout)
    assert (told["valid"], told["problems"]) == (False, lines)


def test_a_pattern_that_needs_backtracking_is_named_and_none_stops_a_command(
    chatflow: Program, tmp_path: Path
) -> None:
    """Python's expressions would search for longer than the age of the universe."""
    text = """\
name: patterned
parameters:
  properties:
    word: {type: string, pattern: "^(a+)+$"}
phases:
  - name: one
    notebook: one.ipynb
    outputs: {properties: {word: {pattern: "(?!a)b"}}}
"""
    write_notebook(tmp_path / "one.ipynb", "1")
    (tmp_path / "definition.yaml").write_text(text)
    (line,) = chatflow("validate", str(tmp_path), status=2).stdout.splitlines()
    assert line.startswith(f"{tmp_path}/definition.yaml:8: ")
    assert "'(?!a)b' is not a regular expression of RE2 (no lookaround" in line
    (tmp_path / "definition.yaml").write_text(text.replace("(?!a)b", "^[^a]*b"))
    assert chatflow("validate", str(tmp_path)).status == 0
    printed = chatflow("start", str(tmp_path), "-p", f"word={'a' * 50_000}!", status=2)
    assert "parameters.word: 'aaa" in printed.stderr
    assert len(printed.stderr.splitlines()) == 1
    assert chatflow.json("start", str(tmp_path), "-p", f"word={'a' * 50_000}")["status"] == "created"


def test_validate_warns_of_a_kernel_that_is_not_here(chatflow: Program, tmp_path: Path) -> None:
    folder = write_template(tmp_path / "made")
    assert chatflow("validate", str(folder)).stderr == ""
    text = (folder / "definition.yaml").read_text()
    (folder / "definition.yaml").write_text(text.replace("first.ipynb,", "first.ipynb, kernel: lost,"))
    printed = chatflow("validate", str(folder))
    assert printed.stdout == f"{folder}: valid\n"
    (warning,) = printed.stderr.splitlines()
    said = "no kernel named 'lost' is installed here (installed: "
    assert f"{folder}/definition.yaml:12: phase first: first.ipynb: {said}" in warning
    assert "python3" in warning
    told = json.loads(chatflow("validate", str(folder), "--json").stdout)
    assert told["valid"]
    assert said in told["warnings"][0]
    failed = chatflow("run", str(folder), status=4)
    assert "no kernel named 'lost' is installed here" in failed.stdout


def test_a_setting_that_is_wrong_is_named(chatflow: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATFLOW_RUNNER__SLOTS", "many")
    assert "runner.slots" in chatflow("list", status=2).stderr
    monkeypatch.delenv("CHATFLOW_RUNNER__SLOTS")
    monkeypatch.setenv("CHATFLOW_RUNNER__SLOT", "3")
    assert "did you mean CHATFLOW_RUNNER__SLOTS?" in chatflow("list", status=2).stderr


def test_a_home_that_cannot_be_is_named(chatflow: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    printed = chatflow("list", "--home", str(tmp_path / "file" / "home"), status=None)
    assert printed.status != 0
    assert len(printed.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in printed.stderr


def test_a_file_that_is_no_store_is_refused(chatflow: Program) -> None:
    chatflow.home.mkdir()
    (chatflow.home / "chatflow.db").write_bytes(os.urandom(8192))
    printed = chatflow("list", status=8)
    assert len(printed.stderr.splitlines()) == 1
    assert "chatflow.db" in printed.stderr


def test_an_internal_error_says_where_the_log_is(chatflow: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_a_promise(*_: object) -> None:
        raise RuntimeError("the impossible")

    monkeypatch.setattr("chatflow_jupyter.services.queries.Queries.instances", break_a_promise)
    printed = chatflow("list", status=1)
    log = chatflow.home / "logs" / "errors.log"
    assert printed.stderr == f"chatflow: internal error: RuntimeError: the impossible; the log is {log}\n"
    assert "break_a_promise" in log.read_text()
