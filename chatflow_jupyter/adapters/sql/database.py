"""Where statements run: the port's methods ask for one transaction each, whatever the database."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import Engine

from chatflow_jupyter.adapters.change_signal import ChangeSignal
from chatflow_jupyter.domain.errors import ChatFlowError

from .change_poller import ChangePoller
from .dialects import DRIVER_ERRORS, translated
from .sqlite_engines import driver_of, engine_over
from .writer import Work, Writer

T = TypeVar("T")

READERS = 2
CACHE_KIB = 16 * 1024
CHECKPOINT_PAGES = 4000  # 16 MiB of log: a transition writes some 14 pages, mostly the same ones again


class Transactions(Protocol):
    """Runs functions of a connection, each in a transaction of its own."""

    async def write(self, work: Work[T]) -> T:
        """Run `work`; commit when it returns, roll back when it raises. Driver errors become ours."""

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one snapshot, in which it may not write."""

    def change_token(self) -> int:
        """Return a number that changes whenever anybody has committed."""

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """Return as soon as the token differs from `seen`, at the latest after `timeout_sec`."""

    async def close(self) -> None:
        """Let go of everything."""


class SqliteDatabase:
    """One writer thread and a few readers over one file; a transaction is a single call into a thread."""

    def __init__(
        self,
        path: Path,
        synchronous: Literal["normal", "full"],
        *,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        """Use the file, which exists and has today's schema; `factory` makes the driver's connections."""
        self._path = path
        self._changes = ChangeSignal()
        self._engine = sqlite_engine(path, synchronous, factory)
        self._local = threading.local()
        self._opened: list[Connection] = []
        connection = self._connect()
        self._writer = Writer(connection, driver_of(connection), self._translated, self._changes.announce)
        self._readers = ThreadPoolExecutor(READERS, "chatflow-sqlite-reader")
        self._poller = ChangePoller(path, self._changes)

    async def write(self, work: Work[T]) -> T:
        """See `Transactions`. Announces a change when rows were changed."""
        return await self._writer.write(work)

    async def read(self, work: Work[T]) -> T:
        """See `Transactions`."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def change_token(self) -> int:
        """See `Transactions`."""
        return self._changes.token

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """See `Transactions`. Commits of other processes are noticed by polling while somebody waits."""
        self._poller.look()
        return await self._changes.wait(seen, timeout_sec)

    async def close(self) -> None:
        """See `Transactions`."""
        await asyncio.to_thread(self._close)

    def _read(self, work: Work[T]) -> T:
        try:
            connection, driver = self._mine()
            driver.execute("BEGIN")
            try:
                return work(connection)
            finally:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error

    def _mine(self) -> tuple[Connection, sqlite3.Connection]:
        """Return this reader thread's connection and the driver's below it; opened when first asked for."""
        known: tuple[Connection, sqlite3.Connection] | None = getattr(self._local, "connection", None)
        if known is not None:
            return known
        connection = self._connect()
        driver = driver_of(connection)
        driver.execute("PRAGMA query_only = ON")
        self._local.connection = connection, driver
        return connection, driver

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        self._opened.append(connection)
        return connection

    def _translated(self, error: Exception) -> ChatFlowError:
        return translated(error, str(self._path))

    def _close(self) -> None:
        self._poller.stop()
        self._writer.stop()
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()
        self._engine.dispose()


def sqlite_engine(
    path: Path,
    synchronous: Literal["normal", "full"],
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> Engine:
    """Return an engine for who writes; transactions are begun by hand, as immediate."""
    pragmas = (
        f"synchronous = {synchronous.upper()}",
        "foreign_keys = ON",
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    )
    return engine_over(path, factory=factory, pragmas=pragmas)
