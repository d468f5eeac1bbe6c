"""A store that can only be read: as it is, never half of a change, and nothing is written."""

import asyncio
import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatflow_jupyter.adapters.sql import open_sqlite
from chatflow_jupyter.adapters.sql.read_only import copy_store
from chatflow_jupyter.adapters.sql.sqlite_file import open_to_read
from chatflow_jupyter.domain.errors import HomeInUse, StorageFull, StoreDamaged, Unreachable
from chatflow_jupyter.ports.records import InstanceFilter
from tests.contract.conftest import StillClock
from tests.contract.making import LOCAL, born, wfi
from tests.contract.making_acts import act, recorded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "chatflow.db"


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process told that it may not write, as on a read-only file system, also where it is root."""
    access, connect = os.access, sqlite3.connect

    def connected(place: object, **options: object) -> sqlite3.Connection:
        if "mode=ro" in str(place) and "immutable" not in str(place):
            # SQLite may make shared memory here, and only here: it would not on a read-only file system.
            raise _cannot_open()
        return connect(place, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK and access(place, mode))
    monkeypatch.setattr(sqlite3, "connect", connected)


def _cannot_open() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    return error


def content(path: Path) -> bytes:
    return path.read_bytes()


async def test_it_is_read_and_a_write_is_refused(path: Path, clock: StillClock, read_only: None) -> None:
    storage = await open_sqlite(path, clock=clock)
    await born(storage)
    await storage.close()
    before = content(path)
    storage = await open_sqlite(path, clock=clock, only_reads=True)
    found = await storage.instances(LOCAL, InstanceFilter())
    assert [instance.instance_id for instance in found] == [wfi("a")]
    with pytest.raises(Unreachable, match="is read-only; make it writable") as refused:
        await born(storage, name="b")
    assert refused.value.code == "read_only"
    seen = storage.change_token()
    assert await storage.wait_for_change(seen, 0.01) != seen
    await storage.close()
    assert content(path) == before
    assert [entry.name for entry in path.parent.iterdir()] == ["chatflow.db"]


async def test_what_was_recorded_is_listed_and_followed(
    path: Path, clock: StillClock, read_only: None
) -> None:
    storage = await open_sqlite(path, clock=clock)
    await storage.note_refusal(LOCAL, act())
    await storage.close()
    storage = await open_sqlite(path, clock=clock, only_reads=True)
    assert await recorded(storage) == [act()]
    with pytest.raises(Unreachable, match="is read-only"):
        await storage.note_refusal(LOCAL, act("b"))
    await storage.close()


async def test_a_change_beneath_it_is_noticed_before_anything_is_answered(
    path: Path, clock: StillClock, read_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_sqlite(path, clock=clock)).close()
    storage = await open_sqlite(path, clock=clock, only_reads=True)
    assert await storage.instances(LOCAL, InstanceFilter()) == ()
    writer = await open_sqlite(path, clock=clock)
    await born(writer)
    with pytest.raises(HomeInUse, match="is being changed by another process"):  # it has a log
        await storage.instances(LOCAL, InstanceFilter())
    with pytest.raises(Unreachable, match=r"chatflow\.db-wal cannot be read without writing there"):
        await open_sqlite(path, clock=clock, only_reads=True)
    await writer.close()
    assert not path.with_name("chatflow.db-wal").exists()
    with pytest.raises(HomeInUse, match="ask again"):  # it was moved into the store
        await storage.instances(LOCAL, InstanceFilter())
    await storage.close()
    storage = await open_sqlite(path, clock=clock, only_reads=True)
    assert len(await storage.instances(LOCAL, InstanceFilter())) == 1
    await storage.close()


async def test_one_of_another_version_is_refused(path: Path, clock: StillClock, read_only: None) -> None:
    await (await open_sqlite(path, clock=clock)).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    path.with_name("chatflow.db-wal").unlink(missing_ok=True)
    with pytest.raises(HomeInUse, match="was written by a newer version"):
        await open_sqlite(path, clock=clock, only_reads=True)


async def test_who_only_reads_leaves_nothing_beside_the_store(path: Path, clock: StillClock) -> None:
    await (await open_sqlite(path, clock=clock)).close()
    before = content(path)
    for copy in ("copied", "copied again"):
        database = open_to_read(path)
        assert {entry.name for entry in path.parent.iterdir()} > {"chatflow.db"}  # or this would show nothing
        await database.close()
        copy_store(path, path.parent.parent / copy)
        assert [entry.name for entry in path.parent.iterdir()] == ["chatflow.db"]
    assert content(path) == before


async def test_a_file_that_may_not_be_written_gets_nothing_beside_it_either(
    path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_sqlite(path, clock=clock)).close()
    access = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK and access(place, mode))
    database = open_to_read(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["chatflow.db"]
    await database.close()
    assert [entry.name for entry in path.parent.iterdir()] == ["chatflow.db"]


def test_a_copy_that_fails_names_the_file_that_is_at_fault(path: Path, clock: StillClock) -> None:
    asyncio.run(_made(path, clock))
    target = path.with_name("target")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageFull, match=f"no room is left for {target}; free some"):
            copy_store(path, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    os.truncate(path, 9000)
    with pytest.raises(StoreDamaged, match=f"{path} is damaged "):
        copy_store(path, target)
    path.write_bytes(b"no database, " * 1000)
    with pytest.raises(StoreDamaged, match=f"{path} is damaged or no ChatFlow store"):
        copy_store(path, target)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["chatflow.db", "target"]


async def _made(path: Path, clock: StillClock) -> None:
    await (await open_sqlite(path, clock=clock)).close()


async def test_what_others_need_beside_the_store_is_left_to_them(path: Path, clock: StillClock) -> None:
    await (await open_sqlite(path, clock=clock)).close()
    database = open_to_read(path)
    writer = await open_sqlite(path, clock=clock)
    await writer.instances(LOCAL, InstanceFilter())
    await database.close()
    await born(writer)
    assert len(await writer.instances(LOCAL, InstanceFilter())) == 1
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM instances").fetchone() == (1,)
    found = sorted(entry.name for entry in path.parent.iterdir())
    database = open_to_read(path)
    await database.close()
    assert found == sorted(entry.name for entry in path.parent.iterdir()) != ["chatflow.db"]
    await writer.close()
