"""Rows that are there once more, for another instance that refers to the same bytes."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Executable, Table, select

from .dialects import Upsert
from .statements import Statement


def copied(
    table: Table, where: Iterable[ColumnElement[bool]], changed: Mapping[str, ColumnElement[Any]]
) -> Statement:
    """Return what inserts these rows once more, with the columns `changed`, unless they are there already."""
    columns = [changed.get(column.name, column).label(column.name) for column in table.c]
    rows = select(*columns).where(*where)

    def copy(insert: Upsert) -> Executable:
        statement: Executable = (
            insert(table).from_select([column.name for column in table.c], rows).on_conflict_do_nothing()
        )
        return statement

    return Statement(copy)
