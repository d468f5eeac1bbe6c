"""How-to pages that are played from the first command to the last, as a reader would."""

from pathlib import Path

import pytest

from tests.docs.console import comparable, play, reader_environment
from tests.docs.pages import DOCS

pytestmark = [pytest.mark.docs, pytest.mark.timeout(300)]


PLAYED = {
    "fork-an-instance.md": 11,
    "ask-several-people.md": 20,
    "check-phases-with-hooks.md": 18,
    "limit-time.md": 9,
    "publish-versions.md": 14,
    "reuse-unchanged-phases.md": 10,
    "run-on-a-schedule.md": 12,
    "see-what-comes-next.md": 9,
    "see-who-did-what.md": 14,
    "start-children-from-a-notebook.md": 11,
    "take-over-a-saga.md": 10,
    "take-over-a-sliding-window.md": 6,
    "take-over-an-approval.md": 13,
    "take-over-branches.md": 9,
    "undo-what-was-done.md": 16,
    "write-a-gate-that-holds.md": 8,
}
"""Pages with console blocks, and how many commands there are at least."""


@pytest.mark.parametrize("name", PLAYED)
def test_a_page_prints_what_it_says(name: str, tmp_path: Path) -> None:
    played = 0
    for entry, printed, errors in play(DOCS / "how-to" / name, tmp_path, reader_environment()):
        assert comparable(printed) == comparable(entry.output), f"$ {entry.command}\n{errors}"
        played += 1
    assert played >= PLAYED[name]
