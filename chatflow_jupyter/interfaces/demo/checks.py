"""What the sample repository's own checks say, really run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.interfaces.demo.sample_repo import SampleRepository

TIMEOUT_SEC = 120


def linter_says(repository: SampleRepository) -> str:
    """Run ruff over the repository and return its verdict in a few words."""
    if importlib.util.find_spec("ruff") is None:
        return "ruff: not installed (pip install 'chatflow-jupyter[templates]')"
    done = _run(repository, [sys.executable, "-P", "-m", "ruff", "check", "--no-cache", "."])
    last = safe_line((done.stdout.strip().splitlines() or ["no answer"])[-1], 100)
    return f"ruff: {last[0].lower()}{last[1:].rstrip('!')}"


def tests_say(repository: SampleRepository) -> str:
    """Run the repository's tests at head and return their verdict: `tests: OK` or what failed."""
    done = _run(repository, [sys.executable, "-P", "-B", "-m", "unittest"])
    last = safe_line((done.stderr.strip().splitlines() or ["no answer"])[-1], 100)
    return f"tests: {last}"


def changed_lines(repository: SampleRepository) -> str:
    """Return git's own one-line summary of the change."""
    done = _run(repository, ["git", "diff", "--shortstat", repository.base, repository.head, "--"])
    return safe_line(done.stdout, 100)


def _run(repository: SampleRepository, command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "HOME") if name in os.environ
    }
    return subprocess.run(
        command,
        cwd=repository.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SEC,
        check=False,
    )
