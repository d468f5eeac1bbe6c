"""The tutorial can be followed word for word: its commands are played in a real shell."""

from pathlib import Path

import pytest

from tests.docs.console import comparable, play, reader_environment
from tests.docs.pages import DOCS, plain, rows, text_of

pytestmark = [pytest.mark.docs, pytest.mark.timeout(300)]


def test_the_first_workflow_prints_what_its_page_says(tmp_path: Path) -> None:
    page = DOCS / "tutorials" / "first-workflow.md"
    played = 0
    for entry, printed, errors in play(page, tmp_path, reader_environment()):
        assert comparable(printed) == comparable(entry.output), f"$ {entry.command}\n{errors}"
        played += 1
        if entry.command.startswith("chatflow "):
            assert _names_in(tmp_path / "first-workflow" / "home") <= _documented_names()
    assert played >= 15


def _names_in(home: Path) -> set[str]:
    return {entry.name + "/" * entry.is_dir() for entry in home.iterdir()}


def _documented_names() -> set[str]:
    return {plain(row[0]) for row in rows(text_of(DOCS / "reference" / "files.md"))}
