"""Nothing a notebook prints moves a cursor; nothing a locale lacks ends the program."""

import fcntl
import io
import os
import pty
import struct
import termios
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.interfaces.cli import terminal
from chatflow_jupyter.interfaces.cli.tables import shown_table, table
from chatflow_jupyter.interfaces.cli.terminal import (
    ASCII_GLYPHS,
    Glyphs,
    glyphs_for,
    has_colour,
    is_live,
    safe_line,
    safe_text,
    shown_duration,
    shown_size,
    width,
)


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b31mb", "ab"),
        ("a\x00b\x08c\x7f", "abc"),
        ("right\u202eleft", "rightleft"),
        ("zero\u200bwidth", "zerowidth"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("tab\there", "tab\there"),
        ("half\ud800", "half\ufffd"),
        ("[bold]markup[/]", "[bold]markup[/]"),
        ("\x1b", ""),
    ],
)
def test_control_sequences_are_taken_out(hostile: str, safe: str) -> None:
    assert safe_text(hostile) == safe


@given(st.text())
def test_safe_text_is_printable_in_every_line(text: str) -> None:
    safe = safe_text(text)
    assert "\x1b" not in safe
    assert safe_text(safe) == safe
    safe.encode()
    assert len(safe_line(text, 20)) <= 20
    assert "\n" not in safe_line(text)


class Screen(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", tty: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.mark.parametrize(
    ("encoding", "glyphs"), [("utf-8", Glyphs()), ("ascii", ASCII_GLYPHS), ("latin-1", ASCII_GLYPHS)]
)
def test_glyphs_fit_the_locale(encoding: str, glyphs: Glyphs) -> None:
    assert glyphs_for(Screen(encoding)) == glyphs


@pytest.mark.parametrize("glyphs", [Glyphs(), ASCII_GLYPHS])
def test_states_are_told_apart_without_colour(glyphs: Glyphs) -> None:
    states = ("succeeded", "failed", "running", "queued", "waiting", "skipped", "terminated", "pending")
    assert len({getattr(glyphs, state) for state in states}) == len(states)


@pytest.mark.parametrize(
    ("term", "tty", "live"),
    [("xterm", True, True), ("dumb", True, False), ("", True, False), ("xterm", False, False)],
)
def test_only_a_real_terminal_is_redrawn(
    term: str, tty: bool, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert is_live(Screen(tty=tty)) is live
    assert has_colour(Screen(tty=tty)) is live


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.painted("text", "red", Screen()) == "text"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert shown_duration(seconds) == shown


def test_sizes_and_tables() -> None:
    assert [shown_size(size) for size in (0, 1023, 1024, 5 * 1024**2, 3 * 1024**3)] == [
        *("0 B", "1023 B", "1.0 KiB", "5.0 MiB", "3.0 GiB")
    ]
    assert table([["a", "bcd"], ["efgh", "i"]], ["X", "Y"]) == os.linesep.join(
        ["X     Y", "a     bcd", "efgh  i"]
    )


@contextmanager
def terminal_of(columns: int) -> Iterator[TextIO]:
    """A real terminal of that many columns; standard output is none."""
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with open(slave, "w", closefd=False) as stream:
            yield stream
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("columns", [44, 80, 160])
def test_a_table_is_as_wide_as_its_own_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    prose = " ".join(["word"] * 25)
    path = "/home/you/a/rather/long/path.html"
    with terminal_of(columns) as stream:
        assert width(stream) == columns
        lines = shown_table([["one", prose], ["two", path]], ["NAME", "WHAT"], stream).splitlines()
    assert max(map(len, lines)) <= columns
    assert len(lines) > 3 if columns < 130 else len(lines) == 3
    assert sum(line.count("word") for line in lines) == 25
    assert any(line.endswith(path) for line in lines)  # whole, to be copied
    assert all(line.startswith(("NAME  ", "one   ", "two   ", "      word")) for line in lines)


def test_what_does_not_fit_beside_the_id_stands_below_it_and_no_word_is_torn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    row = [
        "wfi_01m88zgdjyk5f13gr12dgzpwsy",
        "waiting/approval",
        "standard-code-review@1.0.0+dev.67254139",
        "2026-11-25 16:46:54",
        "5.5 s",
    ]
    with terminal_of(80) as stream:
        shown = shown_table([row], ["ID", "STATUS", "WHAT", "STARTED", "TOOK"], stream)
    assert shown.splitlines() == [
        "ID                              STATUS",
        "  WHAT                                     STARTED              TOOK",
        "wfi_01m88zgdjyk5f13gr12dgzpwsy  waiting/approval",
        "  standard-code-review@1.0.0+dev.67254139  2026-11-25 16:46:54  5.5 s",
    ]


WORDS = st.lists(st.text("abc-/@", min_size=1, max_size=90), max_size=12).map(" ".join)


@given(
    rows=st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), max_size=4),
    columns=st.sampled_from([20, 60, 80, 132]),
)
def test_whatever_the_width_every_word_is_whole_and_only_what_fits_nowhere_is_too_wide(
    rows: list[tuple[str, ...]], columns: int
) -> None:
    shown = table(rows, ["ID", "WHO", "WHAT", "WHY"], columns=columns)
    words = Counter(word for row in rows for cell in row for word in cell.split())
    assert Counter(shown.split()) == words + Counter(["ID", "WHO", "WHAT", "WHY"])
    paths = [cell for row in rows for cell in row if cell.startswith("/")]
    assert all(path in shown for path in paths)
    for line in shown.splitlines():
        whole = line.split() + [path for path in paths if path in line]
        assert len(line) <= columns or max(map(len, whole)) > columns - 2


def test_a_path_is_one_piece_with_its_spaces() -> None:
    path = "/home/you/my notebooks/of this year/templates"
    shown = table([["sales", "Monthly sales of all regions", path]], ["NAME", "TITLE", "WHERE"], columns=60)
    assert shown.splitlines()[-1] == f"  {path}"


def test_one_path_wider_than_the_terminal_spoils_only_its_own_row() -> None:
    path = "/a/folder" * 12
    rows = [["home", "/home/you", "default"], ["path", path, "default"], ["level", "info", "default"]]
    lines = table(rows, ["SETTING", "VALUE", "ORIGIN"], columns=80).splitlines()
    place = lines[0].index("ORIGIN")
    assert [len(lines), *(line[place:] for line in (lines[1], lines[3], lines[4]))] == [5, *["default"] * 3]
    assert lines[2].endswith(path)


def test_elsewhere_a_row_is_a_line() -> None:
    rows = [["one", "word " * 80], ["two", ""]]
    assert len(shown_table(rows, ["NAME", "WHAT"], Screen(tty=False)).splitlines()) == 3


def test_columns_that_are_asked_for_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    with terminal_of(200) as stream:
        assert width(stream) == 72
    assert width(Screen(tty=False)) == 160
