"""The runner's end of a keeper: start a kernel under it, signal it, learn how it ended."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chatflow_jupyter.runner import keeper
from chatflow_jupyter.runner.keeper_process import KeeperProcess, StartedKeeper
from chatflow_jupyter.runner.orphans import end_orphans, forget_keeper, start_keeper

log = logging.getLogger(__name__)

LOG_TAIL_BYTES = 16 * 1024
"""How much of what a kernel writes outside its channels is kept, in bytes."""


@dataclass(frozen=True, kw_only=True)
class KernelExit:
    """How a kernel process ended, as its keeper saw it; all None when there was no report."""

    exit_code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    peak_rss_bytes: int | None = None

    def __str__(self) -> str:
        """Return the end in words."""
        if self.signal is not None:
            try:
                name = signal.Signals(self.signal).name
            except ValueError:
                name = f"signal {self.signal}"
            return f"killed by {name}" + (" for want of memory" if self.out_of_memory else "")
        if self.exit_code is not None:
            return f"exit status {self.exit_code}"
        return "no exit report: its keeper was killed"


class LaunchFailed(OSError):
    """The kernel's command could not be executed; the message names it and the reason."""


class RunningKernel(Protocol):
    """A kernel process somebody supervises: the seam for other ways of starting kernels."""

    pid: int
    exited: asyncio.Future[KernelExit]

    def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group; nothing happens once it has ended."""

    def kill(self) -> None:
        """End the kernel and all its descendants; returns at once."""

    async def gone(self, timeout_sec: float = 15.0) -> bool:
        """Wait until no descendant is left, killing what is; returns False when time ran out."""

    @property
    def log_tail(self) -> str:
        """The last of what the kernel wrote to its own stdout and stderr."""


class Launch(Protocol):
    """Starts a kernel command; `KeptKernel.start` forks a fresh process for it."""

    async def __call__(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, runtime_dir: Path
    ) -> RunningKernel:
        """Return the running kernel, or raise `LaunchFailed`."""


class KeptKernel:
    """One kernel process under its own keeper."""

    def __init__(self, process: KeeperProcess, *, control_fd: int, report_fd: int, log_fd: int) -> None:
        """Take over the runner's ends of the keeper's pipes."""
        self.pid = 0
        self.exited: asyncio.Future[KernelExit] = asyncio.get_running_loop().create_future()
        self._launched: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._silent = asyncio.Event()
        self._process = process
        self._control_fd: int | None = control_fd
        self._report = b""
        self._log = b""
        self._clean = False
        self._watched: set[int] = set()
        self._watch(report_fd, self._on_report, self._on_report_end)
        self._watch(log_fd, self._on_log, lambda: None)

    @classmethod
    async def start(
        cls, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, runtime_dir: Path
    ) -> "KeptKernel":
        """Start `command` under a new keeper, which removes the flat `runtime_dir` if its runner is gone.

        The environment is given as it is, nothing is added. Raises `LaunchFailed`.
        """
        control_read, control_write = os.pipe()
        report_read, report_write = os.pipe()
        arguments = [sys.executable, "-I", "-S", keeper.__file__, str(control_read), str(report_write)]
        try:
            # Returns once the program is executed, after about 2 ms.
            process = start_keeper(
                lambda: subprocess.Popen(
                    [*arguments, str(runtime_dir), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=cwd,
                    pass_fds=(control_read, report_write),
                    start_new_session=True,
                )
            )
        except OSError as error:
            os.close(control_write)
            os.close(report_read)
            raise LaunchFailed(error.errno, f"cannot start a keeper for the kernel: {error}") from error
        finally:
            os.close(control_read)
            os.close(report_write)
        assert process.stdout is not None
        with process.stdout:
            log_fd = os.dup(process.stdout.fileno())
        kernel = cls(StartedKeeper(process), control_fd=control_write, report_fd=report_read, log_fd=log_fd)
        await kernel.launched()
        return kernel

    async def launched(self) -> None:
        """Wait until the kernel's process is there; raises `LaunchFailed`, and then nothing is left of it."""
        try:
            await self._launched
        except BaseException:
            self.kill()
            await asyncio.shield(self.gone())
            raise

    def begin(self, runtime_dir: Path, mark: str) -> None:
        """Tell the keeper of a kernel that waited for its work what to remove and how to be recognised."""
        self._order(b"begin " + json.dumps({"directory": str(runtime_dir), "mark": mark}).encode() + b"\n")

    @property
    def log_tail(self) -> str:
        """What the kernel wrote to its own stdout and stderr last, at most `LOG_TAIL_BYTES`."""
        return self._log.decode("utf-8", "replace")

    def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group through the keeper, which knows if it still lives."""
        self._order(b"signal %d\n" % signum)

    def kill(self) -> None:
        """Tell the keeper to end everything; closing the pipe says the same to a keeper that is stuck.

        One that was stopped is woken.
        """
        if self._control_fd is not None:
            self._order(b"kill\n")
            self._process.wake()
            os.close(self._control_fd)
            self._control_fd = None

    async def gone(self, timeout_sec: float = 15.0) -> bool:
        """Wait for the keeper to have ended every descendant; end the orphans of a keeper that was killed."""
        self.kill()
        try:
            async with asyncio.timeout(timeout_sec):
                await self._silent.wait()
                await self._process.wait()
        except TimeoutError:
            log.warning("the keeper of kernel %d does not end; killing it", self.pid)
            self._process.kill()
            await self._process.wait()
        forget_keeper(self._process.pid)
        for fd in tuple(self._watched):
            self._unwatch(fd)
        if not self._clean:
            await asyncio.to_thread(end_orphans)
        return self._clean

    def _order(self, line: bytes) -> None:
        if self._control_fd is None or self.exited.done():
            return
        try:
            os.write(self._control_fd, line)
        except OSError:
            log.debug("the keeper of kernel %d is gone", self.pid)

    def _watch(self, fd: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._watched.add(fd)

        def readable() -> None:
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                on_data(data)
                return
            self._unwatch(fd)
            on_end()

        loop.add_reader(fd, readable)

    def _unwatch(self, fd: int) -> None:
        self._watched.discard(fd)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)

    def _on_log(self, data: bytes) -> None:
        self._log = (self._log + data)[-LOG_TAIL_BYTES:]

    def _on_report(self, data: bytes) -> None:
        *lines, self._report = (self._report + data).split(b"\n")
        for line in lines:
            fields = json.loads(line)
            if "pid" in fields:
                self.pid = fields["pid"]
                self._settle_launch(None)
            elif "launch_error" in fields:
                self._settle_launch(fields["launch_error"])
            elif "clean" in fields:
                self._clean = fields["clean"]
            elif not self.exited.done():
                self.exited.set_result(KernelExit(**fields))

    def _on_report_end(self) -> None:
        self._settle_launch("the keeper ended before it had started the kernel")
        if not self.exited.done():
            self.exited.set_result(KernelExit())
        self._silent.set()

    def _settle_launch(self, problem: str | None) -> None:
        if self._launched.done():
            return
        if problem is None:
            self._launched.set_result(None)
        else:
            self._launched.set_exception(LaunchFailed(problem))
