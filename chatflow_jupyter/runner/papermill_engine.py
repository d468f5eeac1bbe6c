"""`papermill --engine chatflow in.ipynb out.ipynb`: papermill's command, our supervision."""

import asyncio
import logging
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode

from chatflow_jupyter.domain.json_values import JsonValue

if TYPE_CHECKING:
    from papermill.engines import NotebookExecutionManager

    from chatflow_jupyter.runner.notebook_execution import Ending

log = logging.getLogger(__name__)


class ChatFlowEngine:
    """papermill's engine named `chatflow`.

    It has the methods of `papermill.engines.Engine` without inheriting them: importing papermill loads every
    registered engine, so an engine's module that imports papermill cannot be imported first.

    A kernel that dies, hangs or floods its output ends in a PapermillExecutionError and an output notebook
    that says which cell failed and which never ran. The kernel inherits the whole environment, as with
    papermill's own engine.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,  # noqa: ARG003 - saves are paced by their own cost
        execution_timeout: int | None = None,
        **options: Any,
    ) -> NotebookNode:
        """Execute `nb` in place and return it; `execution_timeout` is seconds per cell, as in papermill.

        Raises `PapermillException` when no cell could be run; papermill itself raises for a failed cell.
        """
        from papermill.engines import NotebookExecutionManager
        from papermill.exceptions import PapermillException

        if log_output or options.get("stdout_file") or options.get("stderr_file"):
            log.warning("the engine chatflow puts output into the notebook only: no log, no stream files")
        manager = NotebookExecutionManager(nb, output_path=output_path, progress_bar=progress_bar)
        try:
            ending = _run(_execute(manager, kernel_name, execution_timeout))
        finally:
            manager.cleanup_pbar()
        failure = ending.failure
        if failure is not None and failure.cell_index is None:
            raise PapermillException(f"{failure.code}: {failure.message}")
        return nb

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return `name`, else the kernel the notebook names; raises `ValueError` when neither does."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return `language`, else the notebook's; raises `ValueError` when neither is known."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))


class _ProgressBar:
    """Moves papermill's progress bar."""

    def __init__(self, manager: "NotebookExecutionManager") -> None:
        self._bar = manager.pbar

    def cell_started(self, index: int, total: int, name: str) -> None:  # noqa: ARG002 - the listener's
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_description(f"Executing {name}" if name else "Executing")

    def cell_ended(self, index: int, total: int, ok: bool, duration_sec: float) -> None:  # noqa: ARG002
        if self._bar is not None:
            self._bar.update(1)

    def output(self, key: str, value: JsonValue) -> None:
        log.info("output %s = %r", key, value)

    def risk(self, value: int, reason: str) -> None:
        log.info("risk %d: %s", value, reason)


async def _execute(
    manager: "NotebookExecutionManager", kernel_name: str, cell_timeout_sec: int | None
) -> "Ending":
    from papermill.iorw import write_ipynb

    from chatflow_jupyter.runner.notebook_execution import Limits, NotebookExecution, Surroundings
    from chatflow_jupyter.runner.notebook_file import prepare
    from chatflow_jupyter.runner.notebook_job import NotebookJob

    def write(snapshot: NotebookNode) -> None:
        if manager.output_path:
            write_ipynb(snapshot, manager.output_path)

    execution = NotebookExecution(
        prepare(manager.nb),
        surroundings=Surroundings(
            kernel_name=kernel_name, environment=dict(os.environ), cwd=await asyncio.to_thread(Path.cwd)
        ),
        limits=Limits(
            cell_output_bytes=NotebookJob.cell_output_bytes,
            notebook_output_bytes=NotebookJob.notebook_output_bytes,
            timeout_sec=None,
            cell_timeout_sec=cell_timeout_sec,
        ),
        listener=_ProgressBar(manager),
        write=write,
    )
    return await execution.run(asyncio.Event())


def _run(work: Coroutine[Any, Any, "Ending"]) -> "Ending":
    """Run `work` to its end, in a thread of its own when this one has a running loop (inside Jupyter)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    endings: list[Ending] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            endings.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="chatflow-papermill-engine")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return endings[0]
