"""Answering gates from the command line: as whom, for which gate, to what was seen; and waivers."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.interfaces.cli import advancing
from chatflow_jupyter.interfaces.cli.session import Session
from chatflow_jupyter.interfaces.cli.waivers import moment_of
from tests.cli.program import DEFINITION, Program
from tests.waiting import until

TITLE = "gate: {title: A person must look}"
ASKED = "gate: {title: Publish?, approvers: [ann, bob, carla], quorum: 2, waivable: true}"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def written(program: Program, gate: str) -> Program:
    """The template `gated` with another gate."""
    text = DEFINITION.replace(TITLE, gate)
    assert text != DEFINITION
    (program.templates / "gated" / "definition.yaml").write_text(text)
    return program


@pytest.fixture
def asking(chatflow: Program) -> Program:
    """A program with an instance that waits for two of three people."""
    written(chatflow, ASKED)("run", "gated", status=3)
    return chatflow


def gate(program: Program) -> Any:
    """The gate of the newest instance."""
    return program.json("status", "last")["gate"]


def types(program: Program) -> list[str]:
    """What has happened to the newest instance."""
    return [event["type"] for event in program.json("history", "last")]


def test_two_people_agree_and_everything_says_who(asking: Program) -> None:
    first = asking("trigger", "last", "--approve", "--as", "ann", "--reason", "read it", status=3)
    assert "waiting for approval before second: Publish?; 1 of 2 approvals" in first.stdout
    assert re.search(r"approve:  chatflow trigger wfi_\w+ --approve --as bob\n", first.stdout)
    told = gate(asking)
    assert (told["phase"], told["title"], told["quorum"]) == ("second", "Publish?", 2)
    assert (told["approvers"], told["still_asked"]) == (["ann", "bob", "carla"], ["bob", "carla"])
    (vote,) = told["votes"]
    at = datetime.fromisoformat(vote.pop("at"))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    assert vote == {
        "principal": "ann",
        "decision": "approve",
        "reason": "read it",
        "data": {},
        "claimed": True,
        "counts": True,
    }
    shown = asking("status", "last").stdout
    assert "  asked:    2 of ann, bob, carla; still asked: bob, carla\n" in shown
    assert re.search(r"  answered: ann approved at [\d :-]+, a claimed name: read it\n", shown)
    assert f"  to see:   --seen {told['shown'][:12]}\n" in shown
    done = asking.json("trigger", "last", "--approve", "--as", "bob")
    opened = done["outcome"]["second"]["opened"]
    assert (opened["by"], opened["principals"]) == ("people", ["ann", "bob"])
    lines = asking("history", "last").stdout
    assert 'by=people principals=["ann","bob"]' in lines
    assert "principal=ann decision=approve" in lines
    assert gate(asking) is None


def test_an_answer_may_be_changed_until_enough_agree(asking: Program) -> None:
    asking("trigger", "last", "--approve", "--as", "ann", status=3)
    asking("trigger", "last", "--reject", "--as", "bob", status=3)
    assert "; 1 of 2 approvals, 1 against" in asking("status", "last").stdout
    asking("trigger", "last", "--reject", "--as", "ann", "--reason", "not yet", status=5)
    assert "rejected by bob, ann: not yet" in asking("history", "last").stdout


def test_who_is_not_asked_is_told_whom_it_asks_and_how_to_answer_for_them(asking: Program) -> None:
    before = types(asking)
    for words in ([], ["--dry-run"], ["--detach"]):
        refused = asking("trigger", "last", "--approve", *words, status=7)
        (line,) = [line for line in refused.stderr.splitlines() if "may not answer" in line]
        assert line.endswith(
            "local may not answer it; it asks ann, bob, carla; --as NAME answers for one of them"
        )
        claimed = asking("trigger", "last", "--approve", "--as", "eve", *words, status=7)
        assert claimed.stderr.splitlines()[-1].endswith("eve may not answer it; it asks ann, bob, carla")
    assert types(asking) == before


def test_a_dry_run_says_what_a_vote_would_do_and_keeps_nothing(asking: Program) -> None:
    asking("trigger", "last", "--approve", "--as", "ann", status=3)
    before, seen = types(asking), gate(asking)["shown"]
    again = asking("trigger", "last", "--approve", "--as", "ann", "--dry-run").stdout
    assert "dry run, nothing is changed: waiting -> waiting" in again
    told = asking("trigger", "last", "--approve", "--as", "bob", "--seen", seen[:12], "--dry-run").stdout
    assert "dry run, nothing is changed: waiting -> running" in told
    assert "GateDecided, GateOpened" in told
    refused = asking("trigger", "last", "--approve", "--as", "bob", "--seen", "0" * 12, "--dry-run", status=7)
    assert "an artifact was changed since you looked" in refused.stderr
    assert types(asking) == before
    assert [vote["principal"] for vote in gate(asking)["votes"]] == ["ann"]


def test_an_answer_to_something_else_than_there_is_to_see_is_refused(asking: Program) -> None:
    before, seen = types(asking), gate(asking)["shown"]
    wrong = ("0" if seen[0] != "0" else "1") + seen[1:]
    for hexes in (wrong, wrong[:12]):
        refused = asking("trigger", "last", "--approve", "--as", "ann", "--seen", hexes, status=7)
        assert refused.stderr.endswith(
            "an artifact was changed since you looked; look again before you answer\n"
        )
    assert types(asking) == before
    asking("trigger", "last", "--approve", "--as", "ann", "--seen", seen, status=3)
    asking("trigger", "last", "--approve", "--as", "bob", "--seen", seen[:12])


def test_an_answer_never_opens_a_later_gate_than_the_one_that_was_found(chatflow: Program) -> None:
    written(chatflow, "gate: {}}\n  - {name: third, notebook: first.ipynb, gate: {}")(
        "run", "gated", status=3
    )
    give = advancing.give

    async def after_somebody_else(session: Session, instance: Instance, request: Trigger) -> None:
        app, about = session.app, (instance.tenant_id, instance.instance_id)
        await app.orchestrator.trigger(*about, Trigger(principal=request.principal, decision="approve"))
        assert app.engine is not None
        app.engine.start_attempts()  # as another process that drives it would
        while (await app.storage.instance(*about)).phase != "third":
            await app.storage.wait_for_change(app.storage.change_token(), 0.1)
        await give(session, instance, request)

    with patch.object(advancing, "give", after_somebody_else):
        refused = chatflow("trigger", "last", "--approve", status=7)
    assert "the gate before second was answered; now the one before third waits" in refused.stderr
    assert gate(chatflow)["phase"] == "third"
    assert types(chatflow).count("GateOpened") == 1


def test_an_answer_that_comes_early_is_for_the_gate_it_waits_for(asking: Program) -> None:
    with asking.started("run", "gated", "-p", "rounds=20") as process:
        assert process.stderr is not None
        while "PhaseStarted" not in process.stderr.readline():
            pass
        early = asking("trigger", "last", "--approve", "--as", "carla", status=3)
        process.communicate(timeout=60)
    assert "the gate is not reached yet" in early.stderr
    assert [vote["principal"] for vote in gate(asking)["votes"]] == ["carla"]


def test_a_plain_gate_still_asks_whoever_sits_here(chatflow: Program) -> None:
    done = chatflow("run", "gated", status=3)
    assert re.search(r"chatflow trigger wfi_\w+ --approve\n", done.stdout)
    told = gate(chatflow)
    assert (told["approvers"], told["still_asked"], told["votes"]) == ([], [], [])
    assert "asked:" not in chatflow("status", "last").stdout
    chatflow("trigger", "last", "--approve")
    (decided,) = [each for each in chatflow.json("history", "last") if each["type"] == "GateDecided"]
    assert (decided["principal"], decided["data"]) == ("local", {"decision": "approve"})


def test_a_time_that_is_over_comes_before_the_answer(chatflow: Program) -> None:
    late = "gate: {approvers: [ann], expires_sec: 4, on_expire: escalate, escalate_to: [eve]}"
    written(chatflow, late)("run", "gated", status=3)
    over = "then others are asked as well; that is over, and the next command that drives it acts on it"
    until(lambda: over in chatflow("status", "last").stdout, what="its time is over", every_sec=0.2)
    assert not gate(chatflow)["escalated"]
    before = types(chatflow)
    for words in (["--dry-run"], ["--detach"]):
        refused = chatflow("trigger", "last", "--approve", "--as", "ann", *words, status=7)
        (line,) = refused.stderr.splitlines()
        assert re.search(r"is over; .*; see to that with: .*resume wfi_\w+", line)
    assert types(chatflow) == before
    chatflow("trigger", "last", "--approve", "--as", "ann")
    told = [kind for kind in types(chatflow) if kind.startswith("Gate")]
    assert told == ["GateExpired", "GateEscalated", "GateDecided", "GateOpened"]


def test_a_waiver_is_given_listed_used_and_revoked(asking: Program) -> None:
    words = ("waivers", "add", "gate", "second", "--until", "+30d", "--reason", "typos only")
    given = asking.json(*words)
    assert (given["state"], given["name"], given["phase"]) == ("active", "gated", "second")
    assert (given["principal"], given["reason"], given["feature_id"]) == ("local", "typos only", None)
    ends = datetime.fromisoformat(given["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    assert asking.json("waivers", "list") == [given]
    opened = asking.json("run", "gated")["outcome"]["second"]["opened"]
    assert (opened["by"], opened["principals"], opened["reason"]) == ("waiver", ["local"], "typos only")
    revoked = asking.json("waivers", "revoke", given["waiver_id"][:12])
    assert (revoked["state"], revoked["waiver_id"]) == ("revoked", given["waiver_id"])
    assert asking.json("waivers", "revoke", given["waiver_id"]) == revoked
    shown = asking("waivers", "list").stdout.splitlines()
    assert shown[1].split()[:3] == [given["waiver_id"], "revoked", "gated/second"]
    assert asking("run", "gated", status=3).stdout.startswith("waiting")


def test_a_waiver_for_a_feature_serves_no_other(asking: Program) -> None:
    asking("waivers", "add", "gated", "second", "--until", "+1h", "--reason", "x", "--feature", "F-1")
    assert asking.json("run", "gated", "--feature", "F-2", status=3)["status"] == "waiting"
    assert asking.json("run", "gated", "--feature", "F-1")["status"] == "completed"


def test_there_may_be_no_waivers(chatflow: Program) -> None:
    assert chatflow("waivers", "list").stdout == "no waivers\n"
    assert chatflow.json("waivers", "list") == []


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("+30d", NOW + timedelta(days=30)),
        ("+12h", NOW + timedelta(hours=12)),
        ("2026-12-31", datetime(2027, 1, 1).astimezone()),
        ("2026-12-31T18:00", datetime(2026, 12, 31, 18).astimezone()),
        ("2026-12-31 18:00:30Z", datetime(2026, 12, 31, 18, 0, 30, tzinfo=UTC)),
        ("2026-12-31T18:00+02:00", datetime(2026, 12, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_moment_is_typed_as_a_day_a_time_or_from_now(typed: str, moment: datetime) -> None:
    assert moment_of(typed, NOW) == moment


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "+",
        "+1w",
        "-1d",
        "30d",
        "12:00",
        "31.12.2026",
        "\u0661\u0662",
        "+9e9d",
        "20261231",
        "2026-W53-4",
        "2026-12-31T18",
    ],
)
def test_what_is_no_moment_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="--until"):
        moment_of(typed, NOW)


def test_a_definition_that_cannot_be_answered_is_named_with_its_line(
    chatflow: Program, tmp_path: Path
) -> None:
    written(chatflow, "gate: {approvers: [ann], quorum: 2, reject_to: end}")
    file = chatflow.templates / "gated" / "definition.yaml"
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "quorum" in text)
    for words in (["run", f"{file.parent}/"], ["start", f"{file.parent}/"]):
        refused = chatflow(*words, status=2)
        assert refused.stderr == (
            f"chatflow: {file}:{line}: phase second: gate: unknown key 'reject_to' "
            "(did you mean 'on_reject'?)\n"
        )
    assert not chatflow.home.exists()
