"""The same job as the peers: every promise of it, with papermill beside it in the same minutes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.figures import Figure, holds
from benchmarks.same_job.beside import papermill
from benchmarks.same_job.job import lines_to_write
from benchmarks.same_job.ours import watch

QUOTED = {
    "papermill": "12.2 s",
    "jupyter-scheduler": "22 s, IN_PROGRESS for ever",
    "Elyra": "18 s, overwrites its source",
    "DBOS": "16 s",
    "Dagster": "36 s",
    "Airflow": "37 s, two of seven approvals lost",
    "Prefect": "47 s, state forced by hand",
}


def measure() -> Sequence[Figure]:
    """Go through the scenarios, then through papermill's."""
    seen = watch()
    beside = papermill()
    gone_sec = max(seen.gone_sec)
    here = f"papermill {beside.version} just now"
    quoted = "; ".join(f"{name} {took}" for name, took in QUOTED.items())
    first_sec, next_sec = median(seen.first_cell_sec), median(seen.next_cell_sec)
    return [
        _at_most("lines to write", lines_to_write(), 8, "beside the two notebooks", unit="lines"),
        _at_most("submit to first cell", first_sec, 2, f"median of {len(seen.first_cell_sec)}; "
                 f"{here}: {beside.first_cell_sec:.2f} s"),
        _at_most("approval to next cell", next_sec, 2, f"median of {len(seen.next_cell_sec)}; "
                 f"{here}: {beside.next_cell_sec:.2f} s"),
        _at_most("killed in A's second cell: restart to end", seen.restart_sec, 12, f"one command; "
                 f"{here}: {beside.restart_sec:.2f} s; measured elsewhere earlier: {quoted}"),
        _at_most("the same with %%once", seen.once_sec, 9, "one command"),
        _at_most("killed while waiting: approval to end", seen.waiting_sec, 3, "one command"),
        _at_most("status is true after the restart", seen.true_status_sec, 10, "asked by another process"),
        _at_most("no process is left after the last command", gone_sec, 10, f"worst of {len(seen.gone_sec)}"),
        *(holds(fact, is_so, "in every scenario it applies to") for fact, is_so in seen.facts.items()),
    ]  # fmt: skip


def _at_most(name: str, value: float, goal: float, how: str, unit: str = "s") -> Figure:
    return Figure(name=name, value=value, unit=unit, goal=goal, how=how)
