"""How-to pages that are played from the first command to the last, as a reader would."""

from pathlib import Path

import pytest

from tests.docs.console import comparable, play, reader_environment
from tests.docs.pages import DOCS

pytestmark = [pytest.mark.docs, pytest.mark.timeout(300)]


def test_asking_several_people_prints_what_its_page_says(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "ask-several-people.md"
    played = 0
    for entry, printed, errors in play(page, tmp_path, reader_environment()):
        assert comparable(printed) == comparable(entry.output), f"$ {entry.command}\n{errors}"
        played += 1
    assert played >= 20
