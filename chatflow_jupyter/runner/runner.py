"""The runner: lease an attempt, run its notebook, report. As many at once as it has slots."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from chatflow_jupyter.domain.errors import ChatFlowError, InternalError, StaleFence
from chatflow_jupyter.domain.ids import RunnerId
from chatflow_jupyter.domain.instance import Failure
from chatflow_jupyter.ports.execution import IExecution
from chatflow_jupyter.ports.records import AttemptReport, Lease

from .attempt import AttemptFolder, run_attempt
from .execution_client import OrchestratorGone
from .kept_kernel import KeptKernel, Launch
from .link_thread import Beating
from .notebook import NotebookJob

log = logging.getLogger(__name__)

POLL_SEC = 20.0
MEMORY_POLL_SEC = 0.5
REPORT_AGAIN_SEC = 1.0
FREE_MEMORY_BYTES = 300 * 1024 * 1024


class Heart(Protocol):
    """Keeps leases alive."""

    def keep_alive(self, beating: Beating) -> None:
        """Begin."""

    def let_go(self, beating: Beating) -> None:
        """End."""


class Runner:
    """Runs attempts below `work` until its orchestrator is gone."""

    def __init__(
        self,
        execution: IExecution,
        heart: Heart,
        *,
        runner_id: RunnerId,
        work: Path,
        slots: int,
        limits: Callable[[NotebookJob], NotebookJob],
        launch: Launch = KeptKernel.start,
    ) -> None:
        """Lease through `execution`; `launch` starts kernels, `limits` puts the caps on each job."""
        self._execution = execution
        self._heart = heart
        self._runner_id = runner_id
        self._work = work
        self._limits = limits
        self._launch = launch
        self._slots = asyncio.Semaphore(slots or default_slots())
        self._running = 0

    async def serve(self) -> None:
        """Lease and run for ever; returns when the orchestrator is gone."""
        async with asyncio.TaskGroup() as attempts:
            while True:
                await self._slots.acquire()
                await self._enough_memory()
                try:
                    lease = await self._execution.lease(self._runner_id, wait_sec=POLL_SEC)
                except OrchestratorGone:
                    return
                except ChatFlowError as error:
                    log.warning("no attempt could be leased: %s", error.message)
                    await asyncio.sleep(REPORT_AGAIN_SEC)
                    lease = None
                if lease is None:
                    self._slots.release()
                    continue
                self._running += 1
                attempts.create_task(self._run(lease))

    async def _enough_memory(self) -> None:
        """Wait while memory is short, unless nothing runs that could give any back."""
        while self._running and free_memory_bytes() < FREE_MEMORY_BYTES:  # noqa: ASYNC110 - memory announces nothing
            await asyncio.sleep(MEMORY_POLL_SEC)

    async def _run(self, lease: Lease) -> None:
        attempt, loop = lease.attempt, asyncio.get_running_loop()
        cancel = asyncio.Event()
        beating = Beating(lease=lease, on_stale=lambda: loop.call_soon_threadsafe(cancel.set))
        self._heart.keep_alive(beating)
        folder = AttemptFolder(self._work / attempt.attempt_id)
        try:
            report = await run_attempt(
                self._execution, lease, folder, beating, cancel, self._limits, self._launch
            )
            await self._report(lease, report)
            await asyncio.to_thread(folder.remove)
        except (StaleFence, OrchestratorGone) as error:
            log.info("attempt %s was taken away: %s", attempt.attempt_id, error)
        except Exception:
            log.exception("attempt %s could not be reported; its lease will expire", attempt.attempt_id)
        finally:
            self._heart.let_go(beating)
            self._running -= 1
            self._slots.release()

    async def _report(self, lease: Lease, report: AttemptReport) -> None:
        """Hand the report in; while the store is busy or full, again and again for about one lease."""
        attempt, tries = lease.attempt, 1 + int(lease.lease_sec / REPORT_AGAIN_SEC)
        for left in reversed(range(tries)):
            try:
                await self._execution.complete(attempt.attempt_id, attempt.fence, report)
                return
            except (StaleFence, OrchestratorGone):
                raise
            except InternalError as error:  # no report will do: a lost attempt would only be made again
                log.exception("attempt %s cannot be reported", attempt.attempt_id)
                failed = Failure(code="environment_error", message=f"its report failed: {error.message}")
                await self._execution.complete(
                    attempt.attempt_id,
                    attempt.fence,
                    AttemptReport(duration_sec=report.duration_sec, failure=failed),
                )
                return
            except ChatFlowError as error:
                if not left:
                    raise
                log.warning("attempt %s cannot be reported yet: %s", attempt.attempt_id, error.message)
                await asyncio.sleep(REPORT_AGAIN_SEC)


def default_slots() -> int:
    """Return 2 x cores, at most one for each 512 MiB of memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(2 * cores, free_memory_bytes() // (512 * 1024 * 1024)))


def free_memory_bytes() -> int:
    """Return the memory available to new processes; a large number where the system does not say."""
    try:
        with Path("/proc/meminfo").open() as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 1 << 40
