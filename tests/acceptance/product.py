"""The product as a person has it: the `chatflow` command, its processes, and what its home holds."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tests.limits import LIMITS
from tests.waiting import until

CHATFLOW = Path(sys.executable).with_name("chatflow")
PATH = f"{CHATFLOW.parent}{os.pathsep}{os.environ['PATH']}"
GONE_AFTER_SEC = 5.0
Kind = Literal["chatflow", "background", "runner", "keeper", "kernel", "other"]
TRACES = ("Traceback (most recent call last)", "internal error", "never retrieved", "ExceptionGroup")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command that ended left on the terminal."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON: nothing else may be on it."""
        return json.loads(self.out)

    @property
    def instance_id(self) -> str:
        """The instance the JSON answer is about."""
        return str(self.json["instance_id"])


@dataclass(frozen=True, kw_only=True)
class Process:
    """A living process of one home."""

    pid: int
    kind: Kind
    command: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event as the home stores it."""

    type: str
    instance_id: str
    phase: str | None
    attempt: int | None
    at: datetime
    data: Mapping[str, Any]


@dataclass
class Running:
    """A command that was started and goes on."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """`kill -9`, and collect it."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, timeout_sec: float = LIMITS.deadline_sec * 2) -> Result:
        """Wait for its end."""
        try:
            status = self.process.wait(timeout_sec)
        except subprocess.TimeoutExpired:
            said = self.out.read_text() + self.err.read_text()
            message = f"still running after {timeout_sec:g} s; it said: {said}"
            raise AssertionError(message) from None
        result = Result(status=status, out=self.out.read_text(), err=self.err.read_text())
        assert_no_trace(result)
        return result


@dataclass
class Product:
    """One home, and commands that use it."""

    home: Path
    folder: Path
    spawned: list[Running] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of every command of this home."""
        own = {"PATH": PATH, "CHATFLOW_HOME": str(self.home), "CHATFLOW_BACKGROUND__IDLE_SEC": "1"}
        return {**os.environ, **own}

    def run(
        self,
        *arguments: str | Path,
        status: int | None = None,
        timeout_sec: float = LIMITS.deadline_sec * 2,
        **environment: str,
    ) -> Result:
        """Run a command to its end; with `status`, it must end so."""
        result = self.spawn(*arguments, **environment).wait(timeout_sec)
        shown = " ".join(map(str, arguments))
        assert status in (None, result.status), (
            f"chatflow {shown} ended {result.status}: {result.err}{result.out}"
        )
        return result

    def spawn(
        self,
        *arguments: str | Path,
        program: Sequence[str | Path] = (CHATFLOW,),
        **environment: str,
    ) -> Running:
        """Start a command of `chatflow`, or of another `program` that knows its arguments."""
        out, err = (self.folder / f"{name}-{len(self.spawned)}.txt" for name in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**self.environment, **environment},
                cwd=self.folder,
            )
        running = Running(process, out, err)
        self.spawned.append(running)
        return running

    def processes(self, *kinds: Kind) -> list[Process]:
        """Living processes of this home, of these kinds (all when none are named)."""
        found = [process for process in _living() if _belongs(process.pid, self.home)]
        return [process for process in found if not kinds or process.kind in kinds]

    def kill(self, *kinds: Kind) -> list[Process]:
        """`kill -9` every process of these kinds; returns them."""
        killed = self.processes(*kinds)
        for process in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        for running in self.spawned:
            running.process.poll()
        return killed

    def kill_everything(self) -> None:
        """`kill -9` all of it at once, kernels included."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGSTOP)
        self.kill()
        for running in self.spawned:
            running.process.wait()

    def none_left(self, *kinds: Kind, deadline_sec: float = GONE_AFTER_SEC) -> None:
        """Wait until no process (of these kinds) is left."""
        left: list[Process] = []

        def none() -> bool:
            left[:] = self.processes(*kinds)
            return not left

        try:
            until(none, what="no process is left", deadline_sec=deadline_sec)
        except AssertionError as error:
            raise AssertionError(f"{error}: {left}") from None

    def events(self, instance_id: str | None = None) -> list[Event]:
        """Everything that happened so far, in order."""
        rows = self._ask("SELECT type, instance_id, phase, attempt, at, data FROM events ORDER BY position")
        return [
            Event(
                type=row[0],
                instance_id=row[1],
                phase=row[2],
                attempt=row[3],
                at=datetime.fromtimestamp(row[4] / 1e6, UTC),
                data=json.loads(row[5]),
            )
            for row in rows
            if instance_id in (None, row[1])
        ]

    def wait_for(self, kind: str, phase: str | None = None, *, count: int = 1) -> Event:
        """Wait until an event of this type has happened `count` times; returns the latest."""

        def found() -> list[Event]:
            matching = [e for e in self.events() if e.type == kind and phase in (None, e.phase)]
            return matching if len(matching) >= count else []

        return until(found, what=f"{count} x {kind} {phase or ''}", every_sec=0.05)[-1]

    def counts(self, kind: str, instance_id: str | None = None) -> Counter[str]:
        """How often an event of this type happened, by phase."""
        return Counter(e.phase or "" for e in self.events(instance_id) if e.type == kind)

    def attempts(self) -> list[tuple[str, int, str]]:
        """Phase, number and status of every attempt."""
        return self._ask("SELECT phase, number, status FROM attempts ORDER BY queue_number")

    def artifacts(self) -> list[tuple[str, int, str]]:
        """Phase, attempt and name of every artifact."""
        return self._ask("SELECT phase, attempt, name FROM artifacts ORDER BY phase, attempt, name")

    def instances(self) -> list[tuple[str, str]]:
        """Id and status of every root."""
        return self._ask("SELECT instance_id, status FROM instances WHERE parent_id IS NULL ORDER BY born")

    def logs(self) -> str:
        """Everything the log files hold."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.home.glob("logs/*")))

    def _ask(self, query: str) -> list[Any]:
        file = self.home / "chatflow.db"
        if not file.exists():
            return []
        with contextlib.closing(
            sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
        ) as connection:
            try:
                return connection.execute(query).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def close(self) -> None:
        """End what a failed test left, and check that a successful one left nothing."""
        for running in self.spawned:
            if running.process.poll() is None:
                running.kill()
        try:
            self.none_left(deadline_sec=LIMITS.deadline_sec)
        finally:
            self.kill()


def assert_no_trace(result: Result) -> None:
    """Nobody but us wants to see a traceback."""
    for trace in TRACES:
        assert trace not in result.err, result.err


FORKED = {"cf-keeper": "forked keeper.py", "cf-kernel": "forked kernel_launcher.py"}


def _living() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "zygote.py" in words:
                words = FORKED.get((entry / "comm").read_text().strip(), "zygote.py")
        except OSError:
            continue
        if state not in "ZX":
            yield Process(pid=int(entry.name), kind=_kind(words), command=words)


def _kind(command: str) -> Kind:
    if "keeper.py" in command:
        return "keeper"
    if "kernel_launcher" in command:
        return "kernel"
    if "chatflow_jupyter.runner" in command:
        return "runner"
    if "chatflow_jupyter.interfaces.background" in command:
        return "background"
    return "chatflow" if str(CHATFLOW) in command else "other"


def _belongs(pid: int, home: Path) -> bool:
    try:
        return str(home).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
