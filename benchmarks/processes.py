"""The processes of a home: which there are, how much memory they take, and how to kill them all at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from benchmarks.measuring import until


def of_home(folder: Path) -> set[int]:
    """Return the living processes of a folder: they name it or work in it; and their children."""
    found = {pid for pid in _everybody() if pid != os.getpid() and _names(pid, str(folder))}
    waiting = list(found)
    while waiting:
        for child in children(waiting.pop()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return {pid for pid in found if is_alive(pid)}


def children(pid: int) -> set[int]:
    """Return the children of a process."""
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in listing.read_text().split()}
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process is there and not merely waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")


def kill_all(processes: Callable[[], Collection[int]]) -> int:
    """Kill -9 what `processes` finds until it finds nothing more; returns how many were killed."""
    killed: set[int] = set()

    def none_left() -> bool:
        found = processes()
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        killed.update(found)
        return not found

    until(none_left, what="every process of the home killed", deadline_sec=15)
    return len(killed)


def command_line(pid: int) -> str:
    """Return the command of a process; empty when it is gone."""
    return _read(pid, "cmdline").replace("\0", " ").strip()


def proportional_bytes(pid: int) -> int:
    """Return the memory of a process, what it shares divided among those who share it (PSS)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _names(pid: int, text: str) -> bool:
    if text in _read(pid, "environ") or text in _read(pid, "cmdline"):
        return True
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink()).startswith(text)
    except OSError:
        return False


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except OSError:
        return ""
