"""Keep one kernel: start it, report its true end, leave none of its descendants alive.

A program of its own, started as `python -I -S keeper.py CONTROL_FD REPORT_FD REMOVE_DIR COMMAND…`
with the kernel's environment and work directory. It imports only small parts of the standard library,
so it is up in about 20 ms and costs 8 MB.

The control pipe carries orders, one per line: `signal N` sends signal N to the kernel's process group,
`kill` ends everything; `begin {"directory": …, "mark": …}` tells the keeper of a kernel that waited for its
work that it has some, what to remove, and how to be recognised. End of file means the runner is gone, and
also ends everything; a keeper that was stopped is woken for it.
The report pipe carries one JSON object per line: first `{"pid": …}` or `{"launch_error": …}`,
then `{"exit_code": …, "signal": …, "out_of_memory": …, "peak_rss_bytes": …}` as soon as the kernel has
ended, `{"clean": …}` when no descendant is left or those that are left cannot be ended, and end of file.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # as typing's, which would cost start-up time
    from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
KILL_SECONDS = 10.0
"""How long the keeper goes on killing processes that do not die or multiply, in seconds."""


def prctl(option: int, value: "int | bytes") -> bool:
    """Ask Linux for a property of this process (prctl(2)); returns whether it was granted."""
    try:
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def become_subreaper() -> bool:
    """Make orphaned descendants of this process its own children (prctl(2)), so that it can end them.

    Returns False where the operating system has no such thing.
    """
    return prctl(PR_SET_CHILD_SUBREAPER, 1)


def wake_when_parent_dies() -> bool:
    """Have this process go on, should it be stopped, when its parent dies (prctl(2)): it then ends by itself.

    Returns False where the operating system has no such thing.
    """
    return prctl(PR_SET_PDEATHSIG, signal.SIGCONT)


def process_table() -> dict[int, tuple[int, int, str]]:
    """Return pid → (parent's pid, session id, state letter) of every process that can be seen."""
    table: dict[int, tuple[int, int, str]] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib is not imported here: start-up time
    except OSError:
        return table
    for name in names:
        if not name.isdigit():
            continue
        try:
            fd = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:
            continue
        try:
            fields = os.read(fd, 512).rpartition(b")")[2].split()
        except OSError:
            fields = []
        finally:
            os.close(fd)
        if len(fields) > 3:
            table[int(name)] = (int(fields[1]), int(fields[3]), fields[0].decode())
    return table


def descendants(of: int, table: dict[int, tuple[int, int, str]]) -> list[int]:
    """Return the pids of every descendant of process `of` in `table`, parents first."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(of, ()))
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def send(pid: int, signum: int) -> None:
    """Send a signal to one process; one that is gone or not ours is passed over."""
    try:
        os.kill(pid, signum)
    except OSError:
        return


def reap() -> bool:
    """Collect every ended child; returns whether any child, alive or not, is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def kill_descendants(deadline: float) -> bool:
    """Kill every descendant of this process until none is left or the monotonic clock passes `deadline`.

    Needs this process to be a subreaper: then a process that left its session and its parent is still a
    descendant. All are stopped before any is killed, and groups are hit as a whole, so that a process
    which forks without end cannot outrun the rounds. Returns whether none is left.
    """
    own_group = os.getpgrp()
    while reap():
        pids = descendants(os.getpid(), process_table())
        groups = set()
        for pid in pids:
            send(pid, signal.SIGSTOP)
            try:
                groups.add(os.getpgid(pid))
            except OSError:
                continue
        for group in groups - {own_group, 0, 1}:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                continue
        for pid in pids:
            send(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return not reap()
        time.sleep(0.002)
    return True


def oom_kills() -> int:
    """Count the processes the operating system has killed for want of memory (group first, then host)."""
    for path in _memory_event_files():
        try:
            with open(path) as lines:  # noqa: PTH123 - pathlib is not imported here: start-up time
                for line in lines:
                    name, _, count = line.partition(" ")
                    if name == "oom_kill":
                        return int(count)
        except (OSError, ValueError):
            continue
    return 0


def _memory_event_files() -> list[str]:
    paths = []
    try:
        with open("/proc/self/cgroup") as lines:  # noqa: PTH123 - as above
            for line in lines:
                _, controllers, group = line.strip().split(":", 2)
                if not controllers:
                    paths.append(f"/sys/fs/cgroup{group}/memory.events")
                elif "memory" in controllers.split(","):
                    paths.append(f"/sys/fs/cgroup/memory{group}/memory.oom_control")
    except (OSError, ValueError):
        pass
    return [*paths, "/proc/vmstat"]


def detach(keeper_pid: int) -> None:
    """Make the forked child a group of its own that dies with its keeper; its signals are at the default."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper_pid:
        os._exit(1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        # Should memory run out, the kernel is to be taken, not the processes that report its end.
        with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - as above
            score.write("500")
    except OSError:
        pass


def _become_kernel(command: list[str], keeper_pid: int) -> None:
    """Turn the forked child into the kernel; on failure the caller reports the error."""
    detach(keeper_pid)
    os.environ["JPY_PARENT_PID"] = str(keeper_pid)  # ipykernel polls for its end: the way without prctl
    os.execvp(command[0], command)  # noqa: S606 - a list, no shell


def launch(command: list[str]) -> int:
    """Fork and execute the kernel in its own process group; returns its pid, raises `OSError`."""
    keeper_pid = os.getpid()
    failure_read, failure_write = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if pid == 0:
        try:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            os.closerange(3, failure_write)
            os.closerange(failure_write + 1, min(limit, 65536))
            _become_kernel(command, keeper_pid)
        except OSError as error:
            os.write(failure_write, f"{error.errno} {error.strerror}".encode())
        finally:
            os._exit(127)
    os.close(failure_write)
    failure = os.read(failure_read, 4096).decode()
    os.close(failure_read)
    if failure:
        number, _, text = failure.partition(" ")
        os.waitpid(pid, 0)
        raise OSError(int(number), text)
    return pid


class Keeper:
    """Supervises one kernel between its launch and the death of its last descendant."""

    def __init__(
        self,
        control_fd: int,
        report_fd: int,
        directory: str = "",
        on_begin: "Callable[[str], None]" = lambda mark: None,  # noqa: ARG005
    ) -> None:
        self._directory = directory
        self._on_begin = on_begin
        self._control_fd = control_fd
        self._report_fd = report_fd
        self._orders = b""
        self._killed = False
        self._oom_kills_before = oom_kills()
        self._wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def report(self, **fields: object) -> None:
        """Write one line to the report pipe; a runner that is gone is no reason to stop."""
        try:
            os.write(self._report_fd, (json.dumps(fields) + "\n").encode())
        except OSError:
            return

    def supervise(self, kernel_pid: int) -> None:
        """Obey orders until the kernel has ended, and report how it ended."""
        poller = select.poll()
        poller.register(self._control_fd, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        while not self._collect(kernel_pid):
            for fd, _ in poller.poll(1000):
                if fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif not self._obey(kernel_pid):
                    poller.unregister(self._control_fd)

    def _obey(self, kernel_pid: int) -> bool:
        """Carry out the orders that have come; returns False when no more can come."""
        try:
            data = os.read(self._control_fd, 4096)
        except OSError:
            data = b""
        lines = (self._orders + data).split(b"\n")
        self._orders = lines.pop()
        for line in [*lines, *([] if data else [b"kill"])]:
            verb, _, number = line.partition(b" ")
            if verb == b"begin":
                self._begin(json.loads(number))
                continue
            self._killed = self._killed or verb == b"kill"
            signum = signal.SIGKILL if verb == b"kill" else int(number)
            try:
                os.killpg(kernel_pid, signum)
            except OSError:
                send(kernel_pid, signum)
        return bool(data)

    def _begin(self, work: "dict[str, str]") -> None:
        self._directory = work["directory"]
        self._oom_kills_before = oom_kills()
        self._on_begin(work["mark"])

    def keep(self, start: "Callable[[], int]", name: str) -> int:
        """Start the kernel and stay until nothing of it is left; returns the keeper's exit status."""
        try:
            kernel_pid = start()
        except OSError as error:
            self.report(launch_error=f"{name}: {error.strerror}")
            return 1
        self.report(pid=kernel_pid)
        self.supervise(kernel_pid)
        none_left = kill_descendants(time.monotonic() + KILL_SECONDS)
        if self._directory and runner_is_gone(self._control_fd):  # one that lives may still look into it
            remove_directory(self._directory)
        self.report(clean=none_left)
        return 0 if none_left else 1

    def _collect(self, kernel_pid: int) -> bool:
        """Reap what has ended; returns True once the kernel itself has, after reporting it."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == kernel_pid:
                self._report_end(status, usage)
                return True

    def _report_end(self, status: int, usage: resource.struct_rusage) -> None:
        code = os.waitstatus_to_exitcode(status)
        killed_by = -code if code < 0 else None
        self.report(
            exit_code=code if code >= 0 else None,
            signal=killed_by,
            out_of_memory=killed_by == signal.SIGKILL
            and not self._killed
            and oom_kills() > self._oom_kills_before,
            peak_rss_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        )


def runner_is_gone(control_fd: int) -> bool:
    """Return whether no process holds the other end of the control pipe."""
    poller = select.poll()
    poller.register(control_fd, 0)
    return any(events & select.POLLHUP for _, events in poller.poll(0))


def remove_directory(path: str) -> None:
    """Remove the flat directory of sockets that a killed runner could not remove itself."""
    try:
        for name in os.listdir(path):  # noqa: PTH208 - as above
            os.unlink(os.path.join(path, name))  # noqa: PTH108, PTH118 - as above
        os.rmdir(path)  # noqa: PTH106 - as above
    except OSError:
        return


def prepare() -> None:
    """Make this process one that only its runner ends, and that adopts what its kernel leaves behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    become_subreaper()
    wake_when_parent_dies()


def main(arguments: list[str]) -> int:
    """Run the keeper; returns its exit status (0 when no descendant is left)."""
    control_fd, report_fd, directory = int(arguments[0]), int(arguments[1]), arguments[2]
    command = arguments[3:]
    prepare()
    return Keeper(control_fd, report_fd, directory).keep(lambda: launch(command), command[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
