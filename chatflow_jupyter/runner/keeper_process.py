"""A keeper as the process it is: wake it, kill it, wait for its end."""

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from typing import Protocol


class KeeperProcess(Protocol):
    """The process of a keeper, whoever started it."""

    pid: int

    def wake(self) -> None:
        """Let it go on, should it be stopped."""

    def kill(self) -> None:
        """End it; its kernel dies with it, and its other descendants come to the runner."""

    async def wait(self) -> None:
        """Return when it has ended."""


class StartedKeeper:
    """A keeper that is a child of this process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Stand for `process`."""
        self.pid = process.pid
        self._process = process

    def wake(self) -> None:
        """See the protocol."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """See the protocol."""
        self._process.kill()

    async def wait(self) -> None:
        """See the protocol."""
        await asyncio.to_thread(self._process.wait)


class ForkedKeeper:
    """A keeper that a zygote has forked and will collect, held by a descriptor: numbers are used again."""

    def __init__(self, pid: int) -> None:
        """Stand for the process `pid`; one that is gone already is only waited for."""
        self.pid = pid
        try:
            self._descriptor: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = None

    def wake(self) -> None:
        """See the protocol."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """See the protocol."""
        self._send(signal.SIGKILL)

    async def wait(self) -> None:
        """See the protocol."""
        if self._descriptor is None:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._descriptor)
        with suppress(ChildProcessError):  # it is ours where its zygote is gone
            os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED | os.WNOHANG)  # noqa: ASYNC222 - at once
        os.close(self._descriptor)
        self._descriptor = None

    def _send(self, signum: int) -> None:
        if self._descriptor is not None:
            try:
                signal.pidfd_send_signal(self._descriptor, signum)
            except ProcessLookupError:
                return
