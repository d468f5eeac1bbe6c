"""Engines over one file of SQLite: what is the same for who writes and who only reads."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT_SEC = 30.0


def engine_over(
    path: Path,
    *,
    options: str | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
    pragmas: Sequence[str] = (),
) -> Engine:
    """Return an engine whose connections are in autocommit: transactions are begun by hand.

    `options` are those of SQLite's URI (`mode=ro`); `factory` makes the driver's connections, each of which
    begins with these `pragmas`.
    """
    place = str(path) if options is None else f"{path.absolute().as_uri()}?{options}"

    def connect() -> sqlite3.Connection:
        driver = sqlite3.connect(
            place,
            uri=options is not None,
            timeout=BUSY_TIMEOUT_SEC,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=factory,
        )
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")
        return driver

    return create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection below an SQLite one."""
    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
