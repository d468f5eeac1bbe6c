"""A program with a home of its own, for one test or for a module."""

from pathlib import Path

import pytest

from tests.cli.program import Program, write_template


@pytest.fixture
def chatflow(tmp_path: Path) -> Program:
    """A program in an empty home; the template `gated` is on its path."""
    write_template(tmp_path / "templates" / "gated")
    return Program(home=tmp_path / "home", templates=tmp_path / "templates")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The same for a whole module: its instances stay."""
    folder = tmp_path_factory.mktemp("shared")
    write_template(folder / "templates" / "gated")
    return Program(home=folder / "home", templates=folder / "templates")
