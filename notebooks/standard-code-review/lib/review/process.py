"""Start a program that may misbehave, and always get an answer."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")
OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended. `exit_code` is None when it was stopped at its time limit."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    duration_sec: float
    cut: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether the program was stopped at its time limit."""
        return self.exit_code is None

    @property
    def last_words(self) -> str:
        """The end of what it said on stderr, or on stdout when that is empty."""
        said = self.stderr.strip() or self.stdout.strip()
        return said[-2000:].decode("utf-8", "replace")


class MissingProgram(OSError):
    """A program is not installed, or may not be started."""


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment without the caller's secrets, with HOME and TMPDIR below `home`."""
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    own = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "MPLBACKEND": "Agg",
        "NO_COLOR": "1",
    }
    return {**kept, **own, **(extra or {})}


def execute(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout_sec: float,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    limit_bytes: int = OUTPUT_LIMIT_BYTES,
) -> Finished:
    """Start `argv` in a process group of its own and wait for it, at most `timeout_sec`.

    When the time is over, and also when the program ends by itself, everything left in its group is
    killed. Of each stream the first `limit_bytes` are kept. Raises `MissingProgram`.
    """
    begun = time.monotonic()
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise MissingProgram(f"{argv[0]} could not be started: {error}") from error
    streams = [_Stream(process.stdout, limit_bytes), _Stream(process.stderr, limit_bytes)]
    feeder = threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True)
    feeder.start()
    exit_code: int | None
    try:
        _until_end(process.pid, timeout_sec)
        exit_code = process.wait(timeout=max(begun + timeout_sec - time.monotonic(), 0.05))
    except subprocess.TimeoutExpired:
        exit_code = None
    finally:
        kill_group(process.pid)
        process.wait()
    out, err = (stream.collected() for stream in streams)
    duration = time.monotonic() - begun
    cut = any(stream.cut for stream in streams)
    return Finished(exit_code=exit_code, stdout=out, stderr=err, duration_sec=duration, cut=cut)


def _until_end(pid: int, timeout_sec: float) -> None:
    """Wait without polling where the system can; `subprocess` polls, which costs some milliseconds a call."""
    if not hasattr(os, "pidfd_open"):
        return
    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [], timeout_sec)
    finally:
        os.close(descriptor)


def kill_group(leader: int) -> None:
    """Kill the process group that `leader` leads, if there is anything left of it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _feed(pipe: IO[bytes] | None, data: bytes) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError), pipe:
            pipe.write(data)


class _Stream:
    """Reads a pipe to its end in a thread and keeps the beginning, so the program never blocks."""

    def __init__(self, pipe: IO[bytes] | None, limit_bytes: int) -> None:
        self.cut = False
        self._kept = bytearray()
        self._limit = limit_bytes
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes] | None) -> None:
        if pipe is None:
            return
        with contextlib.suppress(OSError, ValueError), pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                room = self._limit - len(self._kept)
                self._kept += chunk[:room]
                self.cut = self.cut or len(chunk) > room

    def collected(self) -> bytes:
        self._thread.join(timeout=5)  # a descendant outside the group may still hold the pipe
        return bytes(self._kept)
