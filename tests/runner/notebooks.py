"""Make small notebooks, run them in real kernels, and see what is left."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from chatflow_jupyter.runner.kept_kernel import KeptKernel, Launch
from chatflow_jupyter.runner.notebook import NotebookJob, NotebookResult, run_notebook
from tests.waiting import until_async


@dataclass
class Heard:
    """A listener that keeps what it hears; `on_start` is called with the index of each cell."""

    started: list[tuple[int, int, str]] = field(default_factory=list)
    ended: list[tuple[int, bool]] = field(default_factory=list)
    outputs: list[tuple[str, Any]] = field(default_factory=list)
    risks: list[tuple[int, str]] = field(default_factory=list)
    on_start: Callable[[int], None] = lambda index: None

    def cell_started(self, index: int, total: int, name: str) -> None:
        self.started.append((index, total, name))
        self.on_start(index)

    def cell_ended(self, index: int, total: int, ok: bool, duration_sec: float) -> None:
        assert duration_sec >= 0
        self.ended.append((index, ok))

    def output(self, key: str, value: Any) -> None:
        self.outputs.append((key, value))

    def risk(self, value: int, reason: str) -> None:
        self.risks.append((value, reason))


@dataclass
class Run:
    """One notebook that was run: its result, what was heard, and the saved notebook."""

    result: NotebookResult
    heard: Heard
    output: Path

    @property
    def notebook(self) -> Any:
        return nbformat.read(self.output, 4)

    @property
    def states(self) -> list[str]:
        return [cell.metadata.papermill.status for cell in self.notebook.cells]


Kernels: TypeAlias = Callable[[], AbstractAsyncContextManager[Launch]]


STARTED: list[Kernels] = [lambda: nullcontext(KeptKernel.start)]
"""How kernels are started where a test does not say; the last counts."""


def write(folder: Path, cells: Sequence[Any], **metadata: Any) -> Path:
    """Write a notebook of code cells (texts) and ready-made cells."""
    nodes = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    path = folder / "in.ipynb"
    nbformat.write(new_notebook(cells=nodes, metadata=metadata), path)
    return path


def run(
    folder: Path,
    cells: Sequence[Any],
    *,
    heard: Heard | None = None,
    cancel_when: Callable[[], bool] | None = None,
    parameters: Mapping[str, Any] | None = None,
    **job: Any,
) -> Run:
    """Run a notebook of these cells in a fresh kernel; its work directory is `folder`/work."""
    return run_file(
        write(folder, cells), folder, heard=heard, cancel_when=cancel_when, parameters=parameters, **job
    )


def run_file(
    path: Path,
    folder: Path,
    *,
    heard: Heard | None = None,
    cancel_when: Callable[[], bool] | None = None,
    parameters: Mapping[str, Any] | None = None,
    kernels: Kernels | None = None,
    **job: Any,
) -> Run:
    """Run a notebook file, cancelling it once `cancel_when` says so."""
    heard = heard or Heard()
    work_dir = folder / "work"
    work_dir.mkdir(mode=0o700, exist_ok=True)
    output = folder / "out.ipynb"
    job = {"notebook": path, "parameters": parameters or {}, "work_dir": work_dir, "output": output, **job}

    async def go() -> NotebookResult:
        cancel = asyncio.Event()
        async with (kernels or STARTED[-1])() as launch, asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(set_when(cancel, cancel_when))
            result = await run_notebook(NotebookJob(**job), heard, cancel, launch=launch)
            watcher.cancel()
        return result

    return Run(result=asyncio.run(go()), heard=heard, output=job["output"])


async def set_when(event: asyncio.Event, condition: Callable[[], bool] | None) -> None:
    """Set `event` once `condition` holds."""
    if condition is None:
        return

    async def probe() -> bool:
        return condition()

    await until_async(probe, what="the moment to cancel")
    event.set()


def marked(mark: str) -> list[int]:
    """Return the living processes that have `mark` in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in words and state != "Z":
            found.append(int(entry.name))
    return found
