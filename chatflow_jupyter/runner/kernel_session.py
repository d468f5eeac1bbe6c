"""One connected kernel: get it ready, run a cell, stop it, end it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session
from nbformat import NotebookNode

from chatflow_jupyter.runner.installed_kernels import installed_kernels
from chatflow_jupyter.runner.kept_kernel import KeptKernel, Launch, LaunchFailed, RunningKernel
from chatflow_jupyter.runner.notebook_job import FailureCode, NotebookFailed, NotebookFailure
from chatflow_jupyter.runner.output_collector import OutputCollector
from chatflow_jupyter.runner.provisioner import kernel_manager, start_kernel
from chatflow_jupyter.runner.runtime_directory import runtime_directory

log = logging.getLogger(__name__)

START_TIMEOUT_SEC = 60.0
INTERRUPT_GRACE_SEC = 3.0
SHUTDOWN_GRACE_SEC = 3.0
_BURST_SEC = 0.02
_TAKEN_AHEAD = 100_000
_CLOSED_GRACE_SEC = 0.3
_IDLE_PATIENCE_SEC = 4.0
_SMALLEST_MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024


class Stop:
    """The first reason for which execution must stop, if there is one."""

    def __init__(self) -> None:
        self.requested: asyncio.Future[tuple[FailureCode, str]] = asyncio.get_running_loop().create_future()

    def request(self, code: FailureCode, problem: str) -> None:
        """Ask execution to stop with `code`; later reasons are ignored."""
        if not self.requested.done():
            self.requested.set_result((code, problem))


class Stopped(Exception):
    """Execution was stopped for the reason in `Stop`."""


class KernelSession:
    """A conversation with a running kernel, whose messages go to an `OutputCollector`."""

    def __init__(
        self,
        manager: AsyncKernelManager,
        kernel: RunningKernel,
        client: AsyncKernelClient,
        collector: OutputCollector,
        stop: Stop,
    ) -> None:
        self.kernel = kernel
        self._manager = manager
        self._client = client
        self._collector = collector
        self._stop = stop
        self._disconnected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        collector.km, collector.kc = manager, client
        kernel.exited.add_done_callback(lambda _: stop.request("kernel_died", "the kernel died"))

    async def ready(self) -> Mapping[str, Any]:
        """Wait until the kernel answers and its broadcasts arrive; returns its language_info.

        Raises `Stopped` when it died or something else ended the attempt, `NotebookFailed` after
        `START_TIMEOUT_SEC`.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_SEC):
                while True:
                    msg_id = self._client.kernel_info()
                    idle = self._collector.idle(msg_id)
                    reply = self._expect(msg_id)
                    if not await self._wait(reply, 1.0):
                        continue
                    await asyncio.wait({idle}, timeout=0.5)  # the subscription may be a moment late
                    if idle.done():
                        return dict(reply.result()["content"].get("language_info") or {})
        except TimeoutError:
            problem = f"the kernel did not answer within {START_TIMEOUT_SEC:g} s"
            raise NotebookFailed(NotebookFailure(code="environment_error", message=problem)) from None

    async def run_cell(self, cell: NotebookNode, position: int) -> Mapping[str, Any]:
        """Execute one code cell; returns the content of the kernel's reply. Raises `Stopped`."""
        allows_errors = "raises-exception" in cell.metadata.get("tags", [])
        msg_id = self._client.execute(
            cell.source, store_history=True, allow_stdin=False, stop_on_error=not allows_errors
        )
        self._collector.begin(msg_id, cell, position)
        reply = self._expect(msg_id)
        await self._wait(reply, None)
        await self._all_output(msg_id)
        if self._stop.requested.done():
            raise Stopped
        content: Mapping[str, Any] = reply.result()["content"]
        return content

    async def interrupt(self) -> bool:
        """Interrupt the running cell; returns whether it ended within the grace."""
        with contextlib.suppress(RuntimeError):  # no kernel is running
            await self._manager.interrupt_kernel()
        waiting = [reply for reply in self._replies.values() if not reply.done()]
        if not waiting:
            return True
        ended: set[asyncio.Future[Any]] = {waiting[-1], self.kernel.exited}
        await asyncio.wait(ended, timeout=INTERRUPT_GRACE_SEC, return_when=asyncio.FIRST_COMPLETED)
        await self._quiet(0.1, at_most=0.5)
        return waiting[-1].done()

    async def last_words(self) -> None:
        """Let what a dead kernel had already sent arrive."""
        await self._quiet(0.1, at_most=1.0)

    async def shut_down(self) -> None:
        """Ask the kernel to end, so that its exit hooks run; kill what is left after the grace."""
        if self.kernel.exited.done():
            return
        self._client.shutdown()
        ends: set[asyncio.Future[Any]] = {self.kernel.exited, self._disconnected}
        await asyncio.wait(ends, timeout=SHUTDOWN_GRACE_SEC, return_when=asyncio.FIRST_COMPLETED)
        # ipykernel closes its sockets after all exit hooks; now and then it then hangs for ten seconds,
        # its control thread waiting for the broadcast thread that has gone.
        await asyncio.wait({self.kernel.exited}, timeout=_CLOSED_GRACE_SEC)

    async def listen_to_broadcasts(self) -> None:
        """Hand every broadcast message to the collector, until cancelled."""
        channel = self._client.iopub_channel
        direct: zmq.Socket[bytes] = zmq.Socket.shadow(channel.socket)
        while True:
            await channel.socket.poll()
            ends = time.monotonic() + _BURST_SEC
            while time.monotonic() < ends:
                try:
                    frames = direct.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                if not (self._collector.limited and _is_droppable(frames)):
                    self._receive(channel.session, frames)
            await asyncio.sleep(0)

    def _receive(self, session: Session, frames: list[bytes]) -> None:
        try:
            self._collector.receive(session.deserialize(session.feed_identities(frames)[1]))
        except Exception:  # one malformed message must not end the attempt's supervision
            log.exception("a message of the kernel could not be read")

    async def listen_to_replies(self) -> None:
        """Settle the reply of each request, until cancelled."""
        while True:
            try:
                msg = await self._client.get_shell_msg(timeout=None)
            except Exception:  # as above
                log.exception("a reply of the kernel could not be read")
                await asyncio.sleep(0)
                continue
            reply = self._replies.get(msg["parent_header"].get("msg_id", ""))
            if reply is not None and not reply.done():
                reply.set_result(msg)

    async def watch_connection(self, monitor: zmq.asyncio.Socket) -> None:
        """Stop with `output_limit` when zmq cuts the connection: one message was larger than allowed."""
        await monitor.recv_multipart()
        self._disconnected.set_result(None)
        await asyncio.wait({self.kernel.exited}, timeout=0.5)
        self._stop.request("output_limit", "one single output larger than a whole notebook may hold")

    def _expect(self, msg_id: str) -> asyncio.Future[dict[str, Any]]:
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[msg_id] = reply
        return reply

    async def _wait(self, reply: asyncio.Future[dict[str, Any]], timeout_sec: float | None) -> bool:
        either: set[asyncio.Future[Any]] = {reply, self._stop.requested}
        await asyncio.wait(either, timeout=timeout_sec, return_when=asyncio.FIRST_COMPLETED)
        if self._stop.requested.done() and not reply.done():
            raise Stopped
        return reply.done()

    async def _all_output(self, msg_id: str) -> None:
        """Wait for the kernel to say that all output of a request was sent, as long as something comes."""
        idle = self._collector.idle(msg_id)
        waiting: set[asyncio.Future[Any]] = {idle, self._stop.requested}
        before = -1
        while not any(future.done() for future in waiting):
            if self._collector.received == before:
                # The message was sent but dropped, and so may have been outcomes: no success.
                self._stop.request("output_limit", "output was lost: too many messages at once")
                return
            before = self._collector.received
            await asyncio.wait(waiting, timeout=_IDLE_PATIENCE_SEC, return_when=asyncio.FIRST_COMPLETED)

    async def _quiet(self, pause_sec: float, *, at_most: float) -> None:
        """Wait until no message has come for `pause_sec`, but not longer than `at_most` seconds."""
        deadline = asyncio.get_running_loop().time() + at_most
        before = -1
        while self._collector.received != before and asyncio.get_running_loop().time() < deadline:
            before = self._collector.received
            await asyncio.sleep(pause_sec)


@asynccontextmanager
async def kernel_session(
    kernel_name: str,
    *,
    environment: Mapping[str, str],
    cwd: Path,
    collector: OutputCollector,
    stop: Stop,
    largest_message_bytes: int,
    launch: Launch = KeptKernel.start,
) -> AsyncIterator[KernelSession]:
    """Yield a session with a fresh kernel; at the end no process of it is left, whatever happened.

    Raises `NotebookFailed` with `no_such_kernel` or `environment_error` when it cannot be started.
    """
    context = zmq.asyncio.Context()
    # Kernels of other languages drop what nobody takes; zmq takes this many messages while we are busy.
    context.rcvhwm = _TAKEN_AHEAD
    context.reconnect_ivl = 20  # ms; the kernel binds its sockets while we already connect
    context.maxmsgsize = max(_SMALLEST_MESSAGE_LIMIT_BYTES, largest_message_bytes)
    with context, _runtime_directory() as runtime_dir:
        manager = _manager(kernel_name, runtime_dir, context, launch)
        try:
            kernel, client = await _start(manager, environment, cwd)
            session = KernelSession(manager, kernel, client, collector, stop)
            try:
                async with asyncio.TaskGroup() as listeners:
                    monitor = client.iopub_channel.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                    started = [
                        listeners.create_task(session.listen_to_broadcasts()),
                        listeners.create_task(session.listen_to_replies()),
                        listeners.create_task(session.watch_connection(monitor)),
                    ]
                    try:
                        yield session
                    finally:
                        for listener in started:
                            listener.cancel()
            finally:
                await asyncio.shield(_end(kernel))
                client.stop_channels()
        finally:
            manager.provisioner = None
            context.destroy(linger=0)


def _is_droppable(frames: list[bytes]) -> bool:
    """Return whether a message only adds output; read from its topic, which ends in the type."""
    return frames[0].endswith((b"stream.stdout", b"stream.stderr", b"display_data", b"execute_result"))


@contextlib.contextmanager
def _runtime_directory() -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(runtime_directory())
        except OSError as error:
            raise _environment(f"no directory for the kernel's sockets can be made: {error}") from error
        yield path


def _manager(
    kernel_name: str, runtime_dir: Path, context: zmq.asyncio.Context, launch: Launch
) -> AsyncKernelManager:
    try:
        return kernel_manager(kernel_name, runtime_dir=runtime_dir, context=context, launch=launch)
    except NoSuchKernel:
        known = ", ".join(installed_kernels()) or "none"
        message = (
            f"no kernel named {kernel_name!r} is installed here (installed: {known}); "
            "install it, or name one of these"
        )
        raise NotebookFailed(NotebookFailure(code="no_such_kernel", message=message)) from None


async def _start(
    manager: AsyncKernelManager, environment: Mapping[str, str], cwd: Path
) -> tuple[RunningKernel, AsyncKernelClient]:
    try:
        return await start_kernel(manager, environment=environment, cwd=cwd)
    except LaunchFailed as error:
        raise _environment(f"the kernel's command cannot be run: {error}") from error


async def _end(kernel: RunningKernel) -> None:
    kernel.kill()
    if not await kernel.gone():
        log.error("processes of kernel %d could not be ended", kernel.pid)


def _environment(message: str) -> NotebookFailed:
    return NotebookFailed(NotebookFailure(code="environment_error", message=message))
