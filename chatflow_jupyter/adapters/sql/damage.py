"""Rows that are not what was written: said with their table and key, whatever Python complains about."""

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Row

from chatflow_jupyter.domain.errors import ChatFlowError

T = TypeVar("T")
Decoder = Callable[[Row[Any]], T]

_COMPLAINTS = (
    *(ArithmeticError, AttributeError, ChatFlowError, LookupError, TypeError, ValueError),
    RecursionError,  # JSON nested deeper than Python reads; ours never is
)


class DamagedRow(sqlite3.DatabaseError):
    """A row that cannot be read. An error of the driver, like damage of its pages: both come the same way."""


class _NoText(AttributeError):
    """Bytes where text should be."""


class _OnlyText:
    """Shows the columns of a row that are no bytes."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:  # as a Row does
        value = getattr(self._row, name)
        if isinstance(value, bytes):
            raise _NoText(f"{name} is not UTF-8")
        return value


def only_text(row: Row[Any]) -> Any:
    """Return the row as one that cannot be decoded when bytes stand in it, where a text was none."""
    return _OnlyText(row)


def decodes(table: str, *key: str) -> Callable[[Decoder[T]], Decoder[T]]:
    """Let a function that reads a row of `table` raise `DamagedRow`, which names the row by its `key`."""

    def decorate(decode: Decoder[T]) -> Decoder[T]:
        @wraps(decode)
        def decoded(row: Row[Any]) -> T:
            try:
                return decode(row)
            except _COMPLAINTS as error:
                raise DamagedRow(_told(table, key, row, error)) from error

        return decoded

    return decorate


def _told(table: str, key: tuple[str, ...], row: Row[Any], error: Exception) -> str:
    named = " ".join(str(getattr(row, name, "?"))[:80] for name in key)
    reason = " ".join(str(error).split())[:120]
    return f"table {table}, row {named}: {type(error).__name__.lstrip('_')}: {reason}"
