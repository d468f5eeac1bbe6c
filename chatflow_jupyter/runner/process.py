"""A runner as a process: started first of all, told what it is to do once its orchestrator knows.

It imports what every runner needs meanwhile, which is half of the way to the first cell.
"""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from .configuration import RunnerConfiguration

_LENGTH_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class RunnerProcess:
    """A started runner and our end of the link to it. It ends when that is closed."""

    process: subprocess.Popen[bytes]
    connection: socket.socket

    def tell(self, configuration: "RunnerConfiguration") -> None:
        """Send what it is to do; a runner that has ended already is found out by whoever serves it."""
        body = configuration.dump().encode()
        with suppress(OSError):
            self.connection.sendall(len(body).to_bytes(_LENGTH_BYTES, "big") + body)


class _Early:
    """The runner of this process that nobody has asked for yet."""

    runner: RunnerProcess | None = None


def start_early() -> None:
    """Start a runner for whoever will call `take_or_start` in this process."""
    if _Early.runner is None:
        _Early.runner = _start(subprocess.DEVNULL)


def discard_early() -> None:
    """End the runner that was started early and never asked for."""
    early, _Early.runner = _Early.runner, None
    if early is not None:
        early.connection.close()
        early.process.kill()
        early.process.wait()


def take_or_start(output: IO[bytes]) -> RunnerProcess:
    """Return the runner that was started early, else a new one that writes to `output`."""
    early, _Early.runner = _Early.runner, None
    return early if early is not None else _start(output)


def told(connection: socket.socket) -> bytes | None:
    """Wait, in the runner, to be told; returns what `tell` sent, None when the orchestrator is gone."""
    size_bytes = connection.recv(_LENGTH_BYTES, socket.MSG_WAITALL)
    wanted = int.from_bytes(size_bytes, "big")
    body = connection.recv(wanted, socket.MSG_WAITALL) if len(size_bytes) == _LENGTH_BYTES else b""
    return body if body and len(body) == wanted else None


def _start(output: IO[bytes] | int) -> RunnerProcess:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chatflow_jupyter.runner", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    return RunnerProcess(process=process, connection=ours)
