"""How time is taken: interleaved rounds, so that whatever else the machine does hits all sides alike."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one command took: by the clock on the wall, and of the processors, in seconds."""

    wall_sec: float
    cpu_sec: float
    status: int


def command_time(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Spent:
    """Run a command, its output thrown away, and return what it took; its children's time counts."""
    before = os.times()
    began = time.perf_counter()
    status = subprocess.run(
        command, check=False, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True
    ).returncode
    wall_sec = time.perf_counter() - began
    after = os.times()
    cpu_sec = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(wall_sec=wall_sec, cpu_sec=cpu_sec, status=status)


def interleaved(sides: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Measure every side once per round, so that all meet the same machine; the first round is not kept."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, measure in sides.items():
            value = measure()
            if number:
                taken[name].append(value)
    return taken


def medians(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each side."""
    return {name: median(values) for name, values in taken.items()}


def until(
    probe: Callable[[], bool], *, what: str, deadline_sec: float = 60.0, every_sec: float = 0.005
) -> float:
    """Poll until `probe` is true; returns the seconds it took. Raises `TimeoutError` naming `what`."""
    began = time.monotonic()
    while not probe():
        if time.monotonic() - began > deadline_sec:
            raise TimeoutError(f"not within {deadline_sec:g} s: {what}")
        time.sleep(every_sec)
    return time.monotonic() - began
