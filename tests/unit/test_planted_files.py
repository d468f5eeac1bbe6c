"""Whatever a notebook leaves in a folder of ours: it is read or removed, and nobody hangs."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chatflow_jupyter.planted_files import _remove_flattened, is_plain_file, read_plain_file, remove_tree


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


PLANTED: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": bound,
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", PLANTED)
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    PLANTED[kind](path)
    assert not is_plain_file(path)
    with pytest.raises(OSError):
        read_plain_file(path, most_bytes=10)


@pytest.mark.parametrize("name", ["a\0b", "\udcff" * 300, "a\ud800"])
def test_what_can_be_no_path_is_no_file(tmp_path: Path, name: str) -> None:
    assert not is_plain_file(tmp_path / name)


def test_no_more_is_read_than_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 1 << 40)
    assert is_plain_file(path)
    assert len(read_plain_file(path, most_bytes=1000)) == 1000


def deep(folder: Path, levels: int) -> None:
    """Make folders in each other, deeper than any path is long."""
    folder.mkdir()
    handle = os.open(folder, os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_DIRECTORY, dir_fd=handle)
        os.close(os.open("f", os.O_CREAT, dir_fd=below))
        os.close(handle)
        handle = below
    os.close(handle)


def test_a_folder_goes_however_deep_it_is_and_whatever_lies_in_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "gone"
    deep(folder, 3000)
    (folder / "link").symlink_to(kept)
    os.mkfifo(folder / "pipe")
    (folder / "closed").mkdir(mode=0)
    remove_tree(folder)
    left = folder.exists()
    subprocess.run(["rm", "-rf", folder], check=True)  # pytest could not
    assert not left
    assert (kept / "file").exists()


def test_no_name_that_can_be_guessed_is_in_the_way_of_what_is_moved_up(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    for number in range(9):
        (folder / f".up-{os.getpid()}-{number}" / "full").mkdir(parents=True)
    _remove_flattened(folder)  # it comes to what is left once a folder is too deep; which, the disk decides
    assert not folder.exists()
