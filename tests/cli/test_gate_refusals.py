"""What the command line refuses at a gate and about waivers: one line, its status, and nothing is changed."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.program import Program, write_notebook
from tests.waiting import until

DEFINITION = """\
name: asking
automation_level: 100
phases:
  - name: publish
    notebook: one.ipynb
    gate:
      approvers: [ann, bob, carla]
      quorum: 2
      waivable: true
      schema: {type: object, properties: {n: {type: integer, minimum: 1}}, required: [n]}
"""
FITTING = ("--data", '{"n": 1}')
ANN = ("--approve", "--as", "ann")
AT_THE_GATE = [
    ((*ANN, *FITTING, "--seen", "0" * 12), 7, "an artifact was changed since you looked; look again"),
    (("--approve", *FITTING), 7, "local may not answer it; it asks ann, bob, carla; --as NAME answers"),
    (("--reject", "--as", "Ann"), 7, "Ann may not answer it; it asks ann, bob, carla"),
    (ANN, 2, "trigger data: 'n' is a required property"),
    ((*ANN, "--data", '{"n": 0}'), 2, "trigger data.n: 0 is less than the minimum of 1"),
    ((*ANN, "--data", '{"n": "1"}'), 2, "trigger data.n:"),
    (FITTING, 7, "phase publish waits for approval; answer with approve or reject"),
    ((), 7, "phase publish waits for approval; answer with approve or reject"),
]


@pytest.fixture
def asking(chatflow: Program) -> Program:
    """A program with an instance that waits for two of three people, who say a number."""
    write_notebook(chatflow.templates / "asking" / "one.ipynb", "pass")
    (chatflow.templates / "asking" / "definition.yaml").write_text(DEFINITION, encoding="utf-8")
    chatflow("run", "asking", status=3)
    return chatflow


def stored(program: Program) -> list[str]:
    """Everything in the store, but for messages that wait for whoever passes them on, and who was refused."""
    apart = ('INSERT INTO "outbox"', 'INSERT INTO "audit"', 'INSERT INTO "audit_ends"')
    with closing(sqlite3.connect(program.home / "chatflow.db")) as store:
        return [line for line in store.iterdump() if not line.startswith(apart)]


def refused(program: Program, *words: str, status: int, says: str) -> None:
    """Run a command that must be refused in one line and change nothing."""
    before = stored(program)
    printed = program(*words, status=status)
    assert printed.stdout == "", words
    (line,) = printed.stderr.splitlines()
    assert line.startswith("chatflow: "), line
    assert says in line
    assert stored(program) == before, words


@pytest.mark.parametrize("how", ["foreground", "--detach", "--dry-run"])
def test_an_answer_that_does_not_count_changes_nothing(asking: Program, how: str) -> None:
    asking("trigger", "last", "--reject", "--as", "bob", status=3)
    for words, status, says in AT_THE_GATE:
        more = [] if how == "foreground" else [how]
        refused(asking, "trigger", "last", *more, *words, status=status, says=says)
    told = [row for row in asking.json("audit", "list") if row["outcome"].startswith("refused")]
    expected = [] if how == "--dry-run" else [("Ann", True, "reject"), ("local", False, "approve")]
    assert [(row["principal"], row["claimed"], row["verb"]) for row in told] == expected
    asking("trigger", "last", *ANN, *FITTING, status=3)


def test_who_says_the_same_twice_is_counted_once(asking: Program) -> None:
    for _ in range(2):
        told = asking("trigger", "last", *ANN, *FITTING, status=3)
        assert "; 1 of 2 approvals" in told.stdout
    (vote,) = asking.json("status", "last")["gate"]["votes"]
    assert vote["principal"] == "ann"


@pytest.mark.parametrize("how", [(), ("--detach",), ("--dry-run",)])
def test_an_answer_where_no_gate_waits_changes_nothing(asking: Program, how: tuple[str, ...]) -> None:
    started = asking.json("start", "asking")["instance_id"]
    answer = ("trigger", "last", *how, *ANN, *FITTING)
    refused(asking, *answer, status=7, says=f"{started}: no gate is waiting: the instance is created")
    asking("trigger", "last", status=3)
    asking("pause", "last")
    refused(asking, *answer, status=7, says="the instance is paused; resume it first")
    asking("resume", "last", status=3)
    asking("trigger", "last", *ANN, *FITTING, status=3)
    asking("trigger", "last", "--approve", "--as", "bob", *FITTING)
    refused(asking, *answer, status=7, says="the instance is completed; start a new one")
    asking("run", "asking", status=3)
    asking("terminate", "last")
    refused(asking, *answer, status=7, says="the instance is terminated; start a new one")


def test_a_waiver_that_has_ended_is_not_ended_again(asking: Program) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=1)
    words = ("waivers", "add", "asking", "publish", "--reason", "known", "--until")
    expired = asking.json(*words, ends.strftime("%Y-%m-%dT%H:%M:%SZ"))
    revoked = asking.json("waivers", "revoke", asking.json(*words, "+1h")["waiver_id"])
    until(lambda: datetime.now(UTC) >= ends, what="the waiver's time is over")
    before = stored(asking)
    assert asking.json("waivers", "revoke", expired["waiver_id"]) == {**expired, "state": "expired"}
    assert " expired at " in asking("waivers", "revoke", expired["waiver_id"]).stdout
    assert asking.json("waivers", "revoke", revoked["waiver_id"]) == revoked
    assert stored(asking) == before
    assert asking("run", "asking", status=3).stdout.startswith("waiting")


def test_a_waiver_that_cannot_be_changes_nothing(asking: Program, tmp_path: Path) -> None:
    asking("waivers", "add", "asking", "publish", "--until", "+1d", "--reason", "known")
    add = ("--until", "+1d", "--reason", "known")
    for words, status, says in (
        (("add", "asking", "publsh", *add), 6, "no phase 'publsh' (did you mean 'publish'?)"),
        (("add", "askin", "publish", *add), 6, "did you mean asking?"),
        (("add", "gated", "second", *add), 7, "its definition does not say `waivable: true`"),
        (("add", "gated", "first", *add), 6, "there is no gate before first"),
        (("add", str(tmp_path), "publish", *add), 6, "definition.yaml"),
        (("add", "asking", "publish", "--until", "2020-01-01", "--reason", "x"), 2, "is over already"),
        (("add", "asking", "publish", "--until", "+367d", "--reason", "x"), 2, "more than 366 days"),
        (("add", "asking", "publish", *add, "--reason", "\n"), 2, "reason: say why"),
        (("revoke", "wvr_00000000"), 6, "there is no such waiver; `chatflow waivers list`"),
        (("revoke", "wvr_"), 6, "there is no such waiver"),
        (("revoke", ""), 6, "there is no such waiver"),
    ):
        refused(asking, "waivers", *words, status=status, says=says)
