"""Fails the whole of a test session that leaves a process behind: the product promises to leave none."""

import time
from pathlib import Path

import pytest

_GRACE_SEC = 5.0


def children() -> dict[int, str]:
    """Living children of this process and of theirs, with their command lines (Linux; elsewhere empty)."""
    found: dict[int, str] = {}
    waiting = ["self"]
    while waiting:
        for listing in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            for pid in _words(listing):
                command = _command(pid)
                if command and "resource_tracker" not in command:
                    found[int(pid)] = command
                    waiting.append(pid)
    return found


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _command(pid: str) -> str:
    """The command line; empty for a process that is gone or waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give what is ending a moment, then name what is not."""
    ends = time.monotonic() + _GRACE_SEC
    while (left := children()) and time.monotonic() < ends:
        time.sleep(0.05)
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("")
            for pid, command in left.items():
                reporter.write_line(f"left behind: process {pid}: {command[:160]}", red=True)
