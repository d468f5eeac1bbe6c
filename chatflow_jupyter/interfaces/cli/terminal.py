"""What can be written where: untrusted text made safe, colours and glyphs only where they work."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TextIO

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-~]?)|\x9b[0-?]*[ -/]*[@-~]"
)
# Controls, and the invisible marks that reorder or hide what a reader sees.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
UNKNOWN_COLUMNS = 100
_STYLES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "bold": "1"}


def safe_text(text: str) -> str:
    """Return `text` without anything that moves a cursor, recolours or reorders; newlines and tabs stay."""
    visible = _UNSEEN.sub("", _ESCAPE_SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return _SURROGATE.sub("\ufffd", visible)


def safe_line(text: str, limit: int | None = None) -> str:
    """Return `text` as one safe line, at most `limit` characters."""
    line = " ".join(safe_text(text).split())
    return line if limit is None or len(line) <= limit else line[: max(limit - 3, 0)] + "..."


def safe_code(text: str) -> str:
    """Return a line of source as one safe line that keeps its indentation."""
    return safe_text(text).replace("\n", " ").expandtabs(8).rstrip()


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    """One sign per state, told apart without colour; and the lines of a tree."""

    succeeded: str = "✓"
    failed: str = "✗"
    alarming: str = "▲"
    running: str = "●"
    queued: str = "◌"
    waiting: str = "◆"
    skipped: str = "⊘"
    terminated: str = "■"
    pending: str = "·"
    tee: str = "├─ "
    corner: str = "└─ "
    rail: str = "│  "
    bar_done: str = "━"
    bar_left: str = "─"
    ellipsis: str = "…"


ASCII_GLYPHS = Glyphs(
    succeeded="+",
    failed="x",
    alarming="!",
    running="*",
    queued="o",
    waiting="=",
    skipped="-",
    terminated="#",
    pending=".",
    tee="|- ",
    corner="`- ",
    rail="|  ",
    bar_done="#",
    bar_left="-",
    ellipsis="...",
)


def glyphs_for(stream: TextIO) -> Glyphs:
    """Return the glyphs that `stream` can encode."""
    fancy = Glyphs()
    try:
        "".join(vars(fancy).values()).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_GLYPHS
    return fancy


def prepare_streams() -> None:
    """Let no character that the locale cannot write end the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def is_live(stream: TextIO) -> bool:
    """Whether a picture may be redrawn on `stream`: a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def has_colour(stream: TextIO) -> bool:
    """Whether colours are wanted on `stream`; `NO_COLOR` switches them off (no-color.org)."""
    return is_live(stream) and not os.environ.get("NO_COLOR")


def painted(text: str, style: str, stream: TextIO) -> str:
    """Return `text` in a style (`red`, `bold` …) where the stream shows it."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_colour(stream) else text


def can_ask() -> bool:
    """Whether a person sits there to answer: both standard input and standard error are terminals."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def width(stream: TextIO) -> int:
    """Return how many columns fit on a line of `stream` (a wide answer for files and pipes).

    The terminal itself is asked, not that of standard output, which may be a pipe; `COLUMNS` wins.
    """
    if not stream.isatty():
        return 160
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    try:
        return os.get_terminal_size(stream.fileno()).columns or UNKNOWN_COLUMNS
    except OSError:
        return UNKNOWN_COLUMNS


def shown_duration(seconds: float | None) -> str:
    """Return a duration as people read it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def shown_size(size_bytes: int) -> str:
    """Return a size as people read it, in units of 1024."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
