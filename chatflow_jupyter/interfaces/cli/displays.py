"""How following looks: a picture redrawn in place on a terminal, otherwise one line per event."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from chatflow_jupyter.domain.events import Event
from chatflow_jupyter.domain.instance import WaitingReason
from chatflow_jupyter.interfaces.cli.picture import Line, picture, shown_phases
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot
from chatflow_jupyter.interfaces.cli.terminal import glyphs_for, is_live, painted
from chatflow_jupyter.interfaces.cli.wording import event_line, waiting_lines

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

MIN_CHILDREN = 3
MAX_QUESTIONS = 2
WORDS = "words"
"""The value of `CHATFLOW_PLAIN` that asks for sentences instead of events where nothing can be drawn."""
ASKING = frozenset({WaitingReason.APPROVAL, WaitingReason.TRIGGER})


class Display(Protocol):
    """Shows what happens while an instance is followed. Used as a context manager."""

    def event(self, event: Event) -> None:
        """Show that something happened."""

    def snapshot(self, snapshot: Snapshot) -> None:
        """Show how the tree stands now."""

    def lines(self, lines: list[str], style: str = "") -> None:
        """Show some lines that stay, above whatever is redrawn."""

    def tick(self) -> None:
        """Let clocks go on where nothing else happened."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class PlainDisplay:
    """One line per event, for files, pipes and terminals that cannot move their cursor."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.flush()

    def event(self, event: Event) -> None:
        """Write the event's line."""
        self.lines([event_line(event)])

    def snapshot(self, snapshot: Snapshot) -> None:
        """Write nothing: lines are facts, not pictures."""

    def lines(self, lines: list[str], style: str = "") -> None:
        """Write the lines."""
        for line in lines:
            self._stream.write((painted(line, style, self._stream) if style else line) + "\n")
        self._stream.flush()

    def tick(self) -> None:
        """Nothing moves here."""


class LiveDisplay:
    """The tree with bars and running clocks, redrawn in place; its last state stays on the screen."""

    def __init__(self, stream: TextIO, command: Callable[..., str]) -> None:
        """Draw on the terminal `stream`; `command` words the commands shown at a gate."""
        self._stream = stream
        self._glyphs = glyphs_for(stream)
        self._command = command
        self._snapshot: Snapshot | None = None
        self._live: Live | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        console = Console(
            file=None,
            stderr=self._stream is sys.stderr,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
        self._stack.enter_context(self._live)
        return self

    def __exit__(self, *error: object) -> None:
        self.tick()
        self._stack.close()

    def event(self, event: Event) -> None:
        """Write nothing: the picture shows it."""

    def snapshot(self, snapshot: Snapshot) -> None:
        """Draw the tree as it is now."""
        self._snapshot = snapshot
        self._draw(snapshot)

    def lines(self, lines: list[str], style: str = "") -> None:
        """Write lines that stay above the picture."""
        assert self._live is not None
        for line in lines:
            self._live.console.print(line, style=style or None, soft_wrap=True)

    def tick(self) -> None:
        """Draw the same tree at the present moment: its clocks go on."""
        if self._snapshot is not None:
            self._draw(replace(self._snapshot, at=datetime.now(UTC)))

    def _draw(self, snapshot: Snapshot) -> None:
        from rich.console import Group
        from rich.text import Text

        assert self._live is not None
        size = self._live.console.size
        room = size.height - len(shown_phases(snapshot)) - 6
        drawn = picture(
            snapshot, self._glyphs, width=max(size.width - 1, 20), max_children=max(room, MIN_CHILDREN)
        )
        asked = [Text(line, style="yellow", overflow="fold") for line in self._questions(snapshot)]
        self._live.update(Group(_as_text(drawn), *asked), refresh=True)

    def _questions(self, snapshot: Snapshot) -> list[str]:
        """Word what children ask people while others go on; what the followed one asks ends the following."""
        asking = [
            node
            for node in snapshot.nodes.values()
            if node.parent is not None and node.waiting_reason in ASKING and not node.paused
        ]
        return [line for node in asking[:MAX_QUESTIONS] for line in waiting_lines(node, self._command)]


def display_for(stream: TextIO, command: Callable[..., str], *, several: bool = False) -> Display:
    """Return what suits `stream`; several instances at once are shown as lines."""
    plain = os.environ.get("CHATFLOW_PLAIN", "")
    if is_live(stream) and not several and plain in ("", WORDS):
        return LiveDisplay(stream, command)
    if plain == WORDS:
        from chatflow_jupyter.interfaces.cli.sentences import SentenceDisplay

        return SentenceDisplay(stream)
    return PlainDisplay(stream)


def _as_text(lines: list[Line]) -> Text:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for words, style in line:
            text.append(words, style=style or None)
    return text
