"""Rows that are read together, some of which may be damaged: the others come, and the damage is told once."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, bindparam, tuple_

from .damage import DamagedRow, Decoder, only_text
from .dialects import DRIVER_ERRORS, is_no_text, text_or_bytes
from .statements import Statement

T = TypeVar("T")
log = logging.getLogger(__name__)

LEAST, MOST = -(2**63), 2**63 - 1


class DamageLog:
    """Tells of every damaged row once, however often it is met."""

    def __init__(self) -> None:
        """Nothing is told yet."""
        self._told: set[str] = set()

    def tell(self, damaged: DamagedRow) -> None:
        """Say that the row is left out, unless that was said before."""
        if str(damaged) not in self._told:
            self._told.add(str(damaged))
            log.warning(
                "damaged: %s; what needs that waits, the others go on; restore a backup; "
                "`chatflow db check` says more",
                damaged,
            )


class Pages(Generic[T]):
    """A question whose rows come in a total order, so many at a time, from behind a given place on."""

    def __init__(
        self,
        question: Callable[[ColumnElement[bool]], Select[Any]],
        place: Sequence[ColumnElement[Any]],
        decode: Decoder[T],
    ) -> None:
        """Ask `question`, which is given the condition that a row is behind the place, a value per column.

        It orders by these columns, selects what `decode` reads, and has the parameter `most`.
        """
        self._columns = [str(column.key) for column in place]
        self._parameters = [f"after_{name}" for name in self._columns]
        self._start = tuple("" if isinstance(column.type, Text) else LEAST for column in place)
        behind = tuple_(*place) > tuple_(*map(bindparam, self._parameters))
        self._statement = Statement(question(behind))
        self._decode = decode

    def read(
        self,
        connection: Connection,
        damage: DamageLog,
        *,
        limit: int,
        after: Sequence[object] | None = None,
        **parameters: object,
    ) -> tuple[T, ...]:
        """Return the first rows behind the place that can be read, `limit` of them if there are as many."""
        found: list[T] = []
        place = after or self._start
        while True:
            missing = limit - len(found)
            parameters.update(zip(self._parameters, place, strict=True), most=missing)
            rows, all_text = _rows(connection, self._statement, parameters)
            found += _readable(rows, self._decode, damage, all_text)
            if len(found) == limit or len(rows) < missing:
                return tuple(found)
            place = [getattr(rows[-1], name) for name in self._columns]


def read_all(
    connection: Connection, statement: Statement, decode: Decoder[T], damage: DamageLog, **parameters: object
) -> tuple[T, ...]:
    """Return all rows that can be read."""
    rows, all_text = _rows(connection, statement, parameters)
    return tuple(_readable(rows, decode, damage, all_text))


def _rows(
    connection: Connection, statement: Statement, parameters: dict[str, object]
) -> tuple[Sequence[Row[Any]], bool]:
    """Return the rows, and whether all text in them is text; where it is none, there are bytes."""
    try:
        return statement.run(connection, **parameters).all(), True
    except DRIVER_ERRORS as error:
        if not is_no_text(error):
            raise
    with text_or_bytes(connection):
        return statement.run(connection, **parameters).all(), False


def _readable(rows: Sequence[Row[Any]], decode: Decoder[T], damage: DamageLog, all_text: bool) -> Iterator[T]:
    for row in rows:
        try:
            yield decode(row if all_text else only_text(row))
        except DamagedRow as damaged:
            damage.tell(damaged)
