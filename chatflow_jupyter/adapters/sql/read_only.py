"""A store that can be read and not written to: its file, its folder or the whole file system is read-only."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from chatflow_jupyter.adapters.change_signal import ChangeSignal
from chatflow_jupyter.domain.errors import HomeInUse, Unreachable

from .dialects import DRIVER_ERRORS, translated
from .sqlite_engines import driver_of, engine_over
from .writer import Work

T = TypeVar("T")

LOOK_EVERY_SEC = 0.5


class ReadOnlyDatabase:
    """`Transactions` over a file that this process may only read; every write is refused."""

    def __init__(self, path: Path) -> None:
        """Open the file, which exists; raises `Unreachable` when it cannot be read either."""
        self._path = path
        self._changes = ChangeSignal()
        self._opened = ExitStack()
        self._connection, self._check_unchanged = self._opened.enter_context(_connected(path))
        self._thread = ThreadPoolExecutor(1, "chatflow-sqlite-reader")

    async def write(self, work: Work[T]) -> T:
        """Raise `Unreachable`."""
        del work
        raise Unreachable(f"{self._path} is read-only; make it writable, or copy the home", code="read_only")

    async def read(self, work: Work[T]) -> T:
        """See `Transactions`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.ask, work)

    def change_token(self) -> int:
        """See `Transactions`."""
        return self._changes.token

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """Say that something may have changed as often as one would look: nobody here can be told."""
        token = await self._changes.wait(seen, min(timeout_sec, LOOK_EVERY_SEC))
        self._changes.announce()
        return max(token, self._changes.token)

    async def close(self) -> None:
        """See `Transactions`."""
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """Let go of the file, and leave nothing beside it that was not there."""
        self._thread.shutdown()
        self._opened.close()

    def ask(self, work: Work[T]) -> T:
        """Run `work` on one snapshot, here and now."""
        try:
            self._check_unchanged()
            self._connection.exec_driver_sql("BEGIN")
            try:
                return work(self._connection)
            finally:
                self._connection.exec_driver_sql("ROLLBACK")
                self._check_unchanged()
        except DRIVER_ERRORS as error:
            raise translated(error, str(self._path)) from error


def opened_to_read(path: Path) -> ReadOnlyDatabase:
    """Return the file, opened, whatever is in it; raises `Unreachable`."""
    try:
        return ReadOnlyDatabase(path)
    except DRIVER_ERRORS as error:
        raise translated(error, str(path)) from error


def copy_store(path: Path, target: Path) -> None:
    """Copy the store, whole and consistent, over the empty file `target`.

    Raises `Unreachable`, which names the file it is about, and `StorageFull` when `target` finds no room.
    """
    try:
        with _connected(path) as (connection, check_unchanged):
            _write_copy(driver_of(connection), target)
            check_unchanged()
    except DRIVER_ERRORS as error:
        raise translated(error, str(path)) from error


def _write_copy(driver: sqlite3.Connection, target: Path) -> None:
    """Write what `driver` reads to `target`; errors of writing are told of that file."""
    try:
        with closing(sqlite3.connect(target)) as copy:
            driver.backup(copy)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in _OF_READING or code & 0xFF in _OF_READING:
            raise
        raise translated(error, str(target)) from error


_OF_READING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}


@contextmanager
def _connected(path: Path) -> Iterator[tuple[Connection, Callable[[], None]]]:
    """Give a connection that only reads, and what raises `HomeInUse` when that may have gone wrong.

    SQLite makes a log and shared memory beside the store, also for who only reads, and who only reads cannot
    remove them: whoever could write, and is the last to close the store, does. So that is done here.
    """
    beside = [path.with_name(f"{path.name}-{ending}") for ending in ("wal", "shm")]
    alone = not any(file.exists() for file in beside)
    try:
        engine, check_unchanged = _engine_to_read(path, alone)
        with engine.connect() as connection:
            yield connection, check_unchanged
    finally:
        if alone and any(file.exists() for file in beside) and not _has_log(path):
            with suppress(*DRIVER_ERRORS), engine_over(path, options="mode=rw").connect() as last:
                last.exec_driver_sql(_LOOK)


def _engine_to_read(path: Path, alone: bool) -> tuple[Engine, Callable[[], None]]:
    """Return an engine, and what checks that it is not mistaken.

    Reading a write-ahead log takes a file of shared memory beside it. Where none can be made (or, by us, not
    be removed again) and there is no log, SQLite is told that the store does not change. That is checked
    before and after each read: who writes has a log, and moving it into the store changes the store.
    """
    if not alone or os.access(path, os.W_OK):
        plain = engine_over(path, options="mode=ro")
        try:
            with plain.connect() as connection:
                connection.exec_driver_sql(_LOOK).fetchall()
            return plain, _no_check
        except DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in _NEEDS_SHARED_MEMORY:
                raise
    try:
        check = _unchanged(path)
    except HomeInUse:
        message = (
            f"{path} is read-only, and the changes in {path.name}-wal cannot be read without writing there; "
            "make it writable, or copy the home"
        )
        raise Unreachable(message, code="read_only") from None
    return engine_over(path, options="mode=ro&immutable=1"), check


_LOOK = "SELECT 1 FROM sqlite_master LIMIT 1"
_NEEDS_SHARED_MEMORY = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


def _no_check() -> None:
    """SQLite sees by itself what others do."""


def _unchanged(path: Path) -> Callable[[], None]:
    """Return what raises `HomeInUse` once somebody writes to the file, or does so already."""
    first = _state(path)

    def check() -> None:
        if _state(path) != first or _has_log(path):
            raise HomeInUse(f"{path} is being changed by another process at this moment; ask again")

    check()
    return check


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
