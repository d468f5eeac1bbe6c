"""The same job with papermill and a shell: what a careful person writes without an orchestrator."""

from __future__ import annotations

import importlib.metadata
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import until
from benchmarks.notebooks import times_of
from benchmarks.processes import kill_all, of_home
from benchmarks.same_job.job import write_job

PATIENCE_SEC = 90.0
SCRIPT = """\
set -e
{papermill} a.ipynb a.out.ipynb -p stamps {stamps} -p table table.csv
[ -e approved ] || exit 3
{papermill} b.ipynb b.out.ipynb -p stamps {stamps} -p table table.csv
"""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What papermill took, in seconds."""

    version: str
    first_cell_sec: float
    next_cell_sec: float
    restart_sec: float
    first_cell_ran: int


def papermill() -> Beside:
    """Run the script, kill everything in A's second cell, approve, run the script again to its end."""
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        job = write_job(Path(place).resolve() / "same-job")
        stamps = job / "stamps.txt"
        script = SCRIPT.format(
            papermill=shlex.quote(str(Path(sys.executable).with_name("papermill"))), stamps=stamps
        )
        submitted = time.time()
        with _started(script, job) as first:
            until(lambda: bool(times_of(stamps, "a2")), what="a2 begun", deadline_sec=PATIENCE_SEC)
            time.sleep(0.5)
            kill_all(lambda: of_home(job))
            first.communicate(timeout=PATIENCE_SEC)
        (job / "approved").touch()
        restarted = time.time()
        with _started(script, job) as second:
            _, problems = second.communicate(timeout=PATIENCE_SEC)
        ended = time.time()
        assert second.returncode == 0, problems
        noted = times_of(stamps, "a1")
        a_ended = times_of(stamps, "a3")[-1] + 3
        return Beside(
            version=importlib.metadata.version("papermill"),
            first_cell_sec=noted[0] - submitted,
            next_cell_sec=times_of(stamps, "b1")[0] - a_ended,
            restart_sec=ended - restarted,
            first_cell_ran=len(noted),
        )


def _started(script: str, job: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", script],
        cwd=job,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
