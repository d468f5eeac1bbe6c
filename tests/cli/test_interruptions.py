"""Interrupted, killed, detached, watched: real processes, and nothing lost or left behind."""

import json
import os
import shlex
import signal
import subprocess

import pytest

from tests.cli.program import COMMAND, Program
from tests.waiting import until


def _first_phase_runs(chatflow: Program) -> str:
    found = until(lambda: chatflow.phase_running("first"), what="the first notebook runs", deadline_sec=90)
    assert found is not None
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_is_kept_and_says_how_to_go_on(number: signal.Signals, chatflow: Program) -> None:
    with chatflow.started("run", "gated", "-p", "rounds=600") as process:
        ident = _first_phase_runs(chatflow)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    kept = f"chatflow: interrupted; {ident} is kept; go on with: chatflow resume {ident}"
    assert err.splitlines()[-1] == f"{kept}; or end it: chatflow terminate {ident}"
    assert "Traceback" not in err
    chatflow("terminate", ident)


def test_killed_and_resumed_nothing_is_lost(chatflow: Program) -> None:
    chatflow("run", "gated", status=3)
    with chatflow.started("run", "gated", "-p", "rounds=30", "-p", "number=4") as process:
        ident = _first_phase_runs(chatflow)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
    printed = chatflow("resume", ident, status=3)
    assert "AttemptLost" in printed.stderr
    told = chatflow.json("status", ident)
    assert told["phases"]["first"]["attempts"] == 2
    assert told["outcome"]["first"]["double"] == 8
    kinds = [event["type"] for event in chatflow.json("history", ident)]
    assert kinds.count("PhaseSucceeded") == 1


def test_a_detached_run_goes_on_without_its_terminal(chatflow: Program) -> None:
    started = json.loads(chatflow.apart("run", "gated", "--detach", "--json"))
    assert started["status"] == "running"
    ident = started["instance_id"]
    assert "no gate is waiting" in chatflow("trigger", ident, "--approve", "--detach", status=7).stderr
    until(lambda: chatflow.json("status", ident)["status"] == "waiting", what="its gate", deadline_sec=90)
    assert " running " in chatflow.apart("trigger", ident, "--approve", "--detach")
    assert chatflow.json("watch", ident)["status"] == "completed"


def test_an_answer_given_early_is_given_when_the_gate_is_reached(chatflow: Program) -> None:
    with chatflow.started("run", "gated", "-p", "rounds=20") as process:
        ident = _first_phase_runs(chatflow)
        printed = chatflow("trigger", ident, "--approve")
        assert "is driven by another process already" in printed.stderr
        assert "the gate is not reached yet" in printed.stderr
        assert printed.stdout.startswith("completed")
        process.communicate(timeout=60)
    assert process.returncode in (0, 3)  # it may have seen the gate, or only what came after


def test_a_reader_that_goes_away_is_no_error(chatflow: Program) -> None:
    for _ in range(3):
        chatflow("start", "gated")
    program = shlex.join([*map(str, COMMAND), "list", "--json"])
    line = f"set -o pipefail; {program} | head -c 1 >/dev/null"
    done = subprocess.run(
        ["bash", "-c", line], env=chatflow.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_on_a_terminal_it_asks_draws_and_colours(chatflow: Program) -> None:
    status, screen = chatflow.on_a_terminal("run", "gated", "-p", "rounds=5", typed="y\n")
    assert status == 3
    assert "Run them? [y/N]" in screen
    assert "\x1b[?25l" in screen, "drawn in place: the cursor is hidden meanwhile"
    assert "\x1b[?25h" in screen, "and shown again"
    assert "✓" in screen
    assert "\x1b[33m" in screen
    assert "PhaseStarted" not in screen
    assert chatflow.json("status", "last")["context"]["execute"] is True


def test_without_colours_or_utf8_the_same_is_told(chatflow: Program) -> None:
    plain = {"NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}
    status, screen = chatflow.on_a_terminal("run", "gated", "-p", "execute=false", environment=plain)
    assert status == 3
    assert "+ first" in screen
    assert "= second" in screen
    assert "\x1b[3" not in screen
    assert screen.isascii()


def test_a_dumb_terminal_gets_lines(chatflow: Program) -> None:
    status, screen = chatflow.on_a_terminal("run", "gated", typed="\n", environment={"TERM": "dumb"})
    assert status == 3
    assert "PhaseSucceeded" in screen
    assert "\x1b[" not in screen
    assert chatflow.json("status", "last")["context"]["execute"] is False
