"""A short, private directory for sockets: zmq refuses paths over 107 characters."""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_SOCKET_PATH = 100
"""The longest socket path we hand out, in bytes; the system's own limit is 107."""

_LONGEST_NAME = "kernel-5"


@contextmanager
def runtime_directory() -> Iterator[Path]:
    """Yield a new directory with mode 0700 under XDG_RUNTIME_DIR or /tmp; it is removed at the end.

    The first place where a socket's path stays short is taken. Raises `OSError` when none is writable.
    """
    path = Path(tempfile.mkdtemp(prefix="cf-", dir=_place()))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def serves_sockets(directory: Path) -> bool:
    """Return whether Unix sockets can be made in `directory` (length of the path, kind of file system)."""
    path = directory / _LONGEST_NAME
    if len(os.fsencode(path)) > MAX_SOCKET_PATH or not hasattr(socket, "AF_UNIX"):
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
    except OSError:
        return False
    path.unlink()
    return True


def _place() -> str | None:
    candidates = (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp")  # noqa: S108 - mkdtemp makes it private
    for candidate in candidates:
        path = Path(candidate)
        room = MAX_SOCKET_PATH - len("/cf-12345678/") - len(_LONGEST_NAME)
        if candidate and len(os.fsencode(candidate)) <= room and _is_usable(path):
            return candidate
    return None  # wherever temporary files go; the caller asks serves_sockets


def _is_usable(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and os.access(path, os.W_OK | os.X_OK)
