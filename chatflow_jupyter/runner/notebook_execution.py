"""Execute the cells of one notebook in one kernel, and say truthfully how that ended."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from chatflow_jupyter.runner.failures import Place, exit_failure, reply_failure, stop_failure
from chatflow_jupyter.runner.kept_kernel import KeptKernel, Launch
from chatflow_jupyter.runner.kernel_session import KernelSession, Stop, Stopped, kernel_session
from chatflow_jupyter.runner.notebook_file import cell_name, is_executed
from chatflow_jupyter.runner.notebook_job import NotebookFailed, NotebookFailure, NotebookListener
from chatflow_jupyter.runner.notebook_record import NotebookRecord
from chatflow_jupyter.runner.outcomes import Outcomes
from chatflow_jupyter.runner.output_collector import OutputCollector
from chatflow_jupyter.runner.partial_saves import PartialSaves


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one execution: output per cell and in all, in bytes; time in seconds (None: no bound)."""

    cell_output_bytes: int
    notebook_output_bytes: int
    timeout_sec: float | None
    cell_timeout_sec: float | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a kernel runs: its kernelspec's name, its whole environment, its current directory."""

    kernel_name: str
    environment: Mapping[str, str]
    cwd: Path
    launch: Launch = KeptKernel.start


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an execution ended: `failure` is None when every cell succeeded or the notebook asked to end."""

    failure: NotebookFailure | None
    executed: int
    peak_rss_bytes: int | None


class NotebookExecution:
    """Runs a notebook's code cells in order, changing the notebook in place."""

    def __init__(
        self,
        notebook: NotebookNode,
        *,
        surroundings: Surroundings,
        limits: Limits,
        listener: NotebookListener,
        write: Callable[[NotebookNode], None],
    ) -> None:
        self.outcomes = Outcomes(listener)
        self._notebook = notebook
        self._surroundings = surroundings
        self._limits = limits
        self._listener = listener
        self._record = NotebookRecord(notebook)
        self._stop = Stop()
        self._collector = OutputCollector(
            notebook,
            outcomes=self.outcomes,
            cell_bytes=limits.cell_output_bytes,
            notebook_bytes=limits.notebook_output_bytes,
            on_limit=lambda problem: self._stop.request("output_limit", problem),
            on_change=self._note_change,
        )
        self._saves = PartialSaves(self._collector.snapshot, write)
        self._code_cells = [position for position, cell in enumerate(notebook.cells) if is_executed(cell)]
        self.total = len(self._code_cells)
        self.executed = 0
        self._place: Place | None = None
        self._peak_rss_bytes: int | None = None

    async def run(self, cancel: asyncio.Event) -> Ending:
        """Execute until the end, a failure, the time limit or `cancel`; saves the notebook throughout.

        Raises `OSError` when the final notebook cannot be saved.
        """
        self._record.start()
        timer = self._start_timer(self._limits.timeout_sec)
        try:
            async with asyncio.TaskGroup() as helpers:
                started = [
                    helpers.create_task(self._saves.keep_saving()),
                    helpers.create_task(self._watch(cancel)),
                ]
                try:
                    failure = await self._supervise()
                finally:
                    for helper in started:
                        helper.cancel()
        finally:
            timer.cancel()
        position = self._code_cells[self._place.index] if self._place is not None else None
        self._record.ended(failure, position)
        await self._saves.save()
        return Ending(failure=failure, executed=self.executed, peak_rss_bytes=self._peak_rss_bytes)

    def _note_change(self) -> None:
        self._saves.changed()

    def _start_timer(self, limit_sec: float | None) -> asyncio.TimerHandle:
        seconds = 10.0**9 if limit_sec is None else limit_sec
        return asyncio.get_running_loop().call_later(
            seconds, self._stop.request, "timeout", f"time ran out after {seconds:g} s"
        )

    async def _watch(self, cancel: asyncio.Event) -> None:
        await cancel.wait()
        self._stop.request("cancelled", "the attempt was cancelled")

    async def _supervise(self) -> NotebookFailure | None:
        try:
            async with kernel_session(
                self._surroundings.kernel_name,
                environment=self._surroundings.environment,
                cwd=self._surroundings.cwd,
                collector=self._collector,
                stop=self._stop,
                largest_message_bytes=2 * self._limits.notebook_output_bytes,
                launch=self._surroundings.launch,
            ) as session:
                failure = await self._converse(session)
            self._peak_rss_bytes = session.kernel.exited.result().peak_rss_bytes
        except NotebookFailed as error:
            return error.failure
        if failure is not None and failure.code == "environment_error" and failure.exit_status:
            # What the kernel wrote to its own stderr is complete only now.
            return exit_failure(session.kernel.exited.result(), None, session.kernel.log_tail)
        return failure

    async def _converse(self, session: KernelSession) -> NotebookFailure | None:
        try:
            self._notebook.metadata["language_info"] = NotebookNode(await session.ready())
            failure = await self._run_cells(session)
            self._collector.set_widgets_metadata()
            await session.shut_down()
            return failure
        except Stopped:
            return await self._stopped(session)
        except NotebookFailed as error:
            return error.failure

    async def _run_cells(self, session: KernelSession) -> NotebookFailure | None:
        last = self._code_cells[-1] if self._code_cells else -1
        for position, cell in enumerate(self._notebook.cells):
            if position not in self._code_cells:
                self._record.cell_started(position)
                self._record.cell_ended(position, ok=True)
                continue
            failure, ends = await self._run_cell(session, position, cell)
            if failure is not None:
                return failure
            if ends and position != last:
                return None
        return None

    async def _run_cell(
        self, session: KernelSession, position: int, cell: NotebookNode
    ) -> tuple[NotebookFailure | None, bool]:
        """Run one cell; returns its failure, if any, and whether the notebook asked to end here."""
        before = self._notebook.cells[position - 1] if position else None
        place = Place(cell, self._code_cells.index(position), self.total, cell_name(cell, before))
        self._place = place
        self._record.cell_started(position)
        self._saves.boundary()
        self._listener.cell_started(place.index, place.total, place.name)
        began = time.monotonic()
        timer = self._start_timer(self._limits.cell_timeout_sec)
        ok = False
        failure: NotebookFailure | None = None
        ends = False
        try:
            reply = await session.run_cell(cell, position)
            ends = _asks_to_end(reply)
            tolerated = ends or "raises-exception" in cell.metadata.get("tags", [])
            if reply.get("status") != "ok" and not tolerated:
                self._collector.snapshot()  # joins what was printed last
                failure = reply_failure(reply, place)
            ok = failure is None
            self.executed += 1
        finally:
            timer.cancel()
            self._record.cell_ended(position, ok=ok)
            self._saves.boundary()
            self._listener.cell_ended(place.index, place.total, ok, time.monotonic() - began)
        return failure, ends

    async def _stopped(self, session: KernelSession) -> NotebookFailure:
        code, problem = self._stop.requested.result()
        if code == "kernel_died":
            await session.last_words()
            self._collector.snapshot()
            end = session.kernel.exited.result()
            return exit_failure(end, self._place, session.kernel.log_tail)
        interrupted = await session.interrupt() if self._place is not None else True
        self._collector.snapshot()
        return stop_failure(code, problem, self._place, end=None, interrupted=interrupted)


def _asks_to_end(reply: Mapping[str, object]) -> bool:
    """Return whether a cell called `exit()` or `sys.exit(0)`: a good end, as in papermill."""
    payload = reply.get("payload")
    if isinstance(payload, list) and any(
        isinstance(entry, dict) and entry.get("source") == "ask_exit" for entry in payload
    ):
        return True
    return reply.get("ename") == "SystemExit" and reply.get("evalue") in ("", "0", "None")
