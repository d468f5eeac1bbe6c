"""Files in folders a notebook could write to: whatever lies there, nobody hangs on it or is led elsewhere."""

import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from chatflow_jupyter.domain.errors import InvalidInput


def is_plain_file(path: Path) -> bool:
    """Whether a regular file lies there: no link to one, no pipe, no device, no folder."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):  # a notebook may name what can be no path at all
        return False


def read_plain_file(path: Path, *, most_bytes: int) -> bytes:
    """Return the first `most_bytes` of a regular file; raises `OSError` for anything else, and for links."""
    with _opened(path, os.O_NOFOLLOW) as file:
        return file.read(most_bytes)


def open_source(source: Path) -> BinaryIO:
    """Return what is to be stored, open to be read; raises `InvalidInput` when it is no regular file.

    Links are followed: a copy that hooks looked at has no other name than a link below /proc.
    """
    try:
        return _opened(source, 0)
    except OSError as error:
        raise InvalidInput(f"{source}: {error.strerror}") from None


def _opened(path: Path, how: int) -> BinaryIO:
    """Open a regular file; a pipe that nobody writes to is not waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | how)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def remove_tree(folder: Path) -> None:
    """Delete a folder and all in it, as far as that is possible, however deep it is."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if is_folder(folder):
        _remove_flattened(folder)


def is_folder(path: Path) -> bool:
    """Whether a folder lies there, no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _remove_flattened(folder: Path) -> None:
    """Bring what lies in folders of the folder up into it, level by level: no path gets long."""
    with suppress(OSError):
        folder.chmod(0o700)
        unguessed = secrets.token_hex(8)  # what lies there under such a name already would be in the way
        number, waiting = 0, [entry.name for entry in os.scandir(folder)]
        while waiting:
            place = folder / waiting.pop()
            if not is_folder(place):
                place.unlink()
                continue
            place.chmod(0o700)
            for entry in list(os.scandir(place)):
                name = f".up-{unguessed}-{number}"
                number += 1
                Path(entry.path).rename(folder / name)
                waiting.append(name)
            place.rmdir()
        folder.rmdir()
