"""A home of its own for each benchmark, and the command line that is measured in it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import kill_all, of_home

CHATFLOW = str(Path(sys.executable).with_name("chatflow"))


@dataclass(frozen=True, kw_only=True)
class Home:
    """A home in a folder of its own. `folder` is beside it, for notebooks and what they write."""

    path: Path
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What commands are run with: nothing of the caller's ChatFlow settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHATFLOW_")}
        return {**kept, "CHATFLOW_HOME": str(self.path), "TERM": "dumb"}

    def start(self, *words: str, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start `chatflow WORDS…` and return the process; its output waits in pipes."""
        return subprocess.Popen(
            [CHATFLOW, *words],
            env={**self.environment, **(extra or {})},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answer(self, *words: str) -> Any:  # whatever JSON the command prints
        """Run `chatflow WORDS… --json` and return what it printed; raises when it failed."""
        process = self.start(*words, "--json")
        output, problems = process.communicate(timeout=120)
        if process.returncode not in (0, 3):
            raise RuntimeError(f"chatflow {' '.join(words)}: status {process.returncode}: {problems}")
        return json.loads(output)


@contextlib.contextmanager
def new_home() -> Iterator[Home]:
    """Yield an empty home; at the end nothing of it is left, processes included."""
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-", ignore_cleanup_errors=True) as place:
        folder = Path(place).resolve()
        home = Home(path=folder / "home", folder=folder / "files")
        home.folder.mkdir()
        try:
            yield home
        finally:
            kill_all(lambda: of_home(folder))
