"""The runner as a child process of its orchestrator: started, served, started again when it dies."""

import asyncio
import logging
import os
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from chatflow_jupyter.log_files import rotated
from chatflow_jupyter.ports.execution import IExecution

from .configuration import END_GRACE_SEC, RunnerConfiguration
from .execution_server import ExecutionServer
from .process import RunnerProcess, take_or_start

log = logging.getLogger(__name__)

RESTART_SEC = 1.0


class RunnerChild:
    """Keeps one runner process alive for as long as `run` runs."""

    def __init__(self, configuration: RunnerConfiguration) -> None:
        """Start runners with `configuration`."""
        self._configuration = configuration
        self._runner: RunnerProcess | None = None

    def start(self) -> None:
        """Start the process at once, so that it warms up while its orchestrator does."""
        with self._output() as output:
            self._runner = take_or_start(output)
        self._runner.tell(self._configuration)

    def _output(self) -> BinaryIO:
        """Open what the runner prints to; a log that cannot be written is no reason not to run."""
        try:
            return rotated(Path(self._configuration.log_file)).open("ab")
        except OSError:
            return Path(os.devnull).open("ab")

    async def run(self, execution: IExecution, on_gone: Callable[[], Awaitable[None]]) -> None:
        """Serve the runner from `execution`, and start another whenever one dies; ends it when cancelled.

        `on_gone` is awaited whenever a runner process has ended.
        """
        try:
            while True:
                if self._runner is None:
                    self.start()
                await self._serve(execution)
                status = await self._ended()
                log.warning("the runner process ended (status %s); starting another", status)
                await on_gone()
                await asyncio.sleep(RESTART_SEC)
        finally:
            await self.end()

    def kill(self) -> None:
        """End a runner that gives no sign of life; `run` starts another."""
        if self._runner is not None:
            log.warning("the runner process gives no sign of life; it is ended")
            self._runner.process.kill()

    async def end(self) -> None:
        """Close the link, on which the runner ends its kernels and itself; kill it if it does not."""
        if self._runner is not None:
            self._runner.connection.close()
            await asyncio.shield(self._ended())

    async def _serve(self, execution: IExecution) -> None:
        assert self._runner is not None
        reader, writer = await asyncio.open_connection(sock=self._runner.connection)
        try:
            await ExecutionServer(execution, reader, writer).serve()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _ended(self) -> int:
        runner, self._runner = self._runner, None
        assert runner is not None
        try:
            return await asyncio.to_thread(runner.process.wait, END_GRACE_SEC + 2)
        except subprocess.TimeoutExpired:
            runner.process.kill()
            return await asyncio.to_thread(runner.process.wait)
