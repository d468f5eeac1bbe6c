"""A short, private directory for sockets: zmq refuses paths over 107 characters."""

import fcntl
import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_SOCKET_PATH = 100
"""The longest socket path we hand out, in bytes; the system's own limit is 107."""

_LONGEST_NAME = "kernel-5"
_PREFIX = "chatflow-rt-"
_STALE_AFTER_SEC = 60.0


@contextmanager
def runtime_directory() -> Iterator[Path]:
    """Yield a new directory with mode 0700 under XDG_RUNTIME_DIR or /tmp; it is removed at the end.

    The first place where a socket's path stays short is taken. What processes that were killed left there
    is removed: a directory in use is locked. Raises `OSError` when no place is writable.
    """
    place = _place() or tempfile.gettempdir()
    _remove_stale(Path(place))
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


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


def _remove_stale(place: Path) -> None:
    """Remove our directories in `place` that no living process holds; young ones may be not locked yet."""
    oldest = time.time() - _STALE_AFTER_SEC
    for path in place.glob(f"{_PREFIX}*"):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            status = os.fstat(handle)
            if status.st_uid == os.getuid() and status.st_mtime < oldest:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # it is held
        finally:
            os.close(handle)


def _place() -> str | None:
    candidates = (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp")  # noqa: S108 - mkdtemp makes it private
    for candidate in candidates:
        path = Path(candidate)
        room = MAX_SOCKET_PATH - len(f"/{_PREFIX}12345678/") - len(_LONGEST_NAME)
        if candidate and len(os.fsencode(candidate)) <= room and _is_usable(path):
            return candidate
    return None  # wherever temporary files go; the caller asks serves_sockets


def _is_usable(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and os.access(path, os.W_OK | os.X_OK)
