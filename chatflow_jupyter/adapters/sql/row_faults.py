"""What is wrong with a database: its pages, what rows refer to, and rows that are not what was written."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Row, Table, exists, select
from sqlalchemy.exc import DBAPIError

from . import audit_tables, definition_tables, gate_tables, outcome_tables, rows, schedule_tables, schema
from .audit import audit_row_of, end_of, faults_of_chains
from .damage import DamagedRow, decodes, only_text
from .deprecations import deprecation_of
from .dialects import DRIVER_ERRORS, is_no_text, text_or_bytes
from .gate_rows import vote_of, waiver_of
from .instance_rows import instance_of
from .outcomes import kept_of
from .parts import missing, part_of
from .request_keys import answer_of
from .schedule_rows import due_of, entry_of, schedule_of
from .schema import metadata
from .usage import usage_of

PAGE = 500
"""How many rows are read at a time."""


@decodes("blobs", "tenant_id", "sha256")
def blob_of(row: Row[Any]) -> Row[Any]:
    """Return the row, of whose columns every one is what it should be."""
    if not (isinstance(row.tenant_id, str) and re.fullmatch("[0-9a-f]{64}", row.sha256)):
        raise ValueError("no tenant or no hash")
    if not isinstance(row.size_bytes, int):
        raise ValueError("no size")
    return row


DECODERS: tuple[tuple[Table, Callable[[Row[Any]], object]], ...] = (
    (definition_tables.definitions, rows.definition_of),
    (definition_tables.deprecations, deprecation_of),
    (schema.instances, instance_of),
    (schema.attempts, rows.attempt_of),
    (gate_tables.decisions, vote_of),
    (gate_tables.waivers, waiver_of),
    (schema.request_keys, answer_of),
    (schema.events, rows.event_of),
    (schema.continuations, rows.continuation_of),
    (schema.timers, rows.timer_of),
    (schema.artifacts, rows.artifact_of),
    (schema.journal, rows.journal_of),
    (schema.blobs, blob_of),
    (schedule_tables.schedules, schedule_of),
    (schedule_tables.schedule_log, entry_of),
    (schedule_tables.due_schedules, due_of),
    (audit_tables.audit, audit_row_of),
    (audit_tables.audit_ends, end_of),
    (outcome_tables.kept_outcomes, kept_of),
    (schema.owners, rows.owner_of),
    (schema.usage, usage_of),
    (schema.parts, part_of),
)
"""What reads the rows of each table that holds more than ids and numbers."""


def faults_of_database(connection: Connection, most: int) -> list[str]:
    """Name at most `most` faults of pages, of references between rows, and of rows that cannot be read."""
    found: list[str] = []
    try:
        pages = connection.exec_driver_sql(f"PRAGMA integrity_check({most})")
        found += [str(row[0]) for row in pages if row[0] != "ok"]
    except DRIVER_ERRORS as error:
        return [*found, reason_of(error)][:most]
    for reference in (each for table in metadata.sorted_tables for each in _references(table)):
        found += _broken(connection, reference, most)
    for table, decode in DECODERS:
        found += _faults_of_rows(connection, table, decode, most - len(found))
    found += _missing_parts(connection, most - len(found))
    found += _broken_chains(connection, most - len(found))
    return list(dict.fromkeys(found))[:most]


def _missing_parts(connection: Connection, most: int) -> list[str]:
    if most <= 0:
        return []
    try:
        return missing(connection, most)
    except DRIVER_ERRORS as error:
        return [f"table parts: {reason_of(error)}"]


def _broken_chains(connection: Connection, most: int) -> list[str]:
    try:
        return list(faults_of_chains(connection, most))
    except DRIVER_ERRORS as error:
        return [f"table audit: {reason_of(error)}"]


def _references(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda each: each.referred_table.name)


def _broken(connection: Connection, reference: ForeignKeyConstraint, most: int) -> list[str]:
    """Name the rows that refer to none. SQLite's own check can name none of a table without row ids."""
    table, referred = reference.table, reference.referred_table
    pairs = [(each.parent, each.column) for each in reference.elements]
    there = exists().where(*(theirs == ours for ours, theirs in pairs))
    named = dict.fromkeys((*table.primary_key.columns, *reference.columns))
    lost = select(*named).where(*(ours.is_not(None) for ours, _ in pairs), ~there).limit(most)
    try:
        return [
            f"table {table.name}, row {_values(row, table.primary_key.columns)}: "
            f"refers to {_values(row, reference.columns)}, a missing row of {referred.name}"
            for row in connection.execute(lost)
        ]
    except DRIVER_ERRORS as error:
        return [f"table {table.name}: {reason_of(error)}"]


def _values(row: Row[Any], columns: Iterable[Column[Any]]) -> str:
    return " ".join(str(getattr(row, column.name))[:80] for column in columns)


def _faults_of_rows(
    connection: Connection, table: Table, decode: Callable[[Row[Any]], object], most: int
) -> list[str]:
    found: list[str] = []
    try:
        found += _faults_of_each(connection, table, decode, most)
    except DRIVER_ERRORS as error:
        texts = _faults_of_texts(connection, table, decode, most) if is_no_text(error) else []
        return texts or [*found, f"table {table.name}: {reason_of(error)}"]
    return found


def _faults_of_texts(
    connection: Connection, table: Table, decode: Callable[[Row[Any]], object], most: int
) -> list[str]:
    """Read the table again, in which a text is none; returns nothing when that cannot be done either."""
    with suppress(*DRIVER_ERRORS), text_or_bytes(connection):
        return list(_faults_of_each(connection, table, lambda row: decode(only_text(row)), most))
    return []


def _faults_of_each(
    connection: Connection, table: Table, decode: Callable[[Row[Any]], object], most: int
) -> Iterator[str]:
    found = 0
    for row in connection.execute(select(*table.c).execution_options(yield_per=PAGE)):
        try:
            decode(row)
        except DamagedRow as error:
            yield str(error)
            found += 1
            if found >= most:
                return


def reason_of(error: Exception) -> str:
    """Return what the driver said."""
    return str(error.orig if isinstance(error, DBAPIError) else error)
