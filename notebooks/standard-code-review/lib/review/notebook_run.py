"""Run notebooks of one tree from clean kernels, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from review.interpreters import PROBES, Interpreter
from review.neutral import neutral
from review.process import clean_environment, execute
from review.tools import INSTALL
from review.trees import Tree
from review.values import Json, number, text, whole

OK = "ok"


@dataclass(frozen=True, kw_only=True)
class NotebookEnd:
    """How a notebook ended.

    `outcome` is ``ok``, ``broken``, ``timeout``, ``kernel_died``, ``unreadable`` or ``not run``.
    """

    outcome: str
    cell: int | None = None
    ename: str = ""
    message: str = ""
    source: str = ""
    traceback: str = ""
    sec: float = 0.0

    @property
    def said(self) -> str:
        """One line: the error's name and message, or the outcome."""
        if self.outcome == OK:
            return OK
        error = f"{self.ename}: {self.message}" if self.ename else self.message
        return f"{self.outcome} in cell {self.cell}: {error}" if self.cell else f"{self.outcome}: {error}"


def why_not(interpreter: Interpreter) -> str:
    """Return why notebooks cannot be run with this interpreter, or ''."""
    if importlib.util.find_spec("nbclient") is None:
        return f"nbclient is not installed ({INSTALL})"
    if "ipykernel" not in interpreter.modules:
        return f"ipykernel is not installed for {interpreter.executable}"
    return ""


def run_notebooks(
    tree: Tree, paths: Sequence[str], interpreter: Interpreter, scratch: Path, *, sec: float
) -> dict[str, NotebookEnd]:
    """Run `paths` in a copy of `tree`, each in its own folder and for at most `sec`."""
    present = [path for path in paths if path in tree.paths]
    if not present:
        return {}
    root = tree.extract(scratch / "tree")
    _write_kernelspec(scratch, interpreter)
    environment = interpreter.environment(scratch / "home", root)
    runtime = tempfile.mkdtemp(prefix="cfr")  # short: addresses of sockets have at most 107 characters
    plan: dict[str, Json] = {
        "root": str(root),
        "runtime": runtime,
        "sec": sec,
        "environment": environment,
        "notebooks": list(present),
    }
    place = scratch / "plan.json"
    place.write_text(json.dumps(plan), encoding="utf-8")
    extra = {"JUPYTER_PATH": str(scratch / "jupyter"), "JUPYTER_RUNTIME_DIR": runtime}
    try:
        done = execute(
            [sys.executable, "-P", str(PROBES / "chatflow_review_notebooks.py"), str(place)],
            cwd=scratch,
            timeout_sec=len(present) * (sec + 10) + 20,
            environment=clean_environment(scratch / "home", extra),
        )
    finally:
        shutil.rmtree(runtime, ignore_errors=True)
    ends = _read(neutral(done.stdout.decode("utf-8", "replace"), root, scratch))
    stopped = NotebookEnd(
        outcome="not run", message=neutral(done.last_words[-300:], root, scratch) or "stopped"
    )
    return {path: ends.get(path, stopped) for path in present}


def _write_kernelspec(scratch: Path, interpreter: Interpreter) -> None:
    folder = scratch / "jupyter" / "kernels" / "chatflow-review"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [interpreter.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "the reviewed project's Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def _read(stdout: str) -> dict[str, NotebookEnd]:
    ends = {}
    for line in stdout.splitlines():
        try:
            record: dict[str, Json] = json.loads(line)
        except ValueError:
            continue
        words = {
            name: text(record.get(name)) for name in ("outcome", "ename", "message", "source", "traceback")
        }
        cell = whole(record.get("cell")) or None
        ends[text(record.get("path"))] = NotebookEnd(**words, cell=cell, sec=number(record.get("sec")))
    return ends
