"""Files that are whole and on the disk, or not there: temporary file, flush, rename, flush the folder."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from chatflow_jupyter.domain.ids import Sha256

PIECE_BYTES = 1024 * 1024
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC


def make_folder(folder: Path) -> Path:
    """Make the folder and those above it, for their owner alone, so that they survive a loss of power."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        flush_folder(each.parent)
        folder = each
    return folder


def flush_folder(folder: Path) -> None:
    """Bring the names in the folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def temporary_file(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Give a new file in the folder; it is gone afterwards unless it was renamed."""
    path = folder / secrets.token_hex(16)
    try:
        with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Give the new file `target`; it is removed again when anything fails."""
    handle = os.open(target, _NEW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def hash_of(pieces: Iterator[bytes]) -> tuple[Sha256, int]:
    """Return the hash of the pieces and their size in bytes."""
    digest, size_bytes = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size_bytes += len(piece)
    return Sha256(digest.hexdigest()), size_bytes


def hashing_copy(pieces: Iterator[bytes], file: BinaryIO, *, durable: bool = True) -> tuple[Sha256, int]:
    """Write the pieces, on the disk when `durable`, and return their hash and size in bytes."""
    found = hash_of(_written(pieces, file))
    file.flush()
    if durable:
        os.fsync(file.fileno())
    return found


def _written(pieces: Iterator[bytes], file: BinaryIO) -> Iterator[bytes]:
    for piece in pieces:
        file.write(piece)
        yield piece
