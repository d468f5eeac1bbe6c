"""One attempt, from its lease to its report: unpack, run, keep what it made."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from chatflow_jupyter.domain.errors import ChatFlowError, StaleFence
from chatflow_jupyter.domain.instance import Failure
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.domain.report_sizes import outcome_size_fault, spawned_size_fault
from chatflow_jupyter.planted_files import is_plain_file, remove_tree
from chatflow_jupyter.ports.execution import IExecution
from chatflow_jupyter.ports.records import AttemptReport, Lease, Progress

from .attempt_requests import AttemptRequests
from .execution_client import OrchestratorGone
from .kept_kernel import Launch
from .link_thread import Beating
from .notebook import NotebookFailure, NotebookJob, NotebookResult, run_notebook
from .phase_files import collect_artifacts, write_context
from .phase_socket import phase_socket

log = logging.getLogger(__name__)


class AttemptFolder:
    """The private folder of one attempt: its bundle, its kernel's directory and its notebook."""

    def __init__(self, path: Path) -> None:
        """Use `path`, which is made anew by `create`."""
        self.path = path
        self.bundle = path / "bundle"
        self.run = path / "run"
        self.fetched = path / "fetched"
        self.notebook = path / "notebook.ipynb"

    def create(self, lease: Lease) -> None:
        """Make the folder, empty, and note whose it is for whoever finds it later."""
        self.remove()
        for folder in (self.path, self.run, self.fetched):
            folder.mkdir(mode=0o700, parents=True)
        owner = {"tenant_id": lease.attempt.tenant_id, "attempt_id": lease.attempt.attempt_id}
        (self.path / "attempt.json").write_text(json.dumps(owner))

    def give_room(self) -> None:
        """Delete what an attempt that has ended leaves on the disk, except its notebook."""
        for folder in (self.run, self.bundle, self.fetched):
            remove_tree(folder)

    def remove(self) -> None:
        """Delete the folder and all in it."""
        remove_tree(self.path)


class ProgressListener:
    """Turns what happens in the notebook into the attempt's progress."""

    def __init__(self, beating: Beating) -> None:
        """Report on `beating`."""
        self._beating = beating

    def cell_started(self, index: int, total: int, name: str) -> None:
        """Note the running cell."""
        self._beating.progress = Progress(cell_index=index, cells_total=total, cell_name=name)

    def cell_ended(self, index: int, total: int, ok: bool, duration_sec: float) -> None:  # noqa: ARG002
        """Note that one more cell is done."""
        self._beating.progress = Progress(cell_index=index + 1, cells_total=total)

    def output(self, key: str, value: JsonValue) -> None:
        """Outcomes travel with the report."""

    def risk(self, value: int, reason: str) -> None:
        """Risk travels with the report."""


async def run_attempt(
    execution: IExecution,
    lease: Lease,
    folder: AttemptFolder,
    beating: Beating,
    cancel: asyncio.Event,
    limits: Callable[[NotebookJob], NotebookJob],
    launch: Launch,
) -> AttemptReport:
    """Run the attempt and store what it made.

    Raises `StaleFence` or `OrchestratorGone` when it was taken away.
    """
    attempt, began = lease.attempt, time.monotonic()
    try:
        await asyncio.to_thread(folder.create, lease)
        await execution.fetch_bundle(attempt.attempt_id, attempt.fence, folder.bundle)
        result = await _run(execution, lease, folder, beating, cancel, limits, launch)
    except (StaleFence, OrchestratorGone):
        raise
    except (ChatFlowError, OSError) as error:
        return AttemptReport(duration_sec=time.monotonic() - began, failure=_environment(error))
    except Exception as error:
        log.exception("attempt %s failed in the runner itself", attempt.attempt_id)
        failed = Failure(code="environment_error", message=f"the runner failed: {error!r}; see its log")
        return AttemptReport(duration_sec=time.monotonic() - began, failure=failed)
    unstored = await _keep(execution, lease, folder)
    failure = unstored if result.error is None else failure_of(result.error)
    failure = failure or _unfit(result)
    return AttemptReport(
        duration_sec=time.monotonic() - began,
        outputs=result.outputs if failure is None else {},
        risk=result.risk,
        spawned=tuple(result.spawned) if failure is None else (),
        failure=failure,
    )


def _unfit(result: NotebookResult) -> Failure | None:
    """Return why what the notebook said cannot be reported: too much would not reach whoever decides."""
    fault = outcome_size_fault(result.outputs)
    if fault is not None:
        return Failure(code="invalid_outputs", message=fault)
    fault = result.spawn_fault or spawned_size_fault(result.spawned)
    return None if fault is None else Failure(code="invalid_children", message=fault)


async def _run(
    execution: IExecution,
    lease: Lease,
    folder: AttemptFolder,
    beating: Beating,
    cancel: asyncio.Event,
    limits: Callable[[NotebookJob], NotebookJob],
    launch: Launch,
) -> NotebookResult:
    requests = AttemptRequests(execution, lease, folder.fetched)
    context = await asyncio.to_thread(write_context, lease, folder.run, folder.bundle)
    async with phase_socket(requests) as address:
        job = NotebookJob(
            notebook=folder.bundle / lease.notebook,
            parameters=lease.attempt.parameters,
            work_dir=folder.run,
            output=folder.notebook,
            kernel_name=lease.attempt.kernel,
            timeout_sec=lease.attempt.timeout_sec,
            environment={**context, "CHATFLOW_PHASE_SOCKET": str(address)},
        )
        return await run_notebook(limits(job), ProgressListener(beating), cancel, launch=launch)


async def _keep(execution: IExecution, lease: Lease, folder: AttemptFolder) -> Failure | None:
    """Store what the attempt made; or say why not, and keep at least its notebook."""
    try:
        await _store_notebook(execution, lease, folder)
        await _store_artifacts(execution, lease, folder)
        return None
    except (StaleFence, OrchestratorGone):
        raise
    except (ChatFlowError, OSError) as error:
        failure = _environment(error)
    await asyncio.to_thread(folder.give_room)
    try:
        await _store_notebook(execution, lease, folder)
    except (StaleFence, OrchestratorGone):
        raise
    except (ChatFlowError, OSError) as error:
        log.warning(
            "the notebook of %s is not kept: %s", lease.attempt.attempt_id, _environment(error).message
        )
    return failure


async def _store_notebook(execution: IExecution, lease: Lease, folder: AttemptFolder) -> None:
    attempt = lease.attempt
    if is_plain_file(folder.notebook):
        await execution.put_artifact(
            attempt.attempt_id,
            attempt.fence,
            name=f"{attempt.phase}.ipynb",
            kind="notebook",
            source=folder.notebook,
        )


async def _store_artifacts(execution: IExecution, lease: Lease, folder: AttemptFolder) -> None:
    held = (lease.attempt.attempt_id, lease.attempt.fence)
    for found in await asyncio.to_thread(collect_artifacts, folder.run):
        await execution.put_artifact(*held, name=found.name, kind=found.kind, source=found.path)


def _environment(error: ChatFlowError | OSError) -> Failure:
    message = error.message if isinstance(error, ChatFlowError) else f"{error.filename}: {error.strerror}"
    return Failure(code="environment_error", message=message)


def failure_of(error: NotebookFailure) -> Failure:
    """Return the engine's form of a notebook's failure."""
    message = error.message
    if error.exit_status and error.exit_status not in message:
        message = f"{message} ({error.exit_status})"
    return Failure(
        code=error.code,
        message=message,
        cell_index=error.cell_index,
        cell_name=error.cell_name,
        ename=error.ename,
        traceback=error.traceback,
        last_output=error.last_output,
    )
