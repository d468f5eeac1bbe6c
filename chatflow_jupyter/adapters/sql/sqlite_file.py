"""Opening the file of an embedded home: made when missing, refused when it is not ours to use."""

import asyncio
import os
import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from chatflow_jupyter.domain.errors import HomeInUse, StorageFull, Unreachable
from chatflow_jupyter.ports.clock import Clock

from . import sqlite_engines
from .database import SqliteDatabase, sqlite_engine
from .dialects import DRIVER_ERRORS, translated
from .mounts import network_file_system
from .read_only import ReadOnlyDatabase, copy_store, opened_to_read
from .schema import REVISION, metadata
from .sqlite_engines import driver_of
from .storage import DatabaseStateStorage

APPLICATION_ID = 0x43686C77
"""Marks our files in SQLite's header."""


async def open_sqlite(
    path: Path,
    *,
    synchronous: Literal["normal", "full"] = "normal",
    clock: Clock,
    only_reads: bool = False,
    filled_later: Path | None = None,
) -> DatabaseStateStorage:
    """Open the store in the file, with today's schema: a missing one is made, an older one upgraded.

    With `normal` a loss of power may take the last moments, with `full` it does not; neither corrupts.
    Before an upgrade a copy is kept as `<name>.bak-<version>`. Who `only_reads` can also open one that is
    read-only. Nothing is made where `filled_later`, a folder, shows that there was a store already.
    Raises `HomeInUse` for a newer or locked store and `Unreachable` for a file that is lost, damaged, not
    ours, or on a network file system.
    """
    return await asyncio.to_thread(_open, path, synchronous, clock, only_reads, filled_later)


def _open(
    path: Path,
    synchronous: Literal["normal", "full"],
    clock: Clock,
    only_reads: bool,
    filled_later: Path | None,
) -> DatabaseStateStorage:
    _check_place(path, filled_later)
    try:
        if only_reads and not _may_write(path):
            return DatabaseStateStorage(open_to_read(path), clock)
        _make_file(path)
        engine = sqlite_engine(path, synchronous)
        with engine.connect() as connection:
            _prepare(connection, path)
        engine.dispose()
        return DatabaseStateStorage(SqliteDatabase(path, synchronous), clock)
    except DRIVER_ERRORS as error:
        raise translated(error, str(path)) from error


def _check_place(path: Path, filled_later: Path | None) -> None:
    kind = network_file_system(path)
    if kind is not None:
        message = (
            f"{path} is on a network file system ({kind}), where SQLite loses data; use a local CHATFLOW_HOME"
        )
        raise Unreachable(message, code="network_file_system")
    # In this order: another process may be making the store, and it fills that folder afterwards.
    used = _signs_of_use(path, filled_later)
    if used and (not path.exists() or path.stat().st_size == 0):
        how = "is empty" if path.exists() else "is gone"
        message = (
            f"{path} {how}, but there was a store ({', '.join(used)}); put a backup in its place, "
            "or choose another CHATFLOW_HOME to begin anew"
        )
        raise Unreachable(message, code="store_lost")


def _signs_of_use(path: Path, filled_later: Path | None) -> list[str]:
    """Return what lies beside a store once it was used. SQLite would delete the log of an empty file."""
    log = path.with_name(f"{path.name}-wal")
    found = [log.name] if log.exists() and log.stat().st_size else []
    found += sorted(backup.name for backup in path.parent.glob(f"{path.name}.*bak*"))[-1:]
    if filled_later is not None and filled_later.is_dir() and any(filled_later.iterdir()):
        found.append(f"{filled_later.name}/")
    return found


def _may_write(path: Path) -> bool:
    """Whether the file can be written, or made; SQLite needs its folder for the log as well."""
    return not os.access(path, os.F_OK) or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def open_to_read(path: Path) -> ReadOnlyDatabase:
    """Open the store in the file to read it as it is; raises `HomeInUse` for another version's."""
    with ExitStack() as stack:
        database = opened_to_read(path)
        stack.callback(database.stop)
        _check_revision(path, database.ask(lambda connection: _revision(driver_of(connection), path)))
        stack.pop_all()
    return database


def _check_revision(path: Path, found: str | None) -> None:
    if found is None:
        raise Unreachable(f"{path} holds no store", code="store_lost")
    if found != REVISION:
        from .migrations import known_revisions

        older = f"{path} is of an older version (schema {found}); `chatflow db upgrade` first, writable"
        raise HomeInUse(older) if found in known_revisions() else _newer(path, found)


def _make_file(path: Path) -> None:
    """Create the file for its owner alone: SQLite would ask the umask."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno in (28, 122):  # no space, quota
            raise StorageFull(f"no room is left for {path}") from None
        raise Unreachable(f"{path} cannot be opened: {error.strerror}") from None


def _prepare(connection: Connection, path: Path) -> None:
    driver = driver_of(connection)
    if _revision(driver, path) == REVISION:
        return
    _switch_to_wal(driver)
    driver.execute("PRAGMA foreign_keys = OFF")
    driver.execute("BEGIN IMMEDIATE")
    try:
        found = _revision(driver, path)  # another process may have been quicker
        if found is None:
            _create(connection, driver)
        elif found != REVISION:
            _upgrade(connection, found, path)
        if driver.in_transaction:
            driver.execute("COMMIT")
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")


def _revision(driver: sqlite3.Connection, path: Path) -> str | None:
    """Return the revision of our file, None for an empty one; raises `Unreachable` for somebody else's."""
    tables = {row[0] for row in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if driver.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        message = f"{path} is a database of another program; move it away or choose another CHATFLOW_HOME"
        raise Unreachable(message, code="store_foreign")
    row = driver.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _switch_to_wal(driver: sqlite3.Connection) -> None:
    """Set the mode that is kept in the file. SQLite does not wait here when two processes do so at once."""
    deadline = time.monotonic() + sqlite_engines.BUSY_TIMEOUT_SEC
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _create(connection: Connection, driver: sqlite3.Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    driver.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    driver.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))
    driver.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _upgrade(connection: Connection, found: str, path: Path) -> None:
    from .migrations import known_revisions, upgrade  # importing alembic takes longer than opening the file

    if found not in known_revisions():
        raise _newer(path, found)
    _back_up(path, path.with_name(f"{path.name}.bak-{found}"))
    upgrade(connection)


def _newer(path: Path, found: str) -> HomeInUse:
    newer = f"{path} was written by a newer version (schema {found}, this one knows {REVISION})"
    return HomeInUse(f"{newer}; upgrade chatflow-jupyter")


def _back_up(path: Path, target: Path) -> None:
    """Copy the store, whole and consistent; the writer's transaction has changed nothing yet."""
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    copy_store(path, unfinished)
    unfinished.replace(target)
