"""Only plain files below `artifacts/` are collected, whatever a notebook puts there."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from chatflow_jupyter.runner.artifacts import collect_artifacts


def test_nothing_outside_is_reached_and_nothing_odd_is_taken(tmp_path: Path) -> None:
    work = tmp_path / "work"
    root = work / "artifacts"
    (root / "deep" / "er").mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("secret")
    (root / "plain.txt").write_text("12345")
    (root / "deep" / "er" / "result.csv").write_text("1")
    (root / "link.txt").symlink_to(secret / "key.txt")
    (root / "folder").symlink_to(secret)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    Path(os.fsdecode(bytes(root) + b"/bad\xff.txt")).write_text("x")
    (root / "two\nlines.txt").write_text("x")

    found = collect_artifacts(work)

    assert [(item.name, item.kind, item.size_bytes) for item in found] == [
        ("deep/er/result.csv", "data", 1),
        ("plain.txt", "log", 5),
    ]
    assert found[1].path.read_text() == "12345"


def test_declared_kinds_win_and_torn_lines_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / ".chatflow").mkdir()
    for name in ("a.txt", "b.html", "c.ipynb", "d.patch"):
        (tmp_path / "artifacts" / name).write_text("")
    (tmp_path / ".chatflow" / "artifacts.jsonl").write_text(
        '{"name": "a.txt", "kind": "prompt"}\n{"name": "b.html", "kind": "nonsense"}\n[]\n{"name": "a.t'
    )
    kinds = {item.name: item.kind for item in collect_artifacts(tmp_path)}

    assert kinds == {"a.txt": "prompt", "b.html": "report", "c.ipynb": "notebook", "d.patch": "code"}


def test_no_folder_or_a_link_instead_of_it(tmp_path: Path) -> None:
    assert collect_artifacts(tmp_path) == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("x")
    (tmp_path / "artifacts").symlink_to(tmp_path / "other")
    assert collect_artifacts(tmp_path) == []


def huge(path: Path) -> None:
    """A file of a tebibyte, none of which is on the disk."""
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    "plant",
    [
        os.mkfifo,
        lambda listing: listing.symlink_to("/dev/zero"),
        huge,
        lambda listing: listing.write_text("[" * 100_000),
    ],
    ids=["pipe", "endless", "huge", "deep"],
)
def test_whatever_stands_in_place_of_the_declared_kinds_artifacts_are_collected(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / ".chatflow").mkdir()
    (tmp_path / "artifacts" / "a.txt").touch()
    plant(tmp_path / ".chatflow" / "artifacts.jsonl")
    assert [found.kind for found in collect_artifacts(tmp_path)] == ["log"]
