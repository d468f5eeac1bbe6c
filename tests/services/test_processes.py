"""Whether the process behind an owner still lives, after a kill, a reboot, a renamed or another host."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatflow_jupyter.adapters.processes import is_alive, this_process
from chatflow_jupyter.domain.ids import OwnerId
from tests.waiting import until

ME = this_process(OwnerId("own_me"), "foreground", datetime(2026, 1, 1, tzinfo=UTC))


def test_this_very_process_lives_and_another_with_its_number_does_not() -> None:
    assert is_alive(ME)
    assert not is_alive(replace(ME, started_ticks=ME.started_ticks + 1))


def test_one_that_ended_is_dead_even_before_it_is_collected() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        other = replace(ME, pid=process.pid, started_ticks=int(_fields(stat)[19]))
        assert is_alive(other)
        process.kill()
        until(lambda: _fields(stat)[0] == "Z", what="it ended and waits to be collected")
        assert not is_alive(other)
    assert not is_alive(other)


def _fields(stat: Path) -> list[str]:
    return stat.read_text().rpartition(")")[2].split()


def test_after_a_reboot_everybody_is_dead() -> None:
    assert not is_alive(replace(ME, boot_id="another"))


def test_a_renamed_host_is_the_same_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    assert is_alive(ME)
    assert not is_alive(replace(ME, started_ticks=ME.started_ticks + 1))


def test_of_another_host_nothing_is_known_so_its_processes_are_left_alone() -> None:
    assert is_alive(replace(ME, host="elsewhere", boot_id="another"))
