"""Tables: columns aligned, and on a terminal as wide as that terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TextIO

from chatflow_jupyter.interfaces.cli.terminal import width

GAP = 2
SHORT = 12
"""How long a cell is that is never wrapped: a number and its unit, a time."""
LEAST = 8
"""How narrow a column in the middle may become."""


def shown_table(rows: Sequence[Sequence[str]], head: Sequence[str], stream: TextIO) -> str:
    """Return a table for `stream`: fitted to a terminal, and a line per row for files and pipes."""
    return table(rows, head, columns=width(stream) if stream.isatty() else None)


def table(rows: Sequence[Sequence[str]], head: Sequence[str], *, columns: int | None = None) -> str:
    """Return rows under a head, columns aligned, two spaces apart; the last column is not padded.

    In `columns` cells are wrapped between words, the widest first, and where that is not enough, in the
    middle of words. Short cells are not wrapped, and the words of the first column and the last stay whole:
    an id or a path that is copied has to be one. Where even that is too wide, the terminal wraps.
    """
    lines = [list(head), *map(list, rows)]
    sizes = [max(len(line[number]) for line in lines) for number in range(len(head))]
    if columns is not None:
        room = columns - GAP * (len(head) - 1)
        least = [max(_longest_word(line[number]) for line in lines) for number in range(len(head))]
        sizes = _fitted(sizes, least, room)
        middle = range(1, len(head) - 1)
        least = [min(size, LEAST) if n in middle else size for n, size in enumerate(sizes)]
        sizes = _fitted(sizes, least, room)
    return "\n".join(shown for line in lines for shown in _wrapped(line, sizes))


def _longest_word(cell: str) -> int:
    return len(cell) if len(cell) <= SHORT else max(map(len, cell.split()), default=0)


def _fitted(sizes: list[int], least: list[int], room: int) -> list[int]:
    """Take from the widest columns that can give until all fit into `room`, or none can give more."""
    sizes = list(sizes)
    while sum(sizes) > room:
        giving = [number for number, size in enumerate(sizes) if size > least[number]]
        if not giving:
            break
        sizes[max(giving, key=lambda number: sizes[number])] -= 1
    return sizes


def _wrapped(line: Sequence[str], sizes: Sequence[int]) -> list[str]:
    cells = [
        [cell] if len(cell) <= size else textwrap.wrap(cell, size, break_on_hyphens=False)
        for cell, size in zip(line, sizes, strict=True)
    ]
    height = max(map(len, cells))
    padded = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return [
        (" " * GAP).join(part.ljust(size) for part, size in zip(parts, sizes, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    ]
