"""Tables: columns aligned, and on a terminal as wide as that terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TextIO

from chatflow_jupyter.interfaces.cli.terminal import width

GAP = 2
NARROW = 24
"""How wide a column stays, if it ever was: prose reads badly below, and a moment would be torn apart."""


def shown_table(rows: Sequence[Sequence[str]], head: Sequence[str], stream: TextIO) -> str:
    """Return a table for `stream`: fitted to a terminal, and a line per row for files and pipes."""
    return table(rows, head, columns=width(stream) if stream.isatty() else None)


def table(rows: Sequence[Sequence[str]], head: Sequence[str], *, columns: int | None = None) -> str:
    """Return rows under a head, columns aligned, two spaces apart; the last of a line is not padded.

    In `columns` cells are wrapped between words, the widest first, and where that is not enough, what does
    not fit any more stands below, indented, in the head as in every row. No word is ever torn, nor a path at
    its spaces: what is copied has to be in one piece. What is wider than the terminal reaches over its edge,
    and in that row the cells behind it stand below it.
    """
    lines = [list(head), *map(list, rows)]
    sizes = [max(_size(line[number], columns) for line in lines) for number in range(len(head))]
    groups = [range(len(head))]
    if columns is not None:
        narrow = min(NARROW, columns - GAP)
        words = [max(_word(line[number], columns) for line in lines) for number in range(len(head))]
        least = [min(size, max(narrow, word)) for size, word in zip(sizes, words, strict=True)]
        groups = _groups(least, columns)
        sizes = [size for group in groups for size in _fitted(sizes, least, group, columns)]
    return "\n".join(
        " " * _indent(group) + shown
        for line in lines
        for group in groups
        if line is lines[0] or any(line[number] for number in group)
        for shown in _wrapped(line[group.start : group.stop], sizes[group.start : group.stop])
    )


def _size(cell: str, columns: int | None) -> int:
    """Return how wide a cell would like to be; one that fits nowhere has no say for the others."""
    fits = columns is None or _longest(cell) <= columns - GAP
    return len(cell) if fits else min(len(cell), NARROW)


def _word(cell: str, columns: int) -> int:
    longest = _longest(cell)
    return longest if longest <= columns - GAP else 0


def _longest(cell: str) -> int:
    return max(map(len, _words(cell)), default=0)


def _words(cell: str) -> list[str]:
    """Return what of a cell has to stay in one piece: its words, and all of a path, spaces included."""
    return [cell] if cell.startswith("/") else cell.split()


def _groups(least: Sequence[int], columns: int) -> list[range]:
    """Return which columns stand beside each other: as many as fit, the others below them."""
    groups = [range(1)]
    for number in range(1, len(least)):
        longer = range(groups[-1].start, number + 1)
        if sum(least[n] for n in longer) <= _room(longer, columns):
            groups[-1] = longer
        else:
            groups.append(range(number, number + 1))
    return groups


def _indent(group: range) -> int:
    return GAP if group.start else 0


def _room(group: range, columns: int) -> int:
    return columns - _indent(group) - GAP * (len(group) - 1)


def _fitted(sizes: Sequence[int], least: Sequence[int], group: range, columns: int) -> list[int]:
    """Take from the widest columns that can give until all fit beside each other, or none can give more."""
    fitted = {number: sizes[number] for number in group}
    while sum(fitted.values()) > _room(group, columns):
        giving = [number for number in group if fitted[number] > least[number]]
        if not giving:
            break
        fitted[max(giving, key=lambda number: fitted[number])] -= 1
    return list(fitted.values())


def _wrapped(line: Sequence[str], sizes: Sequence[int]) -> list[str]:
    for number in range(1, len(line)):
        if _longest(line[number - 1]) > sizes[number - 1]:
            behind = [*[""] * number, *line[number:]]
            return _wrapped(line[:number], sizes[:number]) + (_wrapped(behind, sizes) if any(behind) else [])
    cells = [
        textwrap.wrap(cell, size, break_on_hyphens=False, break_long_words=False)
        if len(cell) > size and len(_words(cell)) > 1
        else [cell]
        for cell, size in zip(line, sizes, strict=True)
    ]
    height = max(map(len, cells))
    padded = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return [
        (" " * GAP).join(part.ljust(size) for part, size in zip(parts, sizes, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    ]
