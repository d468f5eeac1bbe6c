"""Saved artifacts stay in the folder, and overwrite nothing."""

from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.interfaces.cli.stored import free_place


def test_a_name_with_folders(tmp_path: Path) -> None:
    assert free_place(tmp_path, "collect", "plots/a.png") == tmp_path / "collect" / "plots" / "a.png"


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    for expected in ("report.html", "report.1.html", "report.2.html"):
        place = free_place(tmp_path, "publish", "report.html")
        assert place.name == expected
        place.touch()
    (tmp_path / "publish" / ".hidden").touch()
    assert free_place(tmp_path, "publish", ".hidden").name == ".hidden.1"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "", "a//b", ".", "a/.", "x\0y"])
def test_a_name_that_climbs_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        free_place(tmp_path, "collect", name)
    assert list(tmp_path.iterdir()) == []


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "collect").symlink_to(outside)
    with pytest.raises(InvalidInput, match="leads out"):
        free_place(inside, "collect", "a.txt")
    assert list(outside.iterdir()) == []


def test_a_dangling_link_counts_as_taken(tmp_path: Path) -> None:
    (tmp_path / "collect").mkdir()
    (tmp_path / "collect" / "a.txt").symlink_to("/nowhere/at/all")
    assert free_place(tmp_path, "collect", "a.txt").name == "a.1.txt"


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "collect").touch()
    with pytest.raises(InvalidInput, match="cannot be a folder"):
        free_place(tmp_path, "collect", "a.txt")
