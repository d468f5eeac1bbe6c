"""Fork kernels from a process that has imported everything once.

A program of its own, run by the kernel's interpreter, which may have nothing of ours:
`python zygote.py SOCKET_FD KEEPER_FILE LAUNCHER_FILE [MODULE…]`, with only those variables in its environment
that matter while modules are imported. It never runs anybody's code: it imports ipykernel and what
ipykernel loads when it starts, and the modules named, and then has one thread, no event loop and no socket of
zmq. From then on it only forks.

On the socket the runner asks for a kernel with one byte and four descriptors: the keeper's control and report
pipes, the kernel's own socket, and where both write what goes to stdout and stderr. The answers are lines of
JSON: first `{"modules": …, "path": …}`, the top-level names that were imported and where they were looked
for, then `{"keeper": pid}` for each byte. End of file ends it; the kernels it forked go on.

A forked kernel is blank: it waits for one JSON object on its socket, and becomes what that says, as if it had
just been started so: `environment`, `cwd`, `argv`; its `mark` is what the system shows of its environment.
"""

import contextlib
import gc
import importlib
import importlib.util
import io
import json
import os
import random
import select
import signal
import socket
import sys
import tempfile
import threading
import time

ROOM_VARIABLE = "CHATFLOW_ROOM"
"""A variable whose place the attempt's mark takes in what the system shows as a process's environment."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

FDS = 4


def load(name: str, file: str) -> "ModuleType":
    """Load a module from its file alone."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Zygote:
    """What forks."""

    def __init__(self, connection: socket.socket, keeper: "ModuleType", launcher: "ModuleType") -> None:
        self._connection = connection
        self._keeper = keeper
        self._launcher = launcher

    def warm_up(self, modules: "list[str]") -> None:
        """Import what kernels import when they start, and `modules`.

        What that is, one kernel finds out: a child starts one and tells which modules it loaded.
        """
        self._launcher.hide_debugger()
        for name in [*self._loaded_by_a_kernel(), *modules]:
            with contextlib.suppress(Exception):  # whoever needs it hears of it in the kernel
                importlib.import_module(name)
        with contextlib.suppress(Exception):  # expressions that every cell needs are compiled once
            transform = importlib.import_module("IPython.core.inputtransformer2").TransformerManager()
            transform.transform_cell("%time n = 1\n!true\nprint(n)\n")
        gc.collect()
        gc.freeze()  # pages the collector writes to could not be shared

    def serve(self) -> None:
        """Fork for as long as somebody asks."""
        tops = sorted({name.partition(".")[0] for name in sys.modules} - {"__main__"})
        threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1  # noqa: PTH112, PTH208
        if max(threads, threading.active_count()) > 1:
            self._answer(error=f"{threads} threads after importing: a fork would have one")
            return
        self._answer(modules=tops, path=sys.path)
        awake, wake = os.pipe()
        for fd in (awake, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poller = select.poll()
        poller.register(self._connection, select.POLLIN)
        poller.register(awake, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == awake:
                    os.read(awake, 4096)
                    self._keeper.reap()
                elif not self._asked():
                    return

    def _asked(self) -> bool:
        """Fork once; returns whether there may be more to fork."""
        data, fds, _, _ = socket.recv_fds(self._connection, 1, FDS)
        if not data or len(fds) != FDS:
            return False
        try:
            pid = os.fork()
        except OSError as error:
            self._answer(error=f"cannot fork: {error.strerror}")
            pid = -1
        if pid == 0:
            status = 1
            try:
                self._connection.close()
                status = self._keep(*fds)
            finally:
                os._exit(status)
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._answer(keeper=pid)
        return True

    def _keep(self, control: int, report: int, orders: int, log: int) -> int:
        """Be the keeper of one more kernel, in a process of its own; returns its exit status."""
        os.setsid()
        _write_to(log)
        signal.set_wakeup_fd(-1)
        self._keeper.prctl(self._keeper.PR_SET_NAME, b"cf-keeper")  # what tells them apart in `ps -A`
        self._keeper.prepare()
        keeper = self._keeper.Keeper(control, report, on_begin=_show)
        return int(keeper.keep(lambda: self._blank(orders), "kernel"))

    def _blank(self, orders: int) -> int:
        """Fork the kernel and return its pid; the kernel itself does not return."""
        keeper_pid = os.getpid()
        pid = os.fork()
        if pid != 0:
            os.close(orders)
            return pid
        status = 1
        try:
            os.closerange(3, orders)
            os.closerange(orders + 1, 65536)
            signal.set_wakeup_fd(-1)
            self._keeper.prctl(self._keeper.PR_SET_NAME, b"cf-kernel")
            self._keeper.detach(keeper_pid)
            order = _read_order(orders)
            if order is not None:
                status = self._become(order, keeper_pid)
        except SystemExit as asked:
            status = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
        except BaseException:  # noqa: BLE001 - told as an interpreter would that ends by it
            sys.excepthook(*sys.exc_info())
        finally:
            _flush()
            os._exit(status)

    def _become(self, order: "dict[str, Any]", keeper_pid: int) -> int:
        """Be the kernel that was ordered, until it ends; returns its exit status."""
        _be_as_started(order)
        self._launcher.take_its_name()
        self._launcher.run([*order["argv"][1:], f"--IPKernelApp.parent_handle={keeper_pid}"])
        _finish()
        return 0

    def _loaded_by_a_kernel(self) -> "list[str]":
        """Return the modules a kernel loads to start and to run a first cell, in that order."""
        there, here = os.pipe()
        before = set(sys.modules)
        pid = os.fork()
        if pid == 0:
            try:
                os.close(there)
                self._try_one()
                found = [name for name in sys.modules if name not in before]
                with open(here, "w") as pipe:  # noqa: PTH123 - a descriptor
                    json.dump(found, pipe)
            except BaseException:  # noqa: BLE001 - it is told; kernels are only slower then
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(0)
        os.close(here)
        with open(there) as pipe:  # noqa: PTH123 - a descriptor
            text = pipe.read()
        os.waitpid(pid, 0)
        return list(json.loads(text)) if text else ["ipykernel.kernelapp"]

    def _try_one(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["IPYTHONDIR"] = folder  # nobody's profile, which may run code when it starts
            application = self._launcher.application().instance()
            application.initialize(
                [
                    *("-f", f"{folder}/c.json", "--transport=ipc", f"--ip={folder}/s"),
                    *(f"--IPKernelApp.parent_handle={os.getppid()}", *self._launcher.IN_MEMORY),
                ]
            )
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
                application.shell.run_cell("print(1)\n1/0")

    def _answer(self, **fields: "Any") -> None:
        with contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(fields).encode() + b"\n")


def _read_order(fd: int) -> "dict[str, Any] | None":
    """Wait for what to become; None when nobody can say it any more."""
    with socket.socket(fileno=fd) as connection:
        text = b""
        while not text.endswith(b"\n"):
            data = connection.recv(65536)
            if not data:
                return None
            text += data
    order: dict[str, Any] = json.loads(text)
    return order


def _be_as_started(order: "dict[str, Any]") -> None:
    """Change everything that tells a process just started from one that waited."""
    environment = order["environment"]
    _show(order["mark"])
    os.environ.clear()
    os.environ.update(environment)
    os.environ["JPY_PARENT_PID"] = str(os.getppid())  # as its keeper sets it for others; libraries ask for it
    time.tzset()
    os.chdir(order["cwd"])
    sys.argv[:] = order["argv"]
    sys.orig_argv[:] = [sys.executable, *order["argv"]]
    path = [os.path.abspath(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep)]  # noqa: PTH100
    sys.path[:0] = dict.fromkeys(path if environment.get("PYTHONPATH") else ())
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)  # as Python does when it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()


def _show(mark: str) -> None:
    """Let the system show `mark` as part of this process's environment, where those who clean up look.

    What /proc/PID/environ shows is the memory a process was started with; a forked one has its parent's.
    """
    try:
        import ctypes

        with open("/proc/self/stat", "rb") as stat:  # noqa: PTH123
            start = int(stat.read().rpartition(b")")[2].split()[47])
        with open("/proc/self/environ", "rb") as environ:  # noqa: PTH123
            shown = environ.read()
        named = f"{ROOM_VARIABLE}=".encode()
        at = 0 if shown.startswith(named) else shown.index(b"\0" + named) + 1
        room = shown.index(b"\0", at) - at
        ctypes.memmove(start + at, os.fsencode(mark)[:room].ljust(room, b"\0"), room)
    except (OSError, ValueError, ImportError):
        return


def _write_to(log: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def _finish() -> None:
    """Do what an interpreter does at its end, but for taking apart what it shares with the zygote.

    Exit hooks run (those of IPython drop what the notebook named), and files that are still open are written.
    """
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - waits for those that are no daemons
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to it
    gc.collect()


def _flush() -> None:
    """Write what open files still hold; what was there before the fork is frozen and not among these."""
    opened = [thing for thing in gc.get_objects() if isinstance(thing, io.IOBase)]
    for stream in (*opened, sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def main(arguments: "list[str]") -> None:
    """Import, then fork until the runner is gone."""
    del sys.path[0]  # this file's folder
    descriptor, keeper_file, launcher_file, *modules = arguments
    connection = socket.socket(fileno=int(descriptor))
    os.set_inheritable(int(descriptor), False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keeper = load("chatflow_keeper", keeper_file)
    keeper.prctl(keeper.PR_SET_PDEATHSIG, signal.SIGKILL)
    zygote = Zygote(connection, keeper, load("chatflow_launcher", launcher_file))
    zygote.warm_up(modules)
    zygote.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
