"""What an executed notebook says of itself: papermill's metadata, kept truthful whatever happens."""

from collections.abc import Callable
from datetime import UTC, datetime

from nbformat import NotebookNode
from nbformat.v4 import new_output

from chatflow_jupyter.runner.notebook_job import NotebookFailure

_ENAMES = {
    "kernel_died": "KernelDied",
    "out_of_memory": "OutOfMemory",
    "timeout": "AttemptTimeout",
    "cancelled": "AttemptCancelled",
    "output_limit": "OutputLimit",
    "environment_error": "EnvironmentError",
    "no_such_kernel": "NoSuchKernel",
    "bad_notebook": "BadNotebook",
}


def _now() -> datetime:
    return datetime.now(UTC)


class NotebookRecord:
    """Writes states and times into a notebook's metadata while it runs.

    Cells are `pending`, `running`, `completed` or `failed`, as in papermill, but a cell that never ran stays
    `pending`. `metadata.chatflow` says how the notebook ended and why.
    """

    def __init__(self, notebook: NotebookNode, *, now: Callable[[], datetime] = _now) -> None:
        self._notebook = notebook
        self._now = now
        self._started: dict[int, datetime] = {}
        self._begin = now()

    def start(self) -> None:
        """Mark the notebook as running and every cell as pending."""
        self._begin = self._now()
        self._notebook.metadata.papermill.update(
            start_time=self._begin.isoformat(), end_time=None, duration=None, exception=None
        )
        self._notebook.metadata["chatflow"] = NotebookNode(status="running")
        for cell in self._notebook.cells:
            cell.metadata["papermill"] = NotebookNode(
                exception=None, start_time=None, end_time=None, duration=None, status="pending"
            )

    def cell_started(self, position: int) -> None:
        """Mark the cell at `position` of the notebook's list as running."""
        started = self._started[position] = self._now()
        self._notebook.cells[position].metadata.papermill.update(
            status="running", start_time=started.isoformat(), exception=False
        )

    def cell_ended(self, position: int, *, ok: bool) -> None:
        """Mark the cell at `position` as completed or failed."""
        ended = self._now()
        started = self._started.get(position, ended)
        self._notebook.cells[position].metadata.papermill.update(
            status="completed" if ok else "failed",
            end_time=ended.isoformat(),
            duration=(ended - started).total_seconds(),
            exception=not ok,
        )

    def ended(self, failure: NotebookFailure | None, position: int | None = None) -> None:
        """Mark the end of the notebook; a failure without an error output gets one in the failing cell."""
        ended = self._now()
        self._notebook.metadata.papermill.update(
            end_time=ended.isoformat(),
            duration=(ended - self._begin).total_seconds(),
            exception=True if failure else None,
        )
        self._notebook.metadata["chatflow"] = NotebookNode(
            {"status": "succeeded"}
            if failure is None
            else {
                "status": "failed",
                "code": failure.code,
                "message": failure.message,
                "cell_index": failure.cell_index,
                "exit_status": failure.exit_status,
            }
        )
        if failure is not None and position is not None:
            self._explain(self._notebook.cells[position], failure)

    def _explain(self, cell: NotebookNode, failure: NotebookFailure) -> None:
        ename = _ENAMES.get(failure.code)
        if ename is None or failure.ename is not None or cell.cell_type != "code":
            return
        line = f"{ename}: {failure.message}"
        said = new_output("error", ename=ename, evalue=failure.message, traceback=[line])
        kinds = [output.output_type for output in cell.outputs]
        # Before the KeyboardInterrupt of a stopped cell: the first error of a cell counts as its reason.
        cell.outputs.insert(kinds.index("error") if "error" in kinds else len(kinds), said)
