"""End what a dead runner could not: keepers, kernels and their descendants of an attempt nobody runs."""

import os
import signal
import time
from pathlib import Path

from chatflow_jupyter.runner import keeper
from chatflow_jupyter.runner.phase_files import CONTEXT_VARIABLE


def end_attempt(folder: Path, timeout_sec: float = 10.0) -> bool:
    """Kill every process of the attempt whose work folder this is; blocks at most `timeout_sec` seconds.

    A process belongs to it when it was started with the attempt's description in its environment, as keepers,
    kernels and what they start are, or when it descends from such a one. Attempts have ids of their own, so
    neither another home nor a process that got a used number can be meant. Nothing is done on behalf of a
    process that belongs to the attempt itself. Returns whether none is left (also where there is no /proc).
    """
    deadline = time.monotonic() + timeout_sec
    while pids := _stopped(folder, deadline):
        if os.getpid() in pids:
            return False
        for pid in pids:
            keeper.send(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _stopped(folder: Path, deadline: float) -> set[int]:
    """Stop all processes of the attempt, so that none can start another unseen, and return them.

    Those that start others faster than they are found are gone on with only until `deadline`.
    """
    stopped: set[int] = set()
    while new := _belonging(folder) - stopped:
        stopped |= new
        if os.getpid() in stopped:
            break
        for pid in new:
            keeper.send(pid, signal.SIGSTOP)
        if time.monotonic() > deadline:
            break
    return stopped


def _belonging(folder: Path) -> set[int]:
    entry = os.fsencode(f"{CONTEXT_VARIABLE}={folder}{os.sep}")
    table = keeper.process_table()
    alive = {pid for pid, (_, _, state) in table.items() if state not in "ZX"}
    marked = {pid for pid in alive if _was_started_with(pid, entry)}
    return marked | {pid for first in marked for pid in keeper.descendants(first, table) if pid in alive}


def _was_started_with(pid: int, entry: bytes) -> bool:
    """Whether a variable of its environment begins so; that of another user cannot be read."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return any(variable.startswith(entry) for variable in environment.split(b"\0"))
