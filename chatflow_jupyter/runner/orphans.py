"""End what a killed keeper leaves behind: its orphans come to the runner, which must be a subreaper."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from chatflow_jupyter.runner import keeper

_keepers: set[int] = set()
_guard = threading.Lock()
_is_subreaper = False


def become_subreaper() -> bool:
    """Make this process adopt the orphans of its keepers; call it once, in a process that only runs attempts.

    Afterwards `end_orphans` kills every child of this process that lives in another session and is no
    known keeper. Returns False where the operating system has no subreapers (then nothing is adopted).
    """
    global _is_subreaper
    _is_subreaper = keeper.become_subreaper()
    return _is_subreaper


def start_keeper(start: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    """Call `start` and note that its process is a keeper; `end_orphans` never sees one that is not noted."""
    with _guard:
        process = start()
        _keepers.add(process.pid)
    return process


def note_keeper(pid: int) -> None:
    """Note a keeper that somebody else has started: should that one end, its keepers come to this process."""
    with _guard:
        _keepers.add(pid)


def forget_keeper(pid: int) -> None:
    """Note that keeper `pid` has been collected; its pid may now belong to anybody."""
    with _guard:
        _keepers.discard(pid)


def end_orphans(timeout_sec: float = 10.0) -> bool:
    """Kill and collect the descendants of keepers that are gone; blocks at most `timeout_sec` seconds.

    Only children outside this process's own session are touched (a keeper starts a session of its own,
    and no process can join another's), so ordinary subprocesses of the runner are safe. Does nothing
    unless `become_subreaper` succeeded. Returns whether none is left.
    """
    if not _is_subreaper:
        return True
    deadline = time.monotonic() + timeout_sec
    while True:
        orphans = _orphans()
        if not orphans:
            return True
        for pid in orphans:
            keeper.send(pid, signal.SIGSTOP)
        for pid in orphans:
            keeper.send(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)


def _orphans() -> list[int]:
    """Return the pids of adopted processes and all their descendants."""
    own_session = os.getsid(0)
    with _guard:
        table = keeper.process_table()
        known = set(_keepers)
    adopted = [
        pid
        for pid, (parent, session, _) in table.items()
        if parent == os.getpid() and session != own_session and pid not in known
    ]
    return adopted + [pid for first in adopted for pid in keeper.descendants(first, table)]
