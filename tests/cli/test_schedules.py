"""Schedules on the command line: what is printed, and moments as people type them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.interfaces.cli import moments
from chatflow_jupyter.interfaces.cli.moments import local_zone, moment_of
from tests.cli.program import Program, write_template

NOW = datetime(2026, 10, 24, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"
ADD = ("schedules", "add", "nightly", "gated", "--cron", "30 2 * * *", "--zone", BERLIN)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A home with a template to start."""
    write_template(tmp_path / "templates" / "gated")
    return Program(home=tmp_path / "home", templates=tmp_path / "templates")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-10-25 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # comes twice: the first
        ("2026-10-25T03:30:15", datetime(2026, 10, 25, 2, 30, 15, tzinfo=UTC)),
        ("2026-12-01 09:00Z", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-12-01T09:00+05:30", datetime(2026, 12, 1, 3, 30, tzinfo=UTC)),
        ("+90s", datetime(2026, 10, 24, 12, 1, 30, tzinfo=UTC)),
        ("+2h", datetime(2026, 10, 24, 14, tzinfo=UTC)),
        ("+1d", datetime(2026, 10, 25, 12, tzinfo=UTC)),
    ],
)
def test_a_moment_is_that_of_the_clock_of_its_zone(typed: str, meant: datetime) -> None:
    assert moment_of(typed, BERLIN, NOW) == meant


@pytest.mark.parametrize("typed", ["2027-03-28 02:00", "2027-03-28T02:59:59"])
def test_a_moment_that_never_comes_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="the clock of Europe/Berlin jumps over that"):
        moment_of(typed, BERLIN, NOW)


def test_the_zone_of_this_machine_is_that_of_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", ":Asia/Kathmandu")
    assert local_zone() == "Asia/Kathmandu"
    monkeypatch.setenv("TZ", "CET-1CEST")
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Australia/Lord_Howe")
    monkeypatch.setattr(moments, "_LINK", link)
    assert local_zone() == "Australia/Lord_Howe"
    monkeypatch.setattr(moments, "_LINK", tmp_path / "nowhere")
    assert local_zone() == "UTC"


def test_a_schedule_is_listed_shown_and_kept_after_its_removal(program: Program) -> None:
    assert program("schedules", "list").stdout == "no schedules\n"
    added = program(*ADD, "-p", "number=3", "--feature", "F").stdout
    assert "30 2 * * *, in the time of Europe/Berlin; catch-up last, overlap skip" in added
    assert added.count("  next:      ") == 3
    head, row = program("schedules", "list").stdout.splitlines()
    assert head.split() == ["NAME", "STATE", "WHEN", "WHAT", "NEXT", "LAST"]
    assert row.startswith("nightly  active  30 2 * * * Europe/Berlin  gated@1.0.0")
    shown = json.loads(program("schedules", "show", "nightly", "--json", "--next", "2").stdout)
    assert (shown["context"]["number"], shown["feature_id"], len(shown["next"])) == (3, "F", 2)
    assert program(*ADD, status=7).stderr.startswith("chatflow: there is a schedule nightly already; remove")
    program("schedules", "remove", "nightly")
    assert program("schedules", "list").stdout == "no schedules\n"
    assert "nightly  removed" in program("schedules", "list", "--removed").stdout
    assert "removed; by local" in program("schedules", "show", "nightly").stdout


def test_who_asks_is_told_when_nobody_is_there(program: Program) -> None:
    assert "nothing runs in this home" in program(*ADD).stderr
    assert "nothing runs in this home" in program("schedules", "list").stderr
    program("schedules", "pause", "nightly")
    assert program("schedules", "list").stderr == ""
