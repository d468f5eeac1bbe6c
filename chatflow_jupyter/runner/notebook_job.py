"""What it takes to run one notebook, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from chatflow_jupyter.domain.instance import Spawned
from chatflow_jupyter.domain.json_values import JsonValue

MEBIBYTE = 1024 * 1024

FailureCode = Literal[
    "cell_error",
    "kernel_died",
    "out_of_memory",
    "timeout",
    "cancelled",
    "bad_notebook",
    "no_such_kernel",
    "output_limit",
    "stdin_requested",
    "environment_error",
]
"""The stable codes of a failed attempt."""


@dataclass(frozen=True, kw_only=True)
class NotebookJob:
    """One notebook to run once in a fresh kernel.

    `notebook` is only read. `work_dir` exists already and is the kernel's current directory. `output` gets
    the executed notebook, complete or partial. `timeout_sec` bounds the whole attempt, kernel start
    included. `environment` is added to the allowed part of the runner's own.
    """

    notebook: Path
    parameters: Mapping[str, JsonValue]
    work_dir: Path
    output: Path
    kernel_name: str | None = None
    timeout_sec: float | None = None
    cell_output_bytes: int = 10 * MEBIBYTE
    notebook_output_bytes: int = 50 * MEBIBYTE
    environment: Mapping[str, str] = field(default_factory=dict)


class NotebookListener(Protocol):
    """Hears what happens while a notebook runs. Every method is called on the event loop: be quick.

    `index` counts the code cells from 0 and `total` is their number; `name` is the cell's first heading,
    comment or line, at most 60 characters.
    """

    def cell_started(self, index: int, total: int, name: str) -> None:
        """Hear that a code cell was sent to the kernel."""

    def cell_ended(self, index: int, total: int, ok: bool, duration_sec: float) -> None:
        """Hear that a code cell ended, well or not."""

    def output(self, key: str, value: JsonValue) -> None:
        """Hear of an outcome the notebook reported (`ctx.output`)."""

    def risk(self, value: int, reason: str) -> None:
        """Hear of a risk the notebook reported, from 0 to 100 (`ctx.risk`)."""


@dataclass(frozen=True, kw_only=True)
class NotebookFailure:
    """Why a notebook did not succeed.

    `message` is one line for people. `cell_index` counts code cells from 0. `traceback` and `last_output`
    (the tail of what the cell printed) are free of terminal colours and bounded. `exit_status` says in
    words how the kernel process ended, when it ended by itself.
    """

    code: FailureCode
    message: str
    cell_index: int | None = None
    cell_name: str | None = None
    ename: str | None = None
    traceback: str | None = None
    exit_status: str | None = None
    last_output: str | None = None


@dataclass(frozen=True, kw_only=True)
class NotebookResult:
    """What came of one run of a notebook; `ok` exactly when `error` is None.

    `outputs` holds the last value of each outcome, `risk` the highest reported, `spawned` the children asked
    for, in order, and `spawn_fault` why one of them cannot be. `cells_total` counts code cells,
    `cells_executed` those that ended. Peak memory is that of the kernel process.
    """

    ok: bool
    error: NotebookFailure | None
    outputs: Mapping[str, JsonValue]
    risk: int | None
    spawned: Sequence[Spawned]
    spawn_fault: str | None
    cells_total: int
    cells_executed: int
    duration_sec: float
    peak_rss_bytes: int | None


class NotebookFailed(Exception):
    """A notebook did not succeed; `failure` says why."""

    def __init__(self, failure: NotebookFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure
