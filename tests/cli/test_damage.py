"""Homes that are damaged: what is named, by which command, with which exit status, and what to do."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatflow_jupyter.adapters.sql.row_faults import DECODERS
from tests.cli.program import Program, write_notebook, write_template

PAGE_BYTES = 4096
QUERIES = (
    *(["list"], ["status", "last"], ["history", "last"], ["tree", "last"], ["artifacts", "last"]),
    *(["schedules", "list"], ["schedules", "show", "yearly"]),
)
HOLDING_JSON = [
    *(("instances", "birth"), ("instances", "state"), ("events", "data"), ("attempts", "parameters")),
    *(("definitions", "definition"), ("definitions", "pins"), ("decisions", "data"), ("journal", "value")),
    *(("request_keys", "answer"), ("schedules", "spec")),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A home with an instance that has been run, approved by nobody, and one that completed."""
    folder = tmp_path_factory.mktemp("whole")
    write_template(folder / "templates" / "gated")
    program = Program(home=folder / "home", templates=folder / "templates")
    once = write_notebook(
        folder / "once.ipynb", "from chatflow_sdk import phase", "phase.context().once('k', int)"
    )
    program.apart("run", str(once))
    program.apart("run", "gated", "--idempotency-key", "k", status=3)
    program.apart("trigger", "last", "--approve")
    program.apart("schedules", "add", "yearly", "gated", "--cron", "0 0 1 1 *")
    program.apart("schedules", "pause", "yearly")  # else it is told that nobody is there to start it
    with closing(sqlite3.connect(program.home / "chatflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return program


@pytest.fixture
def damaged(whole: Program, tmp_path: Path) -> Program:
    """A copy of it, to be damaged."""
    shutil.copytree(whole.home, tmp_path / "home")
    return Program(home=tmp_path / "home", templates=whole.templates)


def blob_of(program: Program, name: str) -> Path:
    """The file that holds the bytes of an artifact."""
    with closing(sqlite3.connect(program.home / "chatflow.db")) as connection:
        (sha256,) = connection.execute("SELECT sha256 FROM artifacts WHERE name = ?", (name,)).fetchone()
    return program.home / "artifacts" / "local" / "sha256" / sha256[:2] / sha256[2:]


def test_a_sound_home_is_told_with_how_much_was_read(damaged: Program) -> None:
    printed = damaged("db", "check").stdout
    assert printed.startswith(f"{damaged.home}/chatflow.db: sound, ")
    assert " stored objects read (" in printed
    assert printed.endswith(" s\n")
    assert " stored objects there, not read (" in damaged("db", "check", "--quick").stdout


@pytest.mark.parametrize(
    ("how", "says", "quick_sees"),
    [
        ("missing", "is missing; put it back from a backup", True),
        ("empty", "0 bytes have the hash e3b0c44298fc…", True),
        ("longer", "10 bytes have the hash", True),
        ("other", "9 bytes have the hash", False),
    ],
)
def test_stored_bytes_that_are_not_what_was_stored_are_named(
    damaged: Program, how: str, says: str, quick_sees: bool
) -> None:
    instance_id = damaged.json("list", "--limit", "1")[0]["instance_id"]
    blob = blob_of(damaged, "notes/answer.txt")
    content = blob.read_bytes()
    if how == "missing":
        blob.unlink()
    else:
        blob.write_bytes({"empty": b"", "longer": content + b"!", "other": b"!" + content[1:]}[how])
    printed = damaged("db", "check", status=1)
    (line,) = printed.stdout.splitlines()
    assert line.startswith(f"artifact notes/answer.txt of {instance_id}, phase first, attempt 1: ")
    assert str(blob) in line
    assert says in line
    assert f"{damaged.home}: damaged, a fault; " in printed.stderr
    assert "from a copy of that folder" in printed.stderr
    quick = damaged("db", "check", "--quick", status=1 if quick_sees else 0)
    assert ("notes/answer.txt" in quick.stdout) == quick_sees


def test_bundles_and_entries_of_once_are_named_and_what_nobody_needs_is_not(damaged: Program) -> None:
    for blob in (damaged.home / "artifacts" / "local" / "sha256").glob("*/*"):
        blob.unlink()
    with closing(sqlite3.connect(damaged.home / "chatflow.db")) as connection, connection:
        connection.execute("INSERT INTO blobs VALUES ('local', ?, 3, 'live', 1)", ("0" * 64,))
        (used,) = connection.execute("SELECT sha256 FROM artifacts LIMIT 1").fetchone()
        connection.execute("UPDATE journal SET sha256 = ?", (used,))
    lines = damaged("db", "check", status=1).stdout.splitlines()
    for beginning in (
        "artifact first.ipynb of wfi_",
        "the notebooks of gated@1.0.0",
        "what once('k') gave in wfi_",
    ):
        assert any(line.startswith(beginning) for line in lines), lines
    assert not any("0" * 64 in line for line in lines)


def test_a_damaged_row_hides_no_damaged_bytes(damaged: Program) -> None:
    blob_of(damaged, "notes/answer.txt").unlink()
    with closing(sqlite3.connect(damaged.home / "chatflow.db")) as connection, connection:
        connection.execute("UPDATE journal SET value = 'no JSON'")
    first, second = sorted(damaged("db", "check", status=1).stdout.splitlines())
    assert first.startswith("artifact notes/answer.txt of ")
    assert second.startswith("table journal, row ")


def test_bytes_behind_rows_that_broken_pages_still_show_are_looked_at(damaged: Program) -> None:
    """Of more than a page of objects, those after one that stands where it does not belong as well."""
    database = damaged.home / "chatflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        named = [(f"{number:064x}",) for number in range(16**3, 16**3 + 1200)]
        connection.executemany("INSERT INTO blobs VALUES ('local', ?, 0, 'live', 1)", named)
        connection.execute("PRAGMA journal_mode = DELETE")
    database.write_bytes(database.read_bytes().replace(named[499][0].encode(), b"0" * 64))
    for blob in (damaged.home / "artifacts" / "local" / "sha256").glob("*/*"):
        blob.unlink()
    printed = damaged("db", "check", status=1)
    assert "blobs" in printed.stdout
    assert printed.stdout.count("artifact notes/answer.txt of ") == 1


def test_where_rows_of_stored_bytes_cannot_be_read_that_is_named(damaged: Program) -> None:
    database = damaged.home / "chatflow.db"
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'blobs'").fetchone()
    content = bytearray(database.read_bytes())
    content[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    database.write_bytes(content)
    printed = damaged("db", "check", status=1)
    assert "table blobs: database disk image is malformed" in printed.stdout.splitlines(), printed


@pytest.mark.parametrize("change", ["sha256 = 'x' || substr(sha256, 2)", "size_bytes = 'many'", "sha256 = 7"])
def test_a_row_of_stored_bytes_that_makes_no_sense_is_named(damaged: Program, change: str) -> None:
    with closing(sqlite3.connect(damaged.home / "chatflow.db")) as connection, connection:
        connection.execute(f"UPDATE blobs SET {change} WHERE sha256 = (SELECT max(sha256) FROM blobs)")
    lines = damaged("db", "check", status=1).stdout.splitlines()
    assert any(line.startswith("table blobs, row local ") for line in lines), lines


def test_a_row_that_refers_to_none_is_named_with_what_it_refers_to(damaged: Program) -> None:
    with closing(sqlite3.connect(damaged.home / "chatflow.db")) as connection, connection:
        attempt_id, sha256 = connection.execute(
            "SELECT attempt_id, sha256 FROM artifacts WHERE name = 'notes/answer.txt'"
        ).fetchone()
        connection.execute("DELETE FROM blobs WHERE sha256 = ?", (sha256,))
        connection.execute("INSERT INTO timers VALUES ('local', 'wfi_none', 'retry', 'wfi_none', 1)")
        connection.execute("INSERT INTO continuations VALUES (7, 'local', 'wfi_none', 'r', 'look', NULL)")
    lines = damaged("db", "check", status=1).stdout.splitlines()
    published = f"table artifacts, row local {attempt_id} notes/answer.txt"
    assert sorted(line for line in lines if "refers to" in line) == [
        f"{published}: refers to local {sha256}, a missing row of blobs",
        "table continuations, row 7: refers to local wfi_none, a missing row of instances",
        "table timers, row local wfi_none retry: refers to local wfi_none, a missing row of instances",
    ]


def test_saving_damaged_or_missing_bytes_is_one_clear_line(damaged: Program, tmp_path: Path) -> None:
    blob = blob_of(damaged, "notes/answer.txt")
    blob.write_bytes(b"other")
    printed = damaged("artifacts", "last", "--save", str(tmp_path / "saved"), status=8)
    assert printed.stderr.startswith(f"chatflow: {blob} is damaged: its bytes have the hash")
    blob.unlink()
    printed = damaged("artifacts", "last", "--save", str(tmp_path / "saved"), status=6)
    assert f"{blob} is missing; put it back from a backup" in printed.stderr
    assert len(printed.stderr.splitlines()) == 1


@pytest.mark.parametrize(("table", "column"), HOLDING_JSON)
@pytest.mark.parametrize("content", ['{"a', "[]", b"\xff\xfe", "3"])
def test_a_column_that_holds_something_else_is_named_by_the_check(
    damaged: Program, table: str, column: str, content: str | bytes
) -> None:
    with closing(sqlite3.connect(damaged.home / "chatflow.db")) as connection, connection:
        written = "CAST(? AS TEXT)" if isinstance(content, bytes) else "?"
        changed = connection.execute(f"UPDATE {table} SET {column} = {written}", (content,))
        assert changed.rowcount > 0
    if (table, content) == ("journal", "[]") or (table, content) == ("journal", "3"):
        return  # a value of any kind may stand there
    printed = damaged("db", "check", status=1)
    assert any(f"table {table}" in line for line in printed.stdout.splitlines()), printed
    for query in QUERIES:
        asked = damaged(*query, status=None)
        assert asked.status in (0, 8), asked
        if asked.status == 8:
            (line,) = asked.stderr.splitlines()
            assert line.startswith(f"chatflow: {damaged.home}/chatflow.db is damaged ("), line
            assert table in line or column in line
            assert "restore a backup; `chatflow db check` says more" in line
    if table in ("instances", "events"):
        assert damaged("history", "last", status=8).stderr


def test_every_row_in_which_a_text_is_none_is_named_by_the_check(damaged: Program) -> None:
    with closing(sqlite3.connect(damaged.home / "chatflow.db")) as connection, connection:
        connection.execute("UPDATE attempts SET parameters = CAST(x'ff41' AS TEXT)")
        named = [each for (each,) in connection.execute("SELECT attempt_id FROM attempts")]
        connection.execute("UPDATE events SET phase = CAST(x'ff41' AS TEXT) WHERE position = 2")
    lines = damaged("db", "check", status=1).stdout.splitlines()
    assert len(named) >= 3
    for attempt in named:
        assert f"table attempts, row local {attempt}: NoText: parameters is not UTF-8" in lines, lines
    assert "table events, row local 2: NoText: phase is not UTF-8" in lines, lines


def test_the_check_reads_the_rows_of_every_table_that_holds_text_to_be_decoded() -> None:
    assert {table for table, _ in HOLDING_JSON} <= {table.name for table, _ in DECODERS}


def test_whatever_page_is_damaged_nothing_is_an_internal_error(damaged: Program) -> None:
    """A query may not meet the damage, or find less; when it stumbles, the check knows."""
    database = damaged.home / "chatflow.db"
    content = database.read_bytes()
    chance = random.Random(7)
    refused = 0
    for page in range(0, len(content) // PAGE_BYTES, 2):
        begins = page * PAGE_BYTES
        noise = bytearray(content)
        for _ in range(300):
            noise[begins + chance.randrange(PAGE_BYTES)] = chance.randrange(256)
        for name in ("chatflow.db-wal", "chatflow.db-shm"):
            (damaged.home / name).unlink(missing_ok=True)
        database.write_bytes(noise)
        checked = damaged("db", "check", status=None)
        for query in QUERIES:
            asked = damaged(*query, status=None)
            assert asked.status in (0, 6, 8), f"page {page}, {query}: {asked}"
            assert len(asked.stderr.splitlines()) == (asked.status != 0), f"page {page}, {query}: {asked}"
            assert asked.status == 0 or checked.status != 0, f"page {page}, {query}: {asked} {checked}"
            refused += asked.status == 8
    assert refused > 10
