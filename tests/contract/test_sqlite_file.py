"""The file of an embedded home: made, found again, refused, upgraded."""
# ruff: noqa: ASYNC240 - a test may block its own event loop

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from chatflow_jupyter.adapters.sql import migrations, mounts, open_sqlite, sqlite_engines, sqlite_file
from chatflow_jupyter.adapters.sql.read_only import copy_store
from chatflow_jupyter.adapters.sql.row_faults import faults_of_database
from chatflow_jupyter.adapters.sql.schema import REVISION, metadata
from chatflow_jupyter.domain.errors import HomeInUse, Unreachable
from chatflow_jupyter.domain.ids import Principal
from chatflow_jupyter.domain.instance import OpenGate, Status
from chatflow_jupyter.domain.usage import Limit, Usage
from chatflow_jupyter.ports.records import InstanceFilter, VersionUse
from tests.contract.conftest import StillClock
from tests.contract.making import LOCAL, NOW, claimed, started, wfi


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "chatflow.db"


async def made(path: Path, clock: StillClock) -> Path:
    await (await open_sqlite(path, clock=clock)).close()
    return path


async def test_reopening_reads_everything_back(path: Path, clock: StillClock) -> None:
    storage = await open_sqlite(path, clock=clock)
    instance = await started(storage)
    attempt = await claimed(storage)
    await storage.close()
    storage = await open_sqlite(path, clock=clock)
    assert await storage.instance(LOCAL, wfi("a")) == instance
    assert await storage.attempt(LOCAL, attempt.attempt_id) == attempt
    assert (await storage.tree_status(LOCAL, wfi("a"), NOW)).running_nodes == 1
    assert [each.position for each in await storage.events(LOCAL)] == [1]
    assert len(await storage.outbox()) == 1
    await storage.close()


async def test_the_file_is_for_its_owner_alone(path: Path, clock: StillClock) -> None:
    earlier = os.umask(0)
    try:
        storage = await open_sqlite(path, clock=clock)
        await started(storage)
        modes = {
            each.name: stat.S_IMODE(each.stat().st_mode) for each in (path.parent, *path.parent.iterdir())
        }
        await storage.close()
    finally:
        os.umask(earlier)
    assert modes == {"home": 0o700, "chatflow.db": 0o600, "chatflow.db-wal": 0o600, "chatflow.db-shm": 0o600}


@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
async def test_durability_is_chosen(
    path: Path, clock: StillClock, synchronous: Literal["normal", "full"], level: int
) -> None:
    storage = await open_sqlite(path, synchronous=synchronous, clock=clock)

    def pragmas(connection: sqlite_file.Connection) -> list[object]:
        names = ("synchronous", "journal_mode", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await storage._database.write(pragmas) == [level, "wal", 1]
    await storage.close()


async def test_a_newer_home_is_refused(path: Path, clock: StillClock) -> None:
    await made(path, clock)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_post'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HomeInUse, match="written by a newer version"):
        await open_sqlite(path, clock=clock)
    assert path.read_bytes() == before


def older_home(path: Path, revision: str) -> None:
    """Make the home that the version with that schema wrote: two instances, one of them waiting at a gate."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / "homes" / f"{revision}.sql").read_text())
    connection.close()


async def test_a_home_of_the_first_schema_is_upgraded_after_a_backup_copy(
    path: Path, clock: StillClock
) -> None:
    older_home(path, "0001_pre")
    storage = await open_sqlite(path, clock=clock)
    waiting, running = await storage.instances(LOCAL, InstanceFilter())
    assert (running.phases["one"].approved, running.status) == (True, Status.RUNNING)
    (timer,) = await storage.due_timers(waiting.created_at + timedelta(hours=2))
    assert waiting.gate == OpenGate(expires_at=timer.due_at)
    ((vote,), ()) = [await storage.votes(LOCAL, one.instance_id) for one in (running, waiting)]
    assert (vote.principal, vote.reason, vote.shown, vote.claimed) == ("local", "fine", None, False)
    assert await storage.waivers(LOCAL) == ()
    await storage.close()
    copy = sqlite3.connect(path.with_name("chatflow.db.bak-0001_pre"))
    assert copy.execute("SELECT count(*) FROM instances").fetchone() == (2,)
    assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001_pre",)
    copy.close()


@pytest.mark.parametrize(("principal", "principals"), [('"ann"', ("ann",)), ("null", ())])
async def test_who_opened_a_gate_before_several_could_is_kept(
    path: Path, clock: StillClock, principal: str, principals: tuple[str, ...]
) -> None:
    older_home(path, "0001_pre")
    gate = f'"approved":true,"gate":{{"by":"people","at":5,"principal":{principal},"reason":"fine"}}'
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE instances SET state = replace(state, '\"approved\":true', ?)", [gate])
    storage = await open_sqlite(path, clock=clock)
    opened = [one.phases["one"].gate for one in await storage.instances(LOCAL, InstanceFilter())]
    await storage.close()
    assert [(one.principals, one.reason, one.decision) for one in opened if one] == [
        (principals, "fine", "approve")
    ]


async def test_a_home_of_the_second_schema_is_upgraded(path: Path, clock: StillClock) -> None:
    older_home(path, "0002_pre")
    storage = await open_sqlite(path, clock=clock)
    waiting, running = await storage.instances(LOCAL, InstanceFilter())
    assert (waiting.status, running.status) == (Status.WAITING, Status.RUNNING)
    assert [waiver.reason for waiver in await storage.waivers(LOCAL)] == ["known"]
    assert await storage.stored_answer(LOCAL, Principal("local"), "k") is not None
    assert await storage.drop_expired_keys(running.created_at + timedelta(days=40)) == 1
    await storage.close()


@pytest.mark.parametrize("odd", [r'"\ud800"', '{"a":1}'])
async def test_what_is_no_version_in_a_damaged_row_keeps_no_other_from_being_read(
    path: Path, clock: StillClock, odd: str
) -> None:
    older_home(path, "0002_pre")
    with closing(sqlite3.connect(path)) as connection, connection:
        (newest,) = connection.execute("SELECT max(instance_id) FROM instances").fetchone()
        as_it_stands = """birth = replace(birth, '"version":"1.0.0', '"version":' || ? || ',"was":"')"""
        connection.execute(f"UPDATE instances SET {as_it_stands} WHERE instance_id = ?", [odd, newest])
    storage = await open_sqlite(path, clock=clock)
    assert len(await storage.instances(LOCAL, InstanceFilter())) == 2
    assert sum(use.instances for use in (await storage.versions_in_use(LOCAL)).values()) == 1
    await storage.close()


async def test_what_a_subtree_has_used_is_counted_up_when_a_home_is_upgraded(
    path: Path, clock: StillClock
) -> None:
    older_home(path, "0002_pre")
    with closing(sqlite3.connect(path)) as connection, connection:
        grown_up(connection)
        connection.execute(
            "INSERT INTO instances SELECT tenant_id, 'wfi_odd', root_id, instance_id, 'q', 9, feature_id, "
            "name, born + 9, created_at, seq, status, waiting_reason, paused, birth, '{' FROM instances "
            "WHERE instance_id = 'wfi_child'"
        )
    storage = await open_sqlite(path, clock=clock)
    (root,) = [one for one in await storage.instances(LOCAL, InstanceFilter()) if one.descendants]
    child, grandchild = (await storage.tree(LOCAL, root.instance_id, limit=3))[1:]
    own = Limit(instance_id=root.instance_id, max_duration_sec=60, max_children=9)
    assert (root.lineage, root.limits) == ((), (own,))
    assert (child.lineage, grandchild.lineage) == ((own,), child.limits)
    used = await storage.used(LOCAL, root.instance_id, [root.instance_id, child.instance_id])
    assert used.by(root.instance_id) == Usage(spent_sec=7.0, children=4)
    assert used.by(child.instance_id) == Usage(spent_sec=5.0, children=2)
    assert used.in_tree == 4
    assert child.variables == {"children": {"k": {"spent_sec": 4.0, "descendants": 0, "status": "completed"}}}
    assert [one.key for one in child.spawned] == ["s", "t"]
    (odd,) = await storage._database.read(lambda c: faults_of_database(c, 9))
    assert odd.startswith("table instances, row local wfi_odd"), "one that cannot be read stays as it is"
    await storage.close()


@pytest.mark.parametrize("birth", ["'{'", "'[]'", "x'ff41'"])
async def test_instances_of_a_version_are_counted_when_a_home_is_upgraded(
    path: Path, clock: StillClock, birth: str
) -> None:
    older_home(path, "0002_pre")
    with closing(sqlite3.connect(path)) as connection, connection:
        version = "json_extract(birth, '$.version')"
        pinned = connection.execute(f"SELECT name || '@' || {version} FROM instances").fetchall()
        connection.execute(f"UPDATE instances SET birth = {birth} WHERE born = 1")
    storage = await open_sqlite(path, clock=clock)
    used = await storage.versions_in_use(LOCAL)
    await storage.close()
    assert used == {pinned[0][0]: VersionUse(instances=1, unfinished=1)}, (
        "one that cannot be read is nobody's"
    )


def grown_up(connection: sqlite3.Connection) -> None:
    """Give the older of the two instances a quota, a living child that has one too, and one below that.

    The root has spent 2 s itself and heard of none; the child 1 s, and of 4 s of a grandchild that ended.
    """
    (this,) = connection.execute("SELECT instance_id FROM instances ORDER BY born LIMIT 1").fetchone()
    state, birth = connection.execute(
        "SELECT state, birth FROM instances WHERE instance_id = ?", [this]
    ).fetchone()
    family = [
        (this, None, {"max_duration_sec": 60, "max_children": 9}, 2.0, 2, {}),
        ("wfi_child", this, {"max_duration_sec": 50}, 5.0, 2, {"k": {"spent_sec": 4.0, "descendants": 0}}),
        ("wfi_grandchild", "wfi_child", {}, 4.0, 0, {}),
    ]
    for depth, (name, parent, quota, spent, descendants, children) in enumerate(family):
        if parent is not None:
            connection.execute(
                "INSERT INTO instances SELECT tenant_id, ?, ?, ?, 'p', 0, feature_id, name, born + ?, "
                "created_at, seq, status, waiting_reason, paused, birth, state FROM instances "
                "WHERE instance_id = ?",
                [name, this, parent, depth, this],
            )
        link = {"parent": {"key": "k", "tolerated": False}} if parent else {}
        born = {**json.loads(birth), "quota": quota, "depth": depth, **link}
        entries = {key: {**one, "status": "completed"} for key, one in children.items()}
        now = {
            **json.loads(state),
            "spent_sec": spent,
            "descendants": descendants,
            "variables": {"children": entries},
            "spawned": [["leaf", "s", {"n": 1}], ["leaf", "t", {}]] if entries else [],
        }
        connection.execute(
            "UPDATE instances SET birth = ?, state = ? WHERE instance_id = ?",
            [json.dumps(born), json.dumps(now), name],
        )


async def test_a_failed_upgrade_changes_nothing(
    path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(path, clock)

    def upgrade(connection: sqlite_file.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE later (x)")
        connection.exec_driver_sql("CREATE TABLE instances (x)")

    monkeypatch.setattr(sqlite_file, "REVISION", "9999_pre")
    monkeypatch.setattr(migrations, "upgrade", upgrade)
    with pytest.raises(Unreachable):
        await open_sqlite(path, clock=clock)
    monkeypatch.undo()
    await (await open_sqlite(path, clock=clock)).close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchone() is None
    connection.close()


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look at" * 99, b"SQLite format 3\0" + b"x" * 5000]
)
async def test_a_damaged_or_foreign_file_is_named(path: Path, clock: StillClock, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Unreachable, match=r"chatflow\.db is damaged or no ChatFlow store") as failed:
        await open_sqlite(path, clock=clock)
    assert failed.value.code == "store_damaged"
    assert path.read_bytes() == content


async def test_the_database_of_another_program_is_left_alone(path: Path, clock: StillClock) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(Unreachable, match="database of another program"):
        await open_sqlite(path, clock=clock)


async def test_a_folder_in_place_of_the_file_is_named(path: Path, clock: StillClock) -> None:
    path.mkdir(parents=True)
    with pytest.raises(Unreachable, match=r"chatflow\.db cannot be opened"):
        await open_sqlite(path, clock=clock)


async def test_a_locked_store_says_so(path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_engines, "BUSY_TIMEOUT_SEC", 0.1)
    storage = await open_sqlite(path, clock=clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HomeInUse, match="locked by another process"):
        await started(storage)
    other.execute("ROLLBACK")
    other.close()
    await started(storage)
    await storage.close()


async def test_who_only_reads_waits_for_a_locked_store_as_long_as_who_writes(
    path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_engines, "BUSY_TIMEOUT_SEC", 0.1)
    await made(path, clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        for opened in (sqlite_file.open_to_read, lambda path: copy_store(path, path.with_name("copy"))):
            with pytest.raises(HomeInUse, match="locked by another process"):
                opened(path)
        assert time.monotonic() - began < 5
    sqlite_file.open_to_read(path).stop()


def test_a_network_file_system_is_recognised(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0\n/dev/sdb /home/me/my\\040disk xfs rw 0 0\n"
        "me@there: /mnt/ssh fuse.sshfs rw 0 0\nC: /mnt/c 9p rw 0 0\n"
    )
    for place, expected in (
        ("/home/me/chatflow", "nfs4"),
        ("/home/me/my disk/chatflow", None),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/mnt/c/Users", "9p"),
        ("/homes/x", None),
    ):
        assert mounts.network_file_system(Path(place), table) == expected
    assert mounts.network_file_system(Path("/x"), tmp_path / "absent") is None


async def test_a_network_file_system_is_refused(
    path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "network_file_system", lambda _: "nfs4")
    with pytest.raises(Unreachable, match="network file system"):
        await open_sqlite(path, clock=clock)
    assert not path.exists()


def test_what_migrations_make_is_what_the_tables_say(tmp_path: Path) -> None:
    engines = [create_engine(f"sqlite:///{tmp_path / name}.db") for name in ("migrated", "created")]
    with engines[0].begin() as migrated, engines[1].begin() as created:
        migrations.upgrade(migrated)
        metadata.create_all(created)
        listing = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL"
        found, expected = (
            {name: _shape(sql) for name, sql in each.exec_driver_sql(listing)} for each in (migrated, created)
        )
        assert found == expected
        assert compare_metadata(MigrationContext.configure(migrated), metadata) == []
        assert migrated.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == REVISION
    for engine in engines:
        engine.dispose()


def _shape(sql: str) -> list[str]:
    """A statement without its layout; the order of constraints says nothing."""
    return sorted(part.strip(" ()") for part in " ".join(sql.split()).replace("\n", " ").split(","))


def test_the_newest_migration_is_the_one_the_code_names() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [REVISION]
    assert all(script.revision.endswith(("_pre", "_post")) for script in scripts.walk_revisions())


def test_opening_a_store_of_today_imports_no_alembic(tmp_path: Path) -> None:
    program = """
import asyncio, sys, pathlib
from chatflow_jupyter.adapters.sql import open_sqlite
from chatflow_jupyter.adapters.system_clock import SystemClock
async def main():
    for _ in range(2):
        await (await open_sqlite(pathlib.Path(sys.argv[1]), clock=SystemClock())).close()
asyncio.run(main())
print(sorted(name for name in sys.modules if name.split(".")[0] in ("alembic", "mako")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "chatflow.db")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
