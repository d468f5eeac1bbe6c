"""The job in ChatFlow: run, killed, resumed, approved early, late and while nothing of it lives."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.homes import Home, new_home
from benchmarks.measuring import until
from benchmarks.notebooks import times_of
from benchmarks.processes import kill_all, of_home
from benchmarks.same_job.job import content_of, write_job

PATIENCE_SEC = 90.0


@dataclass(kw_only=True)
class Seen:
    """What was seen over all scenarios; times in seconds."""

    first_cell_sec: list[float] = field(default_factory=list)
    next_cell_sec: list[float] = field(default_factory=list)
    restart_sec: float = 0.0
    once_sec: float = 0.0
    waiting_sec: float = 0.0
    true_status_sec: float = 0.0
    gone_sec: list[float] = field(default_factory=list)
    facts: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Place:
    """One job in a home of its own."""

    home: Home
    job: Path
    stamps: Path

    def run(self, *words: str) -> subprocess.Popen[str]:
        """Submit the job."""
        given = ("-p", f"stamps={self.stamps}", "-p", f"table={self.home.folder / 'table.csv'}")
        return self.home.start("run", f"{self.job}/", *given, "--json", *words)

    def approve(self, *words: str) -> subprocess.Popen[str]:
        """Approve, at the gate or before it."""
        return self.home.start("trigger", "last", "--approve", "--json", *words)

    def times(self, cell: str) -> list[float]:
        """Return when that cell began, once per time it was really run."""
        return times_of(self.stamps, cell)

    def reached(self, cell: str, times: int = 1) -> None:
        """Wait until that cell has begun so many times."""
        until(
            lambda: len(self.times(cell)) >= times, what=f"{cell} begun {times} x", deadline_sec=PATIENCE_SEC
        )

    def kill_everything(self) -> int:
        """Kill -9 every process of the home; returns how many there were."""
        return kill_all(lambda: of_home(self.home.folder.parent))

    def status(self) -> dict[str, Any]:
        """Return what `chatflow status` says."""
        answer: dict[str, Any] = self.home.answer("status", "last")
        return answer


def watch() -> Seen:
    """Go through every scenario once."""
    seen = Seen()
    for scenario in (
        _approved_late,
        _killed_in_second_cell,
        _killed_with_once,
        _killed_while_waiting,
        _approved_early,
        _approved_while_down,
    ):
        scenario(seen)
    return seen


@contextmanager
def _place(seen: Seen, *, once: bool = False) -> Iterator[Place]:
    """Yield a new place; at its end the source must be untouched and no process be left."""
    with new_home() as home:
        job = write_job(home.folder / "same-job", once=once)
        before = content_of(job)
        place = Place(home=home, job=job, stamps=home.folder / "stamps.txt")
        yield place
        seen.gone_sec.append(
            until(lambda: not of_home(home.folder.parent), what="no process is left", every_sec=0.05)
        )
        _note(seen, "the source notebooks are untouched", content_of(job) == before)
        _note(seen, "the job is completed", place.status()["status"] == "completed")


def _approved_late(seen: Seen) -> None:
    with _place(seen) as place:
        _submitted(seen, place, place.run(), status=3)
        _note(seen, "A waits for the approval", place.status()["waiting_reason"] == "approval")
        approved = time.time()
        _ended(place.approve())
        seen.next_cell_sec.append(place.times("b1")[0] - approved)


def _killed_in_second_cell(seen: Seen) -> None:
    with _place(seen) as place:
        _submitted(seen, place, place.run(), kill_in="a2")
        restarted = time.time()
        going_on = place.approve()
        seen.true_status_sec = _until_status_is_true(place, restarted)
        _ended(going_on)
        seen.restart_sec = time.time() - restarted
        _note(seen, "A ran again from its first cell, once", len(place.times("a1")) == 2)
        _note(seen, "B ran once", len(place.times("b1")) == 1)
        stored = place.home.answer("artifacts", "last")["artifacts"]
        kept = sorted(each["attempt"] for each in stored if each["name"] == "a.ipynb")
        _note(seen, "every attempt's partial notebook is kept", kept == [1, 2])


def _killed_with_once(seen: Seen) -> None:
    with _place(seen, once=True) as place:
        _submitted(seen, place, place.run(), kill_in="a2")
        restarted = time.time()
        _ended(place.approve())
        seen.once_sec = time.time() - restarted
        _note(seen, "with %%once the first cell is not run again", len(place.times("a1")) == 1)


def _killed_while_waiting(seen: Seen) -> None:
    with _place(seen) as place:
        _submitted(seen, place, place.run(), status=3)
        place.kill_everything()
        restarted = time.time()
        _ended(place.approve())
        seen.waiting_sec = time.time() - restarted
        seen.next_cell_sec.append(place.times("b1")[0] - restarted)
        _note(seen, "killed while waiting, A is not run again", len(place.times("a1")) == 1)


def _approved_early(seen: Seen) -> None:
    with _place(seen) as place:
        running = place.run()
        place.reached("a1")
        _ended(place.approve())
        running.communicate(timeout=PATIENCE_SEC)
        _note(seen, "an approval sent early is honoured", len(place.times("b1")) == 1)


def _approved_while_down(seen: Seen) -> None:
    with _place(seen) as place:
        _submitted(seen, place, place.run("--detach"), status=0, wait_for="waiting")
        place.kill_everything()
        approved = time.time()
        _ended(place.approve("--detach"))
        place.reached("b1")
        seen.next_cell_sec.append(place.times("b1")[0] - approved)
        until(lambda: place.status()["status"] == "completed", what="B has ended", deadline_sec=PATIENCE_SEC)
        _note(seen, "an approval sent while everything is down is honoured", len(place.times("b1")) == 1)


def _submitted(
    seen: Seen,
    place: Place,
    process: subprocess.Popen[str],
    *,
    status: int | None = None,
    kill_in: str | None = None,
    wait_for: str | None = None,
) -> None:
    """Wait for the first cell, then for the command's end or kill everything in a cell."""
    submitted = time.time()
    place.reached("a1")
    seen.first_cell_sec.append(place.times("a1")[0] - submitted)
    if kill_in is not None:
        place.reached(kill_in)
        time.sleep(0.5)  # well inside the cell
        assert place.kill_everything() >= 3, "a command, its runner and a kernel at least"
    _ended(process, status=status)
    if wait_for is not None:
        until(lambda: place.status()["status"] == wait_for, what=wait_for, deadline_sec=PATIENCE_SEC)


def _ended(process: subprocess.Popen[str], status: int | None = 0) -> None:
    _, problems = process.communicate(timeout=PATIENCE_SEC)
    if status is not None and process.returncode != status:
        raise RuntimeError(f"status {process.returncode} instead of {status}: {problems}")


def _until_status_is_true(place: Place, since: float) -> float:
    """Wait until `status` shows A running in its second attempt, as it does."""

    def is_true() -> bool:
        told = place.status()
        return (told["status"], told["phases"]["a"]["attempts"]) == ("running", 2)

    until(is_true, what="status tells that A runs again", deadline_sec=PATIENCE_SEC)
    return time.time() - since


def _note(seen: Seen, fact: str, is_so: bool) -> None:
    seen.facts[fact] = seen.facts.get(fact, True) and is_so
