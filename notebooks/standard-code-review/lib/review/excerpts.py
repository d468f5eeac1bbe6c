"""A few lines of source, numbered, for a finding's evidence."""

from __future__ import annotations

from review.values import shortened


def excerpt(source: str, line: int, *, around: int = 1, width: int = 160) -> str:
    """Return the numbered lines around `line`, which is marked with '>'; '' when there is no such line."""
    lines = source.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    shown = range(max(line - around, 1), min(line + around, len(lines)) + 1)
    return "\n".join(
        f"{'>' if number == line else ' '} {number:4} {shortened(lines[number - 1].rstrip(), width)}"
        for number in shown
    )
