"""The runner's end of a zygote: start it, have it fork, say what a forked kernel becomes."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatflow_jupyter.runner import keeper, kernel_launcher, zygote
from chatflow_jupyter.runner.keeper_process import ForkedKeeper
from chatflow_jupyter.runner.kept_kernel import KeptKernel
from chatflow_jupyter.runner.orphans import end_orphans, note_keeper
from chatflow_jupyter.runner.phase_files import CONTEXT_VARIABLE

log = logging.getLogger(__name__)

ANSWER_SEC = 30.0
"""How long a zygote may take to be warm, or to fork, in seconds."""

_ROOM_BYTES = 4096
_HOLDS = b"f"


class ZygoteFailed(OSError):
    """A zygote cannot be started or does not fork; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Breed:
    """What must be alike for a forked kernel to be as good as a fresh one: read while modules load."""

    python: str
    environment: tuple[tuple[str, str], ...]
    preload: tuple[str, ...] = ()


class BlankKernel:
    """A forked kernel that waits to hear what it is."""

    def __init__(self, kernel: KeptKernel, orders: socket.socket) -> None:
        """`orders` is the socket it listens to."""
        self.kernel = kernel
        self._orders = orders

    async def become(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, runtime_dir: Path
    ) -> KeptKernel:
        """Let it be the kernel of `command`; raises `OSError` when it is gone."""
        mark = f"{CONTEXT_VARIABLE}={environment.get(CONTEXT_VARIABLE, '')}"
        order = {"argv": list(command[1:]), "environment": dict(environment), "cwd": str(cwd), "mark": mark}
        self.kernel.begin(runtime_dir, mark)
        with self._orders:
            await asyncio.get_running_loop().sock_sendall(self._orders, json.dumps(order).encode() + b"\n")
        return self.kernel

    async def end(self) -> None:
        """Let nothing be left of it."""
        self._orders.close()
        await self.kernel.gone()


class ZygoteProcess:
    """One zygote."""

    def __init__(self, process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
        """Speak to `process` over `connection`."""
        self.modules: frozenset[str] = frozenset()
        self.path: frozenset[str] = frozenset()
        self._process = process
        self._connection = connection
        self._text = b""
        self._asked = asyncio.Lock()
        self._answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(connection, self._read)

    @classmethod
    async def start(cls, breed: Breed) -> "ZygoteProcess":
        """Start a zygote and wait until it has imported everything; raises `ZygoteFailed`."""
        ours, its = socket.socketpair()
        ours.setblocking(False)
        environment = {**dict(breed.environment), zygote.ROOM_VARIABLE: "." * _ROOM_BYTES}
        files = (zygote.__file__, str(its.fileno()), keeper.__file__, kernel_launcher.__file__)
        with its:
            try:
                # In this thread: it ends when the thread ends that started it.
                process = subprocess.Popen(  # noqa: ASYNC220 - it returns when the program runs, after 2 ms
                    [breed.python, *files, *breed.preload],
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                    pass_fds=(its.fileno(),),
                )
            except OSError as error:
                ours.close()
                raise ZygoteFailed(error.errno, f"cannot start {breed.python}: {error.strerror}") from error
        made = cls(process, ours)
        try:
            answer = await made._answered()
        except BaseException:
            await made.end()
            raise
        made.modules, made.path = frozenset(answer["modules"]), frozenset(answer["path"])
        return made

    async def fork(self) -> BlankKernel:
        """Return one more blank kernel; raises `ZygoteFailed`, and then the zygote is of no use any more."""
        async with self._asked:
            control, report, log_ends = os.pipe(), os.pipe(), os.pipe()
            ours, its = socket.socketpair()
            given = (control[0], report[1], its.fileno(), log_ends[1])
            try:
                socket.send_fds(self._connection, [_HOLDS], given)
                answer = await self._answered()
                pid = int(answer["keeper"])
            except BaseException as error:
                for fd in (control[1], report[0], log_ends[0]):
                    os.close(fd)
                ours.close()
                if isinstance(error, OSError):
                    raise ZygoteFailed(error.errno, f"the zygote does not fork: {error}") from error
                raise
            finally:
                its.close()
                for fd in (control[0], report[1], log_ends[1]):
                    os.close(fd)
        note_keeper(pid)
        kernel = KeptKernel(ForkedKeeper(pid), control_fd=control[1], report_fd=report[0], log_fd=log_ends[0])
        ours.setblocking(False)
        await kernel.launched()
        return BlankKernel(kernel, ours)

    async def end(self) -> None:
        """End it; the kernels it forked go on."""
        asyncio.get_running_loop().remove_reader(self._connection)
        self._connection.close()
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(end_orphans)  # collects keepers that had ended and that nobody had collected

    async def _answered(self) -> Mapping[str, Any]:
        try:
            answer = await asyncio.wait_for(asyncio.shield(self._answer), ANSWER_SEC)
        except TimeoutError:
            raise ZygoteFailed(f"the zygote gave no answer within {ANSWER_SEC:g} s") from None
        if "error" in answer:
            raise ZygoteFailed(str(answer["error"]))
        self._answer = asyncio.get_running_loop().create_future()
        return answer

    def _read(self) -> None:
        try:
            data = self._connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._text += data
        line, newline, rest = self._text.partition(b"\n")
        if not data:
            asyncio.get_running_loop().remove_reader(self._connection)
            line, newline, rest = b'{"error": "the zygote has ended"}', b"\n", b""
        if newline and not self._answer.done():
            self._text = rest
            self._answer.set_result(json.loads(line))
