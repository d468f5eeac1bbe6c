"""The program as people run it: small notebooks, a home of their own, real processes where they matter."""

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chatflow_jupyter.interfaces.cli.main import main
from tests.limits import LIMITS

COMMAND = [sys.executable, "-m", "chatflow_jupyter.interfaces.cli"]

DEFINITION = """\
name: gated
aliases: [gate]
version: 1.0.0
title: Two notebooks and a gate
parameters:
  type: object
  properties:
    number: {type: integer, default: 1, description: What to double.}
    rounds: {type: integer, default: 0, description: Tenths of a second to take.}
    execute: {type: boolean, default: false}
phases:
  - {name: first, notebook: first.ipynb, title: Double it}
  - {name: second, notebook: second.ipynb, title: Finish, gate: {title: A person must look}}
"""
FIRST = """\
import time
from chatflow_sdk import phase
ctx = phase.context()
for _ in range(ctx.parameters.get("rounds", 0)):
    time.sleep(0.1)
ctx.output("double", ctx.parameters["number"] * 2)
ctx.output("headline", "it is doubled")
ctx.artifact("notes/answer.txt", data="forty-two", kind="data")
"""
SECOND = """\
from chatflow_sdk import phase
ctx = phase.context()
ctx.output("opened", ctx.get("second.gate"))
"""


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> Path:
    """Write a notebook with these code cells, the first tagged `parameters` when given."""
    sources = [(parameters, ["parameters"])] if parameters is not None else []
    sources += [(cell, []) for cell in cells]
    book = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {"tags": tags},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, (source, tags) in enumerate(sources)
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


def write_template(folder: Path) -> Path:
    """Write the template `gated`: a notebook, a gate, a notebook."""
    write_notebook(folder / "first.ipynb", FIRST)
    write_notebook(folder / "second.ipynb", SECOND)
    (folder / "definition.yaml").write_text(DEFINITION, encoding="utf-8")
    return folder


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a command printed, and its exit status."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Program:
    """`chatflow` with a home and a template path of its own."""

    home: Path
    templates: Path

    @property
    def environment(self) -> dict[str, str]:
        """What it sees."""
        own = {
            "CHATFLOW_HOME": str(self.home),
            "CHATFLOW_TEMPLATE_PATH": str(self.templates),
            "TERM": "xterm",
        }
        return {**os.environ, **own}

    def __call__(self, *words: str, status: int | None = 0) -> Printed:
        """Run a command to its end in this process; it has to end with `status`, without a traceback."""
        out, err = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, self.environment), redirect_stdout(out), redirect_stderr(err):
            ended = main(words)
        printed = Printed(status=ended, stdout=out.getvalue(), stderr=err.getvalue())
        assert "Traceback" not in printed.stderr, printed.stderr
        assert status is None or ended == status, f"{words}: {printed}"
        return printed

    def json(self, *words: str, status: int = 0) -> Any:
        """Run a command with --json and return what it printed."""
        return json.loads(self(*words, "--json", status=status).stdout)

    def apart(self, *words: str, status: int = 0) -> str:
        """Run a command in a process of its own (for what leaves another behind); return its stdout."""
        with self.started(*words) as process:
            out, err = process.communicate(timeout=LIMITS.deadline_sec * 3)
        assert "Traceback" not in err, err
        assert process.returncode == status, f"{words}: {process.returncode}\n{out}\n{err}"
        return out

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command in a process group of its own; it is killed at the end if it still lives."""
        with subprocess.Popen(
            [*COMMAND, *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def on_a_terminal(
        self, *words: str, typed: str = "", environment: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Run a command on a pseudo-terminal of 100 x 40, typing when it asks; returns status and screen."""
        sized = {"COLUMNS": "100", "LINES": "40", **(environment or {})}
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, *words],
            env={**self.environment, **sized},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        if typed:
            os.write(leader, typed.encode())
        screen = _read_to_the_end(leader, process)
        os.close(leader)
        return process.wait(LIMITS.deadline_sec), screen

    def phase_running(self, phase: str) -> str | None:
        """Return the id of the newest instance once a notebook of `phase` really runs."""
        found: Sequence[dict[str, Any]] = self.json("list", "--limit", "1")
        if not found or found[0]["current_phase"] != phase:
            return None
        events = self.json("history", found[0]["instance_id"])
        last = events[-1]
        return found[0]["instance_id"] if (last["type"], last["phase"]) == ("PhaseStarted", phase) else None


def _read_to_the_end(leader: int, process: subprocess.Popen[bytes]) -> str:
    ends = time.monotonic() + LIMITS.deadline_sec * 3
    screen = b""
    while time.monotonic() < ends:
        ready, _, _ = select.select([leader], [], [], 0.2)
        if ready:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # Linux: the other side is closed
                break
            screen += piece
        elif process.poll() is not None:
            break
    return screen.decode(errors="replace")
