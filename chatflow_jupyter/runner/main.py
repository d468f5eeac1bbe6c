"""The runner process: `python -m chatflow_jupyter.runner DESCRIPTOR`, its end of the link."""

import asyncio
import logging
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

from chatflow_jupyter.domain.ids import RunnerId

from .configuration import RunnerConfiguration
from .execution_client import ExecutionClient
from .forked_kernels import ForkedKernels
from .keeper import wake_when_parent_dies
from .kept_kernel import KeptKernel
from .link_thread import LinkThread
from .notebook import NotebookJob
from .orphans import become_subreaper, end_orphans
from .process import told
from .runner import Runner, default_slots

log = logging.getLogger(__name__)


def main(descriptor: int) -> int:
    """Run until the orchestrator is gone; everything started here has ended when this returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    text = told(connection)
    if text is None:
        return 0
    configuration = RunnerConfiguration.load(text)
    _write_to(Path(configuration.log_file))
    logging.basicConfig(
        level=configuration.log_level.upper(), format="%(asctime)s runner %(levelname)s %(name)s %(message)s"
    )
    become_subreaper()
    wake_when_parent_dies()
    try:
        asyncio.run(_serve(configuration, connection))
    finally:
        end_orphans()
    return 0


def _write_to(log_file: Path) -> None:
    """Send what this process and libraries in it print to the file."""
    try:
        output = log_file.open("ab", buffering=0)
    except OSError:  # no room, or read-only: the work itself may still be possible
        return
    with output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)


async def _serve(configuration: RunnerConfiguration, connection: socket.socket) -> None:
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    link = LinkThread(connection, lambda: loop.call_soon_threadsafe(gone.set))
    link.start()
    loop.add_signal_handler(signal.SIGTERM, gone.set)

    slots = configuration.slots or default_slots()
    async with ForkedKernels(ahead=slots) as kernels:
        await _until_gone(_runner(configuration, link, slots, kernels), gone)


def _runner(
    configuration: RunnerConfiguration, link: LinkThread, slots: int, kernels: ForkedKernels
) -> Runner:
    def limits(job: NotebookJob) -> NotebookJob:
        return replace(
            job,
            cell_output_bytes=configuration.cell_output_bytes,
            notebook_output_bytes=configuration.notebook_output_bytes,
        )

    return Runner(
        ExecutionClient(link.send),
        link,
        runner_id=RunnerId(configuration.runner_id),
        work=Path(configuration.work),
        slots=slots,
        limits=limits,
        launch=kernels.launch if configuration.kernel_start == "forked" else KeptKernel.start,
    )


async def _until_gone(runner: Runner, gone: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        serving, leaving = group.create_task(runner.serve()), group.create_task(gone.wait())
        await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        leaving.cancel()


def entry() -> None:
    """Start from the command line."""
    status = main(int(sys.argv[1]))
    logging.shutdown()
    os._exit(status)
