"""What lies in a work tree, told apart without opening anything that could block or lead elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NESTED = "a git repository of its own"
SPECIAL = "not a regular file (a FIFO, a socket or a device)"
UNREADABLE = "it may not be read"
IGNORING = f"{SPECIAL}; no .gitignore file was applied"
IGNORED = """\
/.git/
.venv/
venv/
node_modules/
__pycache__/
.ipynb_checkpoints/
.mypy_cache/
.pytest_cache/
.ruff_cache/
.tox/
.review/
.chatflow/
*.pyc
"""
"""Patterns of git for what is never reviewed, whatever the target ignores."""
_NEVER_ENTERED = {".git", ".venv", "venv", "node_modules", "__pycache__", ".tox"}


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """A file or symbolic link below the root. `mode` is git's: 100644, 100755 or 120000."""

    path: str
    mode: str


def odd_paths(root: Path) -> dict[str, str]:
    """Return what below `root` cannot be read as a file or a folder, each with the reason.

    Links are not followed; folders that are never reviewed and repositories below `root` are not entered.
    """
    odd: dict[str, str] = {}

    def refused(error: OSError) -> None:
        odd[os.path.relpath(error.filename, root)] = UNREADABLE

    for folder, folders, names in os.walk(root, onerror=refused):
        if folder != str(root) and os.path.lexists(f"{folder}/.git"):
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in _NEVER_ENTERED]
        for name in names:
            place = f"{folder}/{name}"
            if _is_special(place):
                odd[os.path.relpath(place, root)] = IGNORING if name == ".gitignore" else SPECIAL
    return odd


def _is_special(place: str) -> bool:
    try:
        mode = os.lstat(place).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def look_at(root: Path, paths: Iterable[str]) -> tuple[list[OnDisk], dict[str, str]]:
    """Return which of `paths` are files or links, and those that have to be passed over with the reason.

    What is in neither is not there: absent, a folder, or only reachable through a link.
    """
    found, odd = [], {}
    folders: dict[str, bool] = {"": True}
    for path in paths:
        place = root / path
        if not _is_real(root, path.rpartition("/")[0], folders):
            continue
        try:
            mode = place.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode):
            found.append(OnDisk(path=path, mode="120000"))
        elif stat.S_ISREG(mode) and os.access(place, os.R_OK):
            found.append(OnDisk(path=path, mode="100755" if mode & stat.S_IXUSR else "100644"))
        elif not stat.S_ISDIR(mode):
            odd[path] = UNREADABLE if stat.S_ISREG(mode) else SPECIAL
    return found, odd


def _is_real(root: Path, folder: str, known: dict[str, bool]) -> bool:
    """Whether no part of `folder` is a symbolic link."""
    if folder not in known:
        try:
            here = stat.S_ISDIR((root / folder).lstat().st_mode)
        except OSError:
            here = False
        known[folder] = here and _is_real(root, folder.rpartition("/")[0], known)
    return known[folder]


def lines_to_store(root: Path, files: Iterable[OnDisk], links: Path) -> bytes:
    """Return the lines that name the files to git; where a link points is written to the folder `links`."""
    links.mkdir(exist_ok=True)
    lines = []
    for number, file in enumerate(files):
        place = root / file.path
        if file.mode == "120000":
            copy = links / str(number)
            copy.write_bytes(os.readlink(os.fsencode(place)))  # noqa: PTH115 - its bytes, not tidied
            place = copy
        lines.append(_quoted_line(place))
    return b"".join(lines)


def _quoted_line(place: Path) -> bytes:
    raw = os.fsencode(place)
    for plain, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\r", b"\\r")):
        raw = raw.replace(plain, escaped)
    return b'"' + raw + b'"\n'
