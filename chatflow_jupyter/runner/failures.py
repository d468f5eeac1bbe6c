"""Put a failure into words: one clear line, a clean traceback, the last things printed."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbformat import NotebookNode

from chatflow_jupyter.runner.kept_kernel import KernelExit
from chatflow_jupyter.runner.notebook_file import shortened
from chatflow_jupyter.runner.notebook_job import FailureCode, NotebookFailure

MAX_MESSAGE = 400
MAX_TRACEBACK = 16 * 1024
MAX_LAST_OUTPUT = 4 * 1024

_TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")

_ARROW = re.compile(r"^-+> *\d+ (.*)$", re.MULTILINE)


def clean(text: str) -> str:
    """Return `text` without terminal colours and control characters (tabs and line ends stay)."""
    plain = _TERMINAL_CODES.sub("", text)
    return "".join(char for char in plain if char in "\n\t" or char.isprintable())


class Place:
    """Where in a notebook something happened: a code cell, its number among all, its name."""

    def __init__(self, cell: NotebookNode, index: int, total: int, name: str) -> None:
        self.cell = cell
        self.index = index
        self.total = total
        self.name = name

    def __str__(self) -> str:
        """Return the place in words."""
        name = f' ("{self.name}")' if self.name else ""
        return f"in code cell {self.index + 1} of {self.total}{name}"


def reply_failure(reply: Mapping[str, Any], place: Place) -> NotebookFailure:
    """Return the failure for an error reply of the kernel."""
    ename = str(reply.get("ename") or reply.get("status") or "error")
    evalue = clean(str(reply.get("evalue") or "")).strip()
    first_line = evalue.splitlines()[0] if evalue else ""
    code: FailureCode = "cell_error"
    problem = f"{ename}: {first_line}" if first_line else ename
    if ename == "StdinNotImplementedError":
        code, problem = "stdin_requested", "input was asked for, but nobody is there to answer"
    elif ename.endswith("MemoryError"):
        code = "out_of_memory"
    traceback = clean("\n".join(map(str, reply.get("traceback") or ())))
    there = _line_that_raised(place, traceback)
    failure = _failure(code, problem, there, ename=ename, traceback=traceback[-MAX_TRACEBACK:] or None)
    return replace(failure, cell_name=place.name)


def _line_that_raised(place: Place, traceback: str) -> Place:
    """Return the place under the line that raised, where all its name says is how the cell begins.

    Beside an error the first line of a cell would pass for what failed. A comment or a heading is kept, and
    so is the name where IPython shows a line that nobody wrote, as for magics.
    """
    lines = [line.strip() for line in place.cell.source.splitlines()]
    found = _ARROW.search(traceback)
    raised = "" if found is None else found[1].strip()
    if raised not in lines or not any(line.startswith(place.name.rstrip("…")) for line in lines):
        return place
    return Place(place.cell, place.index, place.total, shortened(raised))


def exit_failure(end: KernelExit, place: Place | None, log_tail: str) -> NotebookFailure:
    """Return the failure for a kernel that ended by itself or was killed by somebody else."""
    if place is None:
        last = clean(log_tail).strip()
        reason = f"; it said: {last.splitlines()[-1]}" if last else ""
        return NotebookFailure(
            code="out_of_memory" if end.out_of_memory else "environment_error",
            message=_short(f"the kernel ended before it was ready: {end}{reason}"),
            exit_status=str(end),
            last_output=last[-MAX_LAST_OUTPUT:] or None,
        )
    code: FailureCode = "out_of_memory" if end.out_of_memory else "kernel_died"
    return _failure(code, f"the kernel died: {end}", place, exit_status=str(end), log_tail=log_tail)


def stop_failure(
    code: FailureCode, problem: str, place: Place | None, *, end: KernelExit | None, interrupted: bool
) -> NotebookFailure:
    """Return the failure for an attempt that was stopped from outside or for its output."""
    exit_status = None if end is None or interrupted else str(end)
    if interrupted is False:
        problem += "; the cell did not react to an interrupt and was killed"
    if place is None:
        return NotebookFailure(code=code, message=_short(problem), exit_status=exit_status)
    return _failure(code, problem, place, exit_status=exit_status)


def last_output(cell: NotebookNode) -> str | None:
    """Return the tail of the text a cell has put out, without terminal colours."""
    pieces: list[str] = []
    length = 0
    for output in reversed(cell.get("outputs", [])):
        if output.output_type == "stream":
            text = output.text
        elif output.output_type in ("display_data", "execute_result"):
            text = str(output.data.get("text/plain", "")) + "\n"
        else:
            continue
        pieces.append(text[-MAX_LAST_OUTPUT:])
        length += len(pieces[-1])
        if length >= MAX_LAST_OUTPUT:
            break
    return clean("".join(reversed(pieces)))[-MAX_LAST_OUTPUT:].strip() or None


def _failure(
    code: FailureCode,
    problem: str,
    place: Place,
    *,
    ename: str | None = None,
    traceback: str | None = None,
    exit_status: str | None = None,
    log_tail: str = "",
) -> NotebookFailure:
    return NotebookFailure(
        code=code,
        message=_short(f"{problem} {place}"),
        cell_index=place.index,
        cell_name=place.name,
        ename=ename,
        traceback=traceback,
        exit_status=exit_status,
        last_output=last_output(place.cell) or clean(log_tail)[-MAX_LAST_OUTPUT:].strip() or None,
    )


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"
