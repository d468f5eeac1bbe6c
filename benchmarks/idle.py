"""Memory of a detached runner that has nothing to do."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.figures import Figure
from benchmarks.homes import Home, new_home
from benchmarks.measuring import until
from benchmarks.notebooks import PARAMETERS, stamp, write_notebook
from benchmarks.processes import command_line, of_home, proportional_bytes

MB = 1_000_000
SAMPLES = 10
EVERY_SEC = 2.0
GROWTH = 1.03


def measure() -> Sequence[Figure]:
    """Run a notebook detached, let everything come to rest, and weigh what stays."""
    with new_home() as home:
        write_notebook(home.folder / "two.ipynb", [PARAMETERS, stamp("first")])
        words = ("run", "two.ipynb", "-p", f"stamps={home.folder / 'stamps'}", "--detach")
        process = home.start(*words, extra={"CHATFLOW_BACKGROUND__IDLE_SEC": "600"})
        _, problems = process.communicate(timeout=60)
        assert process.returncode == 0, problems
        until(lambda: home.answer("status", "last")["status"] == "completed", what="completed", every_sec=0.2)
        # Kernels that were forked ahead go when nobody has asked for one in half a minute.
        until(lambda: len(_staying(home)) == 2, what="only background and runner stay", deadline_sec=90)
        commands = ", ".join(sorted(_module(pid) for pid in _staying(home)))
        weighed = []
        for _ in range(SAMPLES):
            time.sleep(EVERY_SEC)
            weighed.append(sum(map(proportional_bytes, _staying(home))) / MB)
    how = f"PSS of {commands}; {SAMPLES} samples over {SAMPLES * EVERY_SEC:.0f} s"
    return [
        Figure(name="a detached runner, idle", value=max(weighed), unit="MB", goal=150, how=f"largest {how}"),
        Figure(
            name="its growth while idle",
            value=weighed[-1] / weighed[0],
            unit="x",
            goal=GROWTH,
            how="last over first sample",
        ),
    ]


def _staying(home: Home) -> set[int]:
    return {pid for pid in of_home(home.folder.parent) if "chatflow_jupyter" in command_line(pid)}


def _module(pid: int) -> str:
    words = command_line(pid).split(" ")
    return words[words.index("-m") + 1]
