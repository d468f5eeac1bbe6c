"""A checkout with CR LF, or with Git LFS, is not a change of every line."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.templates.repositories import Made, write

Change = Callable[[Mapping[str, str | bytes], Mapping[str, str | bytes | None]], Made]
SOURCE = "".join(f"def f{number}():\n    return {number}\n" for number in range(30))
CONTENT = b"\x89PNG " + bytes(range(256)) * 20


def pointer(content: bytes) -> bytes:
    """What Git LFS commits in place of `content`."""
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()


def windows(source: str) -> bytes:
    return source.replace("\n", "\r\n").encode()


def told(made: Made) -> dict[str, tuple[str, str]]:
    return {file.path: (file.verdict, file.reason) for file in made.changes.files}


def test_a_file_of_which_only_line_ends_differ_is_skipped_with_the_reason(change: Change) -> None:
    made = change({"m.py": SOURCE, "n.py": "x = 1\n"}, {"m.py": windows(SOURCE), "n.py": "x = 2\n"})
    skipped = ("skipped", "only its line ends differ: LF at base, CR LF at head")
    assert told(made) == {"m.py": skipped, "n.py": ("looked at", "")}
    assert [file.path for file in made.changes.reviewed_one_by_one] == ["n.py"]
    page = made.reviewed()["report.html"]
    assert skipped[1] in page


@pytest.mark.parametrize("back", [False, True])
def test_where_lines_differ_too_only_these_count(change: Change, back: bool) -> None:
    edited = SOURCE.replace("return 7\n", "return 77\n")
    before, after = (windows(SOURCE), edited.encode()) if back else (SOURCE.encode(), windows(edited))
    made = change({"m.py": before}, {"m.py": after})
    file = made.file("m.py")
    assert (file.added, file.removed, set(file.lines)) == (1, 1, {16})
    assert file.symbols == ("f7",)
    assert "line ends differ (" in file.reason
    assert file.verdict == "looked at"


def test_a_converted_checkout_is_no_uncommitted_work(change: Change) -> None:
    made = change({"m.py": SOURCE, "n.py": "x = 1\n"}, {"n.py": "x = 2\n"})
    write(made.folder, {"m.py": windows(SOURCE), "n.py": windows("x = 2\n")})
    assert told(made) == {"n.py": ("looked at", "")}
    notes = " ".join(made.changes.notes)
    assert "2 file(s) on disk differ from the commit only in form" in notes
    assert "not committed" not in notes


def test_a_converted_checkout_with_work_in_it_shows_the_work_alone(change: Change) -> None:
    made = change({"m.py": SOURCE, "n.py": "x = 1\n"}, {})
    write(made.folder, {"m.py": windows(SOURCE), "n.py": windows("x = 1\ny = 2\n")})
    assert told(made)["m.py"][0] == "skipped"
    assert set(made.file("n.py").lines) == {2}
    assert "1 uncommitted file(s) are part of the change" in " ".join(made.changes.notes)


def test_pointers_of_git_lfs_and_their_content_are_told_apart(change: Change) -> None:
    names = ("same.png", "edited.png", "moved_in.png", "newer.png")
    base = dict(zip(names, (pointer(CONTENT), pointer(CONTENT), CONTENT, pointer(b"1")), strict=True))
    made = change({**base, "m.py": "x = 1\n"}, {"m.py": "x = 2\n"})
    write(
        made.folder,
        {"same.png": CONTENT, "edited.png": CONTENT + b"!", "moved_in.png": pointer(CONTENT)}
        | {"newer.png": pointer(b"2"), "added.bin": pointer(b"3")},
    )
    reasons = {
        path: reason for path, (verdict, reason) in told(made.with_(head="WORKTREE")).items() if reason
    }
    assert reasons == {
        "same.png": "Git LFS: on disk is the content of the pointer that is committed",
        "edited.png": "Git LFS: the content at base is not in the repository, so nothing is compared",
        "moved_in.png": "Git LFS pointer: the content itself is not in the repository",
        "newer.png": "Git LFS pointer: the content itself is not in the repository",
        "added.bin": "Git LFS pointer: the content itself is not in the repository",
    }


def test_a_large_content_of_git_lfs_is_known_by_its_size(change: Change) -> None:
    large = b"\0" * 6_000_000
    made = change({"big.bin": pointer(large), "m.py": "x = 1\n"}, {"m.py": "x = 2\n"})
    write(made.folder, {"big.bin": large})
    assert "not committed" not in " ".join(made.changes.notes)
    assert set(told(made)) == {"m.py"}


def test_in_a_folder_without_git_a_pointer_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "target", {"data.bin": pointer(CONTENT), "m.py": "x = 1\n"})
    made = Made(folder=tmp_path / "target", scratch=tmp_path / "scratch")
    assert told(made)["data.bin"] == (
        "skipped",
        "Git LFS pointer: the content itself is not in the repository",
    )
