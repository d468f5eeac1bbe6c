"""The statements of the service layer written down, and run again by nothing but sqlite3."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from sqlalchemy import Connection

from benchmarks.stores import Store, service_layer
from chatflow_jupyter.adapters.sql.database import SqliteDatabase
from chatflow_jupyter.adapters.sql.storage import DatabaseStateStorage
from chatflow_jupyter.adapters.system_clock import SystemClock

T = TypeVar("T")
WRITES = ("INSERT", "UPDATE", "DELETE")
Said: TypeAlias = tuple[str, Any, bool]  # text, parameters as the driver takes them, executemany


@dataclass(kw_only=True)
class Log:
    """Transactions, each a list of the statements that wrote."""

    transactions: list[list[Said]] = field(default_factory=list)


class RecordingDatabase:
    """`Transactions` of the product, each of whose writes leaves its statements in a log."""

    def __init__(self, database: SqliteDatabase, log: Log) -> None:
        self._database = database
        self._log = log

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Note where a transaction begins; they come one after the other."""

        def noted(connection: Connection) -> T:
            self._log.transactions.append([])
            return work(connection)

        return await self._database.write(noted)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Pass on."""
        return await self._database.read(work)

    def change_token(self) -> int:
        """Pass on."""
        return self._database.change_token()

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """Pass on."""
        return await self._database.wait_for_change(seen, timeout_sec)

    async def close(self) -> None:
        """Pass on."""
        await self._database.close()


@contextlib.asynccontextmanager
async def recording_store(path: Path) -> AsyncIterator[tuple[Store, Log]]:
    """Yield a store over the existing file and the log of what it writes."""
    log = Log()
    database = SqliteDatabase(path, "normal", factory=_recording(log))
    storage = DatabaseStateStorage(RecordingDatabase(database, log), SystemClock())
    try:
        yield service_layer(storage), log
    finally:
        await storage.close()


def _recording(log: Log) -> type[sqlite3.Connection]:
    """Return a driver connection whose cursors note what they are told to write."""

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, parameters: Any = (), /) -> Self:
            note(statement, parameters, many=False)
            return super().execute(statement, parameters)

        def executemany(self, statement: str, parameters: Any, /) -> Self:
            note(statement, parameters, many=True)
            return super().executemany(statement, parameters)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    def note(statement: str, parameters: Any, *, many: bool) -> None:
        if statement.startswith(WRITES):
            log.transactions[-1].append((statement, parameters, many))

    return Connection


def replay(path: Path, log: Log) -> float:
    """Write the same rows in the same transactions; returns the seconds it took."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    began = time.perf_counter()
    for transaction in log.transactions:
        connection.execute("BEGIN IMMEDIATE")
        for statement, parameters, many in transaction:
            if many:
                connection.executemany(statement, parameters)
            else:
                connection.execute(statement, parameters).fetchall()
        connection.execute("COMMIT")
    took_sec = time.perf_counter() - began
    connection.close()
    return took_sec


def rows_of(path: Path) -> dict[str, int]:
    """Return the number of rows of every table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names: Sequence[tuple[str]] = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in names}
