"""The only place that knows how databases differ."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    event,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.functions import FunctionElement

from chatflow_jupyter.domain.errors import (
    ChatFlowError,
    HomeInUse,
    InternalError,
    StorageFull,
    StoreDamaged,
    Unreachable,
)

from .damage import DamagedRow

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by its bytes everywhere, so that a range of ids is what it seems to be."""

GROWING_ID = BigInteger().with_variant(Integer, "sqlite")
"""A key the database counts up."""

_CONDITION = "condition"
_FULL = {sqlite3.SQLITE_FULL}
_FULL_WHILE_WRITING = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DRIVER_ERRORS = (DBAPIError, sqlite3.Error, UnicodeDecodeError)
"""What a driver raises; the last when SQLite's own message quotes a damaged schema."""
_NO_TEXT = "Could not decode to UTF-8"
"""How Python's driver says that a text is none; that error has no code."""


Upsert: TypeAlias = Callable[[Table], Any]  # gives a sqlite.Insert or postgresql.Insert
"""Makes an INSERT into a table that knows `ON CONFLICT`; the dialects' own constructs agree on it."""


def upsert_of(dialect: Dialect) -> Upsert:
    """Return the INSERT construct of the dialect."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # a sixth of a command's start, on a laptop for nothing

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def clustered() -> dict[str, Any]:
    """Return table options that keep the rows in the order of the primary key, where the database can."""
    return {"sqlite_with_rowid": False}


def only(condition: TextClause) -> dict[str, Any]:
    """Return index options by which it holds only rows that meet the condition, where the database can."""
    return {"sqlite_where": condition, "info": {_CONDITION: condition}}


def put_conditions_on_indexes(metadata: MetaData) -> None:
    """Let indexes made by `only` be partial in PostgreSQL too.

    Naming its option beside SQLite's would import its dialect, a sixth of the start of every command.
    """

    @event.listens_for(metadata, "before_create")
    def put(target: MetaData, connection: Connection, **_: object) -> None:
        if connection.dialect.name == "postgresql":
            for index in (index for table in target.tables.values() for index in table.indexes):
                index.dialect_options["postgresql"]["where"] = index.info.get(_CONDITION)


def rarely(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition, said to hold for few rows: SQLite, without statistics, then takes its index."""
    return _Rarely(condition)


def likely(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition, said to hold for most rows: SQLite then takes the index of another."""
    return _Likely(condition)


class _Rarely(FunctionElement[bool]):
    name, inherit_cache = "unlikely", True


class _Likely(FunctionElement[bool]):
    name, inherit_cache = "likely", True


@compiles(_Rarely)
@compiles(_Likely)
def _hinted(hint: FunctionElement[bool], compiler: SQLCompiler, **how: Any) -> str:
    """Return the hint as SQLite knows it; who keeps statistics needs none, and has no such function."""
    condition = compiler.process(hint.clauses, **how)
    return f"{hint.name}({condition})" if compiler.dialect.name == "sqlite" else f"({condition})"


def growing() -> dict[str, Any]:
    """Return table options by which a deleted `GROWING_ID` is never given again."""
    return {"sqlite_autoincrement": True}


def is_no_text(error: Exception) -> bool:
    """Whether the driver met a text that is none; it gives no row then, and none behind it."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(original, UnicodeDecodeError) or _NO_TEXT in str(original)


@contextmanager
def text_or_bytes(connection: Connection) -> Iterator[None]:
    """Let texts that are none be read as bytes for a while."""
    driver: Any = connection.connection.dbapi_connection
    before, driver.text_factory = driver.text_factory, _text_or_bytes
    try:
        yield
    finally:
        driver.text_factory = before


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def translated(error: Exception, store: str) -> ChatFlowError:
    """Return our error for the driver's; `store` names the database for the reader."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary in _FULL or code in _FULL_WHILE_WRITING:
        return StorageFull(f"no room is left for {store}; free some and try again")
    if primary in _BUSY:
        return HomeInUse(f"{store} stays locked by another process; end it or try again later")
    if primary == sqlite3.SQLITE_NOTADB:
        told = f"{store} is damaged or no ChatFlow store ({original}); move it away or restore a backup"
        return StoreDamaged(told)
    if isinstance(original, DamagedRow) or is_no_text(error) or primary == sqlite3.SQLITE_CORRUPT:
        line = " ".join(str(original).split())  # what SQLite quotes of a damaged page may hold line breaks
        return StoreDamaged(f"{store} is damaged ({line}); restore a backup; `chatflow db check` says more")
    if isinstance(original, sqlite3.OperationalError):
        return Unreachable(f"{store} cannot be used: {original}")
    return InternalError(f"{store} refused a statement: {original}", code="store_fault")
