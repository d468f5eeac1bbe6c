"""`kill -9` of anything at any moment: nothing is lost, nothing happens twice, nothing is left running."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.product import Product, Running
from tests.acceptance.workflows import Workshop
from tests.limits import LIMITS, LOAD
from tests.waiting import until

RESUME_SEC = 3.0
PATIENCE = 10
KILLS = max(10, LIMITS.kills)
"""How many times slower than promised a busy machine may be before a test fails."""
DYING = Path(__file__).with_name("dying.py")


def said_in_time(product: Product, since: datetime, kind: str) -> None:
    """Print how long after the command this event came; fail when it was far beyond the promise."""
    took_sec = (product.wait_for(kind).at - since).total_seconds()
    print(f"{kind} {took_sec:.2f} s after the command (promised {RESUME_SEC:g})")
    assert 0 <= took_sec < RESUME_SEC * PATIENCE


def states_of(product: Product, artifact: dict[str, str]) -> list[str]:
    """How far each cell of a stored notebook had come."""
    sha256 = artifact["sha256"]
    stored = json.loads((product.home / "artifacts/local/sha256" / sha256[:2] / sha256[2:]).read_text())
    return [cell["metadata"]["papermill"]["status"] for cell in stored["cells"]]


def test_a_runner_that_is_stopped_is_ended_and_its_phase_runs_again(
    product: Product, workshop: Workshop
) -> None:
    running = product.spawn("run", workshop.approval(), CHATFLOW_RUNNER__LEASE_SEC="2")
    until(lambda: workshop.marks["a2"], what="A runs")
    (runner,) = product.processes("runner")
    os.kill(runner.pid, signal.SIGSTOP)
    product.wait_for("AttemptLost")
    workshop.let("a")
    assert running.wait().status == 3
    assert product.counts("PhaseSucceeded")["a"] == 1
    product.none_left()


def test_a_fork_that_is_killed_goes_on_and_what_it_shares_is_not_run_again(
    product: Product, workshop: Workshop
) -> None:
    workshop.let("a")
    source = product.run("run", workshop.approval(), "--json", status=3).instance_id
    before = product.run("status", source, "--json", status=0).out
    product.run("fork", source, "--from", "b", "--detach", status=0)
    fork = product.run("list", "--json", status=0).json[0]["instance_id"]
    product.spawn("trigger", fork, "--approve")
    until(lambda: workshop.marks["b1"], what="B of the fork runs")
    product.kill_everything()
    product.none_left()
    workshop.let("b")
    ended = product.run("resume", fork, "--json", status=0).json
    assert ended["forked_from"]["instance_id"] == source
    assert workshop.marks["a1"] == workshop.marks["a3"] == 1
    assert product.run("status", source, "--json", status=0).out == before


def test_everything_is_killed_in_the_second_cell_and_again_at_the_gate(
    product: Product, workshop: Workshop
) -> None:
    template = workshop.approval()
    product.spawn("run", template)
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    ident = product.instances()[0][0]
    product.kill_everything()
    product.none_left()
    assert product.run("status", ident, "--json", status=0).json["status"] == "running"

    (template / "a.ipynb").write_text("edited since")
    shutil.rmtree(template)  # an instance runs what it was started with
    workshop.let("a")
    began = datetime.now(UTC)
    resumed = product.run("resume", ident, status=3)
    said_in_time(product, began, "AttemptLost")
    assert "waiting for approval before b" in resumed.out
    assert workshop.marks == {"a1": 2, "a2": 2, "a3": 1}
    assert product.artifacts() == [("a", 1, "a.ipynb"), ("a", 2, "a.ipynb")]
    first, second = product.run("artifacts", ident, "--json", status=0).json["artifacts"]
    assert (first["attempt"], "completed" in states_of(product, second)) == (1, True)
    assert {"running", "pending"} & set(states_of(product, first))

    product.none_left()  # while it waits for a person, nothing runs that could be killed
    done = product.run("trigger", ident, "--approve", "--json", status=0).json
    assert done["outcome"]["b"] == {"seen": 3}
    assert product.counts("PhaseSucceeded") == {"a": 1, "b": 1}
    assert product.counts("PhaseStarted") == {"a": 2, "b": 1}
    assert workshop.marks["b1"] == 1


def test_a_version_published_while_an_instance_of_another_runs_changes_nothing_for_it(
    product: Product, workshop: Workshop
) -> None:
    template = workshop.approval()
    definition = template / "definition.yaml"
    definition.write_text(f"version: 1.0.0\n{definition.read_text()}")
    product.run("schemas", "publish", template, status=0)
    named = definition.read_text().split("name: ")[1].split()[0]
    product.spawn("run", named)
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    ident = product.instances()[0][0]

    definition.write_text(definition.read_text().replace("version: 1.0.0", "version: 1.1.0"))
    (template / "a.ipynb").write_bytes((template / "b.ipynb").read_bytes())
    product.run("schemas", "publish", template, status=0)
    product.run("schemas", "deprecate", f"{named}@1.0.0", "--reason", "replaced", status=0)
    product.kill_everything()
    workshop.let("a")
    product.run("resume", ident, status=3)
    assert workshop.marks == {"a1": 2, "a2": 2, "a3": 1}
    assert product.run("status", ident, "--json").json["schema_id"] == f"{named}@1.0.0"
    assert product.run("start", named, "--json").json["schema_id"] == f"{named}@1.1.0"
    product.none_left()


def test_each_of_its_processes_may_be_killed_alone(product: Product, workshop: Workshop) -> None:
    notebook = workshop.notebook("long.ipynb", ["mark('began')\nwait_for('end')", "ctx.output('done', True)"])

    def running(attempt: int, command: Running) -> Running:
        until(lambda: workshop.marks["began"] == attempt, what=f"attempt {attempt} runs")
        return command

    command = running(1, product.spawn("run", notebook, "--idempotency-key", "k", "--json"))
    assert product.kill("kernel")
    ended = command.wait()
    assert (ended.status, ended.json["failure"]["code"]) == (4, "kernel_died")
    assert "killed by SIGKILL" in ended.json["error"]

    command = running(2, product.spawn("retry", "last", "--json"))
    assert product.kill("keeper")
    ended = command.wait()
    assert (ended.status, ended.json["failure"]["code"]) == (4, "kernel_died")
    product.none_left()

    command = running(3, product.spawn("retry", "last"))
    assert product.kill("runner")
    running(4, command)
    assert product.wait_for("AttemptLost").data["cause"] == "its runner process ended"
    command.kill()
    product.none_left()

    command = running(5, product.spawn("run", notebook, "--idempotency-key", "k", "--json"))
    workshop.let("end")
    ended = command.wait()
    assert (ended.status, ended.json["outcome"]) == (0, {"long": {"done": True}})
    assert len(product.instances()) == 1
    assert product.artifacts() == [("long", number, "long.ipynb") for number in range(1, 6)]
    assert [status for *_, status in product.attempts()] == ["failed", "failed", "lost", "lost", "succeeded"]


def test_a_tree_killed_during_its_fan_out_ends_with_one_command_as_if_nothing_had_happened(
    product: Product, workshop: Workshop
) -> None:
    product.spawn("run", workshop.fan_out())
    product.wait_for("PhaseStarted", "look", count=2)
    ident = product.instances()[0][0]
    product.kill_everything()
    workshop.let("children")
    done = product.run("trigger", ident, "--approve", "--json", status=0).json  # long before its gate
    assert done["outcome"]["report"] == {"total": sum(map(ord, "xyz"))}
    assert product.counts("PhaseSucceeded") == {"collect": 1, "look": 3, "files": 1, "report": 1}
    assert product.counts("PhaseStarted") == {"collect": 1, "look": 5, "report": 1}
    assert product.counts("ChildEnded") == {"files": 3}


def test_a_process_that_dies_right_after_a_commit_loses_and_repeats_nothing(
    product: Product, workshop: Workshop
) -> None:
    workshop.let("a")
    template = workshop.approval()
    chance = random.Random(LIMITS.kills)
    moments = sorted(chance.sample(range(1, 21), LIMITS.kills if LIMITS.kills < 20 else 20))
    for commits in moments:
        key = f"after-{commits}"
        command = ("run", template, "--idempotency-key", key)
        died = product.spawn(*command, program=(sys.executable, DYING, str(commits)))
        died.process.wait(LIMITS.deadline_sec * 2)
        waiting = product.run(*command, "--json", status=3)
        counts = product.counts("PhaseSucceeded", waiting.instance_id)
        assert counts == {"a": 1}, f"killed after commit {commits}"
        assert product.counts("InstanceStarted", waiting.instance_id) == {"": 1}
    assert len(product.instances()) == len(moments)
    ident = product.instances()[-1][0]
    approve = ("trigger", ident, "--approve", "--idempotency-key", "yes")
    died = product.spawn(*approve, program=(sys.executable, DYING, "3"))
    died.process.wait(LIMITS.deadline_sec * 2)
    product.run(*approve, status=0)
    assert product.counts("GateDecided", ident) == {"b": 1}
    assert product.counts("PhaseSucceeded", ident) == {"a": 1, "b": 1}


@pytest.mark.chaos
@pytest.mark.timeout(60 + 30 * KILLS)
def test_kills_at_random_moments_change_nothing_in_the_end(product: Product, workshop: Workshop) -> None:
    seed = random.SystemRandom().randrange(10**6) if LOAD == "large" else 20261123
    chance = random.Random(seed)
    print(f"seed {seed}, {KILLS} kills")
    workshop.let("children")
    template = workshop.fan_out()
    for number in range(KILLS):
        running = product.spawn(*_next_command(product, template))
        victim = chance.choice(("everything", "everything", "chatflow", "runner"))
        moment = len(product.events()) + chance.randint(2, 14)
        until(partial(_is_time, product, running, moment), what=f"{moment} events")
        _wait(running, chance.uniform(0, 0.5))
        done = sum(product.counts("PhaseSucceeded").values())
        print(f"kill {number}: {victim} at event {len(product.events())}, {done} phases done")
        if victim == "runner":
            product.kill("runner")
            _wait(running, chance.uniform(0.5, 2.0))
        product.kill_everything() if victim == "everything" else running.kill()
        product.none_left(deadline_sec=LIMITS.deadline_sec)
    while product.instances()[-1][1] != "completed":
        assert product.run(*_next_command(product, template)).status in (0, 3)
    rounds = len(product.instances())
    for ident, _ in product.instances():
        done = product.run("status", ident, "--json", status=0).json["outcome"]
        assert done["report"] == {"total": sum(map(ord, "xyz"))}
    succeeded = {"collect": rounds, "look": 3 * rounds, "files": rounds, "report": rounds}
    assert product.counts("PhaseSucceeded") == succeeded
    assert product.counts("ChildEnded") == {"files": 3 * rounds}
    assert [status for *_, status in product.attempts()].count("succeeded") == 5 * rounds


def _next_command(product: Product, template: Path) -> Sequence[str | Path]:
    """What a person types next: the same again, what they were told to type, or a new one after an end."""
    known = product.instances()
    ident, status = known[-1] if known else ("", "")
    if status == "failed":  # after three runners lost in one phase
        return "resume", ident
    waited = product.counts("InstanceWaiting", ident)["report"]
    if status != "completed" and waited and not product.counts("GateDecided", ident):
        return "trigger", ident, "--approve"
    ended = sum(status == "completed" for _, status in known)
    return "run", template, "--idempotency-key", f"round {ended}"


def _is_time(product: Product, running: Running, moment: int) -> bool:
    return len(product.events()) >= moment or running.process.poll() is not None


def _wait(running: Running, seconds: float) -> None:
    """Let it go on for that long, or until its end."""
    with suppress(subprocess.TimeoutExpired):
        running.process.wait(seconds)
