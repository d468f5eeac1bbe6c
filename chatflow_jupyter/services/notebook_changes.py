"""What changed between two states of a notebook: which cells, and which of their lines."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

MAX_CELLS = 500
MAX_LINES = 1000
MAX_LINE = 200
MAX_SHOWN_LINES = 200
"""What is larger is said to have changed, not compared: finding out how can take very long."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell as it is compared: its place among all, its type, and the lines of its source."""

    number: int
    kind: str
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """A cell that was added, removed or changed; its number is that before, of an added one that after."""

    kind: Literal["added", "removed", "changed"]
    number: int
    cell_type: str
    lines: Sequence[str]
    """A unified difference without head, or the lines that came or went."""


def cell_changes(before: bytes, after: bytes) -> Sequence[CellChange] | None:
    """Return the cells whose type or source differs, in order; None when they cannot be compared."""
    old, new = _cells(before), _cells(after)
    if old is None or new is None or len(old) > MAX_CELLS or len(new) > MAX_CELLS:
        return None
    keys = [(cell.kind, *cell.lines) for cell in old], [(cell.kind, *cell.lines) for cell in new]
    matcher = difflib.SequenceMatcher(None, *keys)
    found: list[CellChange] = []
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        if tag == "equal":
            continue
        removed, added = list(old[first:last]), list(new[other_first:other_last])
        while removed and added and removed[0].kind == added[0].kind:
            found.append(_changed(removed.pop(0), added.pop(0)))
        found += [_whole("removed", cell, "-") for cell in removed]
        found += [_whole("added", cell, "+") for cell in added]
    return found


def _changed(before: Cell, after: Cell) -> CellChange:
    if max(len(before.lines), len(after.lines)) > MAX_LINES:
        told = [f"  {len(before.lines)} lines became {len(after.lines)}, too many to compare"]
    else:
        told = list(difflib.unified_diff(before.lines, after.lines, lineterm="", n=2))[2:]
    return CellChange(kind="changed", number=before.number, cell_type=before.kind, lines=_limited(told))


def _whole(kind: Literal["added", "removed"], cell: Cell, sign: str) -> CellChange:
    lines = [f"{sign}{line}" for line in cell.lines]
    return CellChange(kind=kind, number=cell.number, cell_type=cell.kind, lines=_limited(lines))


def _limited(lines: Sequence[str]) -> Sequence[str]:
    shown = [_short(line) for line in lines[:MAX_SHOWN_LINES]]
    left = len(lines) - len(shown)
    return [*shown, f"  and {left} more lines"] if left else shown


def _short(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


def _cells(content: bytes) -> Sequence[Cell] | None:
    """Return the cells of a notebook of format 4; None for anything else."""
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    listed = notebook.get("cells") if isinstance(notebook, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(cell, Mapping) for cell in listed):
        return None
    return [
        Cell(number=number, kind=str(cell.get("cell_type")), lines=_source(cell.get("source")))
        for number, cell in enumerate(listed, 1)
    ]


def _source(source: object) -> Sequence[str]:
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.split("\n")
