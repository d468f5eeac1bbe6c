"""Whether a home is sound: the pages of its database, every row, and the stored bytes behind the rows."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, bindparam, or_, select
from sqlalchemy.exc import DBAPIError

from chatflow_jupyter.domain.errors import ChatFlowError, StoreDamaged
from chatflow_jupyter.ports.artifact_storage import IArtifactStorage
from chatflow_jupyter.ports.records import Soundness

from . import rows, schema
from .damage import DamagedRow, decodes, only_text
from .dialects import DRIVER_ERRORS, is_no_text, text_or_bytes
from .encoding import json_object
from .instance_rows import instance_of
from .read_only import ReadOnlyDatabase
from .request_keys import answer_of
from .sqlite_file import open_to_read
from .statements import Statement

PAGE = 500


@decodes("decisions", "tenant_id", "instance_id", "seq")
def _decision(row: Row[Any]) -> object:
    return json_object(row.data)


DECODERS: tuple[tuple[Table, Callable[[Row[Any]], object]], ...] = (
    (schema.definitions, rows.definition_of),
    (schema.instances, instance_of),
    (schema.attempts, rows.attempt_of),
    (schema.decisions, _decision),
    (schema.request_keys, answer_of),
    (schema.events, rows.event_of),
    (schema.continuations, rows.continuation_of),
    (schema.timers, rows.timer_of),
    (schema.artifacts, rows.artifact_of),
    (schema.journal, rows.journal_of),
    (schema.owners, rows.owner_of),
)
"""What reads the rows of each table that holds more than ids and numbers."""

_BLOB = schema.blobs.c
LIVE_BLOBS = Statement(
    select(_BLOB.tenant_id, _BLOB.sha256, _BLOB.size_bytes)
    .where(
        _BLOB.state == "live",
        or_(
            _BLOB.tenant_id > bindparam("tenant"),
            and_(_BLOB.tenant_id == bindparam("tenant"), _BLOB.sha256 > bindparam("after")),
        ),
    )
    .order_by(_BLOB.tenant_id, _BLOB.sha256)
    .limit(PAGE)
)


def _users(table: Table, column: str) -> Statement:
    return Statement(
        select(*table.c)
        .where(table.c.tenant_id == bindparam("tenant"), table.c[column] == bindparam("hash"))
        .limit(bindparam("most"))
    )


_ARTIFACTS, _BUNDLES = _users(schema.artifacts, "sha256"), _users(schema.definitions, "bundle_sha256")
_ENTRIES = _users(schema.journal, "sha256")


async def examine(path: Path, artifacts: IArtifactStorage, *, read: bool, most: int) -> Soundness:
    """Read the whole store and, with `read`, all bytes it refers to; name at most `most` faults.

    Otherwise the bytes are only seen to be there and to have their size. Nothing is written, and the store
    may be in use. Where the database or a row is damaged the bytes are not looked at. Raises `Unreachable`,
    and `HomeInUse` for a store of another version.
    """
    began = time.monotonic()
    count = size_bytes = 0
    try:
        database = await asyncio.to_thread(open_to_read, path)
    except StoreDamaged as error:
        fault = _reason(error.__cause__) if isinstance(error.__cause__, Exception) else error.message
        return Soundness(faults=(fault,), objects=0, size_bytes=0, took_sec=time.monotonic() - began)
    try:
        faults = await database.read(lambda connection: _faults_of_database(connection, most))
        if not faults:
            async for blob in _live_blobs(database):
                wrong = await _fault_of(artifacts, blob, read)
                if wrong is not None and len(faults) < most:
                    faults += await database.read(_told_by_users(blob, wrong, most - len(faults)))
                count, size_bytes = count + 1, size_bytes + blob.size_bytes
    finally:
        await database.close()
    took_sec = time.monotonic() - began
    return Soundness(faults=tuple(faults), objects=count, size_bytes=size_bytes, took_sec=took_sec)


def _faults_of_database(connection: Connection, most: int) -> list[str]:
    found: list[str] = []
    try:
        pages = connection.exec_driver_sql(f"PRAGMA integrity_check({most})")
        found += [str(row[0]) for row in pages if row[0] != "ok"]
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(most)
        found += [f"table {row[0]}, row {row[1]}: refers to a missing row of {row[2]}" for row in broken]
    except DRIVER_ERRORS as error:
        return [*found, _reason(error)][:most]
    for table, decode in DECODERS:
        found += _faults_of_rows(connection, table, decode, most - len(found))
    return found[:most]


def _faults_of_rows(
    connection: Connection, table: Table, decode: Callable[[Row[Any]], object], most: int
) -> list[str]:
    found: list[str] = []
    try:
        found += _faults_of_each(connection, table, decode, most)
    except DRIVER_ERRORS as error:
        texts = _faults_of_texts(connection, table, decode, most) if is_no_text(error) else []
        return texts or [*found, f"table {table.name}: {_reason(error)}"]
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


def _reason(error: Exception) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error)


async def _live_blobs(database: ReadOnlyDatabase) -> AsyncIterator[Row[Any]]:
    """Yield tenant, hash and size of every object, a page at a time: no long transaction keeps the log."""
    tenant_id, sha256 = "", ""
    while True:
        page = await database.read(partial(_page, tenant_id=tenant_id, sha256=sha256))
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        tenant_id, sha256 = page[-1].tenant_id, page[-1].sha256


def _page(connection: Connection, *, tenant_id: str, sha256: str) -> Sequence[Row[Any]]:
    return LIVE_BLOBS.run(connection, tenant=tenant_id, after=sha256).all()


async def _fault_of(artifacts: IArtifactStorage, blob: Row[Any], read: bool) -> str | None:
    try:
        found = await artifacts.verify(blob.tenant_id, blob.sha256, read=read)
    except ChatFlowError as error:
        return error.message
    return None if found == blob.size_bytes else f"{found} bytes instead of {blob.size_bytes} ({blob.sha256})"


def _told_by_users(blob: Row[Any], fault: str, most: int) -> Callable[[Connection], list[str]]:
    """Return what names everything that needs the object; nothing does when an upload was cut off."""
    wanted = {"tenant": blob.tenant_id, "hash": blob.sha256, "most": most}

    def told(connection: Connection) -> list[str]:
        users = [f"artifact {row.name} of {_place(row)}" for row in _ARTIFACTS.run(connection, **wanted)]
        users += [f"the notebooks of {row.name}@{row.version}" for row in _BUNDLES.run(connection, **wanted)]
        users += [
            f"what once({row.name!r}) gave in {_place(row)}" for row in _ENTRIES.run(connection, **wanted)
        ]
        return [f"{user}: {fault}" for user in users][:most]

    return told


def _place(row: Row[Any]) -> str:
    attempt = getattr(row, "attempt", None)
    return f"{row.instance_id}, phase {row.phase}" + (f", attempt {attempt}" if attempt else "")
