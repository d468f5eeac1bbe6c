"""The runner as a child process of its orchestrator: started, served, started again when it dies."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from chatflow_jupyter.ports.execution import IExecution

from .configuration import END_GRACE_SEC, RunnerConfiguration
from .execution_server import ExecutionServer

log = logging.getLogger(__name__)

RESTART_SEC = 1.0


class RunnerChild:
    """Keeps one runner process alive for as long as `run` runs."""

    def __init__(self, configuration: RunnerConfiguration, log_file: Path) -> None:
        """Start runners with `configuration`; what they print goes to `log_file`."""
        self._configuration = configuration
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def start(self) -> None:
        """Start the process at once, so that it warms up while its orchestrator does."""
        ours, theirs = socket.socketpair()
        configuration = replace(self._configuration, descriptor=theirs.fileno())
        with self._output() as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatflow_jupyter.runner", configuration.dump()],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        theirs.close()
        self._connection = ours

    def _output(self) -> BinaryIO:
        """Open what the runner prints to; a log that cannot be written is no reason not to run."""
        try:
            return self._log_file.open("ab")
        except OSError:
            return Path(os.devnull).open("ab")

    async def run(self, execution: IExecution, on_gone: Callable[[], Awaitable[None]]) -> None:
        """Serve the runner from `execution`, and start another whenever one dies; ends it when cancelled.

        `on_gone` is awaited whenever a runner process has ended.
        """
        try:
            while True:
                if self._process is None:
                    self.start()
                await self._serve(execution)
                status = await self._ended()
                log.warning("the runner process ended (status %s); starting another", status)
                await on_gone()
                await asyncio.sleep(RESTART_SEC)
        finally:
            await self.end()

    async def end(self) -> None:
        """Close the link, on which the runner ends its kernels and itself; kill it if it does not."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            await asyncio.shield(self._ended())

    async def _serve(self, execution: IExecution) -> None:
        assert self._connection is not None
        reader, writer = await asyncio.open_connection(sock=self._connection)
        try:
            await ExecutionServer(execution, reader, writer).serve()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _ended(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        try:
            return await asyncio.to_thread(process.wait, END_GRACE_SEC + 2)
        except subprocess.TimeoutExpired:
            process.kill()
            return await asyncio.to_thread(process.wait)
