"""The library of the code review template is imported as its notebooks import it."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "notebooks" / "standard-code-review"
sys.path.insert(0, str(TEMPLATE / "lib"))

from tests.templates.repositories import Made, make_change  # noqa: E402


@pytest.fixture
def change(tmp_path: Path) -> Callable[[Mapping[str, str | bytes], Mapping[str, str | bytes | None]], Made]:
    """Make a repository with two commits: the first mapping is base, the second what head changes."""
    return lambda base, head: make_change(tmp_path / "target", base, head)


@pytest.fixture(scope="session")
def template() -> Path:
    """The folder of the template."""
    return TEMPLATE
