"""Run one notebook: read, inject parameters, execute, save, report."""

import asyncio
import logging
import os
import time
from collections.abc import Iterable

from nbformat import NotebookNode

from chatflow_jupyter.runner.kept_kernel import KeptKernel, Launch
from chatflow_jupyter.runner.kernel_environment import kernel_environment
from chatflow_jupyter.runner.notebook_execution import Ending, Limits, NotebookExecution, Surroundings
from chatflow_jupyter.runner.notebook_file import read_notebook, write_notebook
from chatflow_jupyter.runner.notebook_job import (
    FailureCode,
    NotebookFailed,
    NotebookFailure,
    NotebookJob,
    NotebookListener,
    NotebookResult,
)
from chatflow_jupyter.runner.parameters import (
    InferredParameter,
    check_parameters,
    inferred_parameters,
    inject_parameters,
    kernel_and_language,
)

__all__ = [
    "FailureCode",
    "InferredParameter",
    "NotebookFailed",
    "NotebookFailure",
    "NotebookJob",
    "NotebookListener",
    "NotebookResult",
    "inferred_parameters",
    "run_notebook",
]

log = logging.getLogger(__name__)


async def run_notebook(
    job: NotebookJob,
    listener: NotebookListener,
    cancel: asyncio.Event,
    *,
    inherited_names: Iterable[str] = (),
    launch: Launch = KeptKernel.start,
) -> NotebookResult:
    """Run a notebook once in a fresh kernel and report what came of it; never raises for what it contains.

    Success means that the supervisor saw every code cell succeed (or the notebook end itself with
    `exit()`). Setting `cancel` interrupts the cell and ends the attempt. When this returns, or is
    cancelled, no process started by the notebook is left. `inherited_names` are environment variables a
    kernel may inherit beyond the usual ones.
    """
    began = time.monotonic()
    execution: NotebookExecution | None = None
    ending: Ending
    try:
        notebook, surroundings = await asyncio.to_thread(_prepare, job, tuple(inherited_names), launch)
        execution = NotebookExecution(
            notebook,
            surroundings=surroundings,
            limits=_limits(job),
            listener=listener,
            write=lambda snapshot: write_notebook(snapshot, job.output),
        )
        ending = await execution.run(cancel)
    except NotebookFailed as error:
        ending = Ending(failure=error.failure, executed=0, peak_rss_bytes=None)
    except OSError as error:
        ending = _unsaved(job, execution, error)
    return NotebookResult(
        ok=ending.failure is None,
        error=ending.failure,
        outputs=dict(execution.outcomes.values) if execution else {},
        risk=execution.outcomes.risk if execution else None,
        spawned=list(execution.outcomes.spawned) if execution else [],
        spawn_fault=execution.outcomes.spawn_fault if execution else None,
        cells_total=execution.total if execution else 0,
        cells_executed=ending.executed,
        duration_sec=time.monotonic() - began,
        peak_rss_bytes=ending.peak_rss_bytes,
    )


def _limits(job: NotebookJob) -> Limits:
    return Limits(
        cell_output_bytes=job.cell_output_bytes,
        notebook_output_bytes=job.notebook_output_bytes,
        timeout_sec=job.timeout_sec,
    )


def _prepare(
    job: NotebookJob, inherited_names: tuple[str, ...], launch: Launch
) -> tuple[NotebookNode, Surroundings]:
    check_parameters(job.parameters)
    notebook = read_notebook(job.notebook)
    kernel_name, language = kernel_and_language(notebook, job.kernel_name)
    notebook = inject_parameters(notebook, job.parameters, kernel_name=kernel_name, language=language)
    notebook.metadata.papermill.update(input_path=job.notebook.name, output_path=job.output.name)
    environment = kernel_environment(os.environ, given=job.environment, extra_names=inherited_names)
    return notebook, Surroundings(
        kernel_name=kernel_name, environment=environment, cwd=job.work_dir, launch=launch
    )


def _unsaved(job: NotebookJob, execution: NotebookExecution | None, error: OSError) -> Ending:
    log.error("the executed notebook cannot be saved: %s", error)
    message = f"the executed notebook {job.output.name} cannot be saved: {error.strerror or error}"
    return Ending(
        failure=NotebookFailure(code="environment_error", message=message),
        executed=execution.executed if execution else 0,
        peak_rss_bytes=None,
    )
