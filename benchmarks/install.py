"""How long it takes to install the product into an empty environment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, holds

ROOT = Path(__file__).resolve().parent.parent
GOAL_SEC = 45.0


def measure() -> Sequence[Figure]:
    """Build the wheel, make an environment, install, ask for the version."""
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        folder = Path(place)
        _must(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
        )
        wheel = next(folder.glob("*.whl"))
        _must([sys.executable, "-m", "venv", str(folder / "env")])
        began = time.perf_counter()
        _must([str(folder / "env/bin/python"), "-m", "pip", "install", "-q", str(wheel)])
        took_sec = time.perf_counter() - began
        version = _must([str(folder / "env/bin/chatflow"), "--version"])
    how = f"{wheel.name} and what it needs, by pip, from the registry in use"
    return [
        Figure(
            name="pip install into an empty environment", value=took_sec, unit="s", goal=GOAL_SEC, how=how
        ),
        holds("the installed command answers", bool(version), version),
    ]


def _must(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout.strip()
