"""Whether a home is sound: the pages of its database, every row, and the stored bytes behind the rows."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, bindparam, or_, select

from chatflow_jupyter.domain.errors import ChatFlowError, StoreDamaged
from chatflow_jupyter.ports.artifact_storage import IArtifactStorage
from chatflow_jupyter.ports.records import Soundness

from . import definition_tables, schema
from .damage import DamagedRow
from .dialects import DRIVER_ERRORS
from .read_only import ReadOnlyDatabase
from .row_faults import PAGE, blob_of, faults_of_database, reason_of
from .sqlite_file import open_to_read
from .statements import Statement

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


_ARTIFACTS, _ENTRIES = _users(schema.artifacts, "sha256"), _users(schema.journal, "sha256")
_BUNDLES = _users(definition_tables.definitions, "bundle_sha256")


async def examine(path: Path, artifacts: IArtifactStorage, *, read: bool, most: int) -> Soundness:
    """Read the whole store and, with `read`, all bytes it refers to; name at most `most` faults.

    Otherwise the bytes are only seen to be there and to have their size. Nothing is written, and the store
    may be in use. Bytes are left out only where broken pages hide what is known of them, and then that is
    named. Raises `Unreachable`, and `HomeInUse` for a store of another version.
    """
    began = time.monotonic()
    try:
        database = await asyncio.to_thread(open_to_read, path)
    except StoreDamaged as error:
        took_sec = time.monotonic() - began
        return Soundness(faults=(_cause(error),), objects=0, size_bytes=0, took_sec=took_sec)
    try:
        faults = await database.read(lambda connection: faults_of_database(connection, most))
        count, size_bytes = await _examine_bytes(database, artifacts, faults, read=read, most=most)
    finally:
        await database.close()
    took_sec = time.monotonic() - began
    return Soundness(faults=tuple(faults), objects=count, size_bytes=size_bytes, took_sec=took_sec)


async def _examine_bytes(
    database: ReadOnlyDatabase, artifacts: IArtifactStorage, faults: list[str], *, read: bool, most: int
) -> tuple[int, int]:
    """Add to `faults` until there are `most`; return how many objects were looked at, and their bytes."""
    count = size_bytes = 0
    try:
        async for blob in _live_blobs(database):
            if len(faults) >= most:
                break
            wrong = await _fault_of(artifacts, blob, read)
            if wrong is not None:
                faults += await database.read(_told_by_users(blob, wrong, most - len(faults)))
            count, size_bytes = count + 1, size_bytes + blob.size_bytes
    except StoreDamaged as error:
        if len(faults) < most and _cause(error) not in faults:
            faults.append(_cause(error))
    return count, size_bytes


def _cause(error: StoreDamaged) -> str:
    return reason_of(error.__cause__) if isinstance(error.__cause__, Exception) else error.message


async def _live_blobs(database: ReadOnlyDatabase) -> AsyncIterator[Row[Any]]:
    """Yield tenant, hash and size of every object, a page at a time: no long transaction keeps the log.

    Rows that cannot be read are left out: they are a fault of their own. Raises `StoreDamaged`.
    """
    after = ("", "")
    while True:
        page = await database.read(partial(_page, after=after))
        for row in page:
            with suppress(DamagedRow):
                yield blob_of(row)
        if len(page) < PAGE:
            return
        after = page[-1].tenant_id, page[-1].sha256


def _page(connection: Connection, *, after: tuple[str, str]) -> Sequence[Row[Any]]:
    try:
        return LIVE_BLOBS.run(connection, tenant=after[0], after=after[1]).all()
    except DRIVER_ERRORS as error:
        raise DamagedRow(f"table blobs: {reason_of(error)}") from error


async def _fault_of(artifacts: IArtifactStorage, blob: Row[Any], read: bool) -> str | None:
    try:
        found = await artifacts.verify(blob.tenant_id, blob.sha256, read=read)
    except ChatFlowError as error:
        return error.message
    return None if found == blob.size_bytes else f"{found} bytes instead of {blob.size_bytes} ({blob.sha256})"


def _told_by_users(blob: Row[Any], fault: str, most: int) -> Callable[[Connection], list[str]]:
    """Return what names everything that needs the object; nothing does when an upload was cut off."""
    wanted = {"tenant": blob.tenant_id, "hash": blob.sha256, "most": most}

    def users(connection: Connection) -> Iterator[str]:
        for row in _ARTIFACTS.run(connection, **wanted):
            yield f"artifact {row.name} of {_place(row)}"
        for row in _BUNDLES.run(connection, **wanted):
            yield f"the notebooks of {row.name}@{row.version}"
        for row in _ENTRIES.run(connection, **wanted):
            yield f"what once({row.name!r}) gave in {_place(row)}"

    def told(connection: Connection) -> list[str]:
        try:
            return [f"{user}: {fault}" for user in users(connection)][:most]
        except DRIVER_ERRORS as error:
            return [f"of what cannot be seen ({reason_of(error)}): {fault}"]

    return told


def _place(row: Row[Any]) -> str:
    attempt = getattr(row, "attempt", None)
    return f"{row.instance_id}, phase {row.phase}" + (f", attempt {attempt}" if attempt else "")
