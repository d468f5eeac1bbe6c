"""What keeps a home in order, and what can be run: db, doctor, config, schemas."""

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.waiting import until


def test_the_store_is_found_checked_and_copied(chatflow: Program, tmp_path: Path) -> None:
    database = chatflow.home / "chatflow.db"
    assert chatflow("db", "path").stdout == f"{database}\n"
    assert not chatflow.home.exists()
    assert "up to date" in chatflow("db", "upgrade").stdout
    chatflow("start", "gated")
    found = sorted(chatflow.home.iterdir())
    assert found == [chatflow.home / "artifacts", database, chatflow.home / "logs"]
    assert chatflow("db", "check").stdout.startswith(f"{database}: sound")
    copy = tmp_path / "copy.db"
    assert chatflow("db", "backup", str(copy)).stdout == f"{copy}\n"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM instances").fetchone() == (1,)
    connection.close()
    assert sorted(chatflow.home.iterdir()) == found
    assert "exists already" in chatflow("db", "backup", str(copy), status=2).stderr
    tidied = chatflow("db", "gc").stdout
    assert tidied.splitlines() == [
        "0 unreferenced objects removed",
        "0 unfinished uploads removed",
        "0 expired idempotency keys removed",
        "0 kept outcomes forgotten",
    ]


def keys_of(chatflow: Program) -> list[str]:
    with closing(sqlite3.connect(chatflow.home / "chatflow.db", timeout=10)) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM request_keys ORDER BY key")]


def let_expire(chatflow: Program, key: str, *, copies: int) -> None:
    """Let the key expire, and as many others like it."""
    with closing(sqlite3.connect(chatflow.home / "chatflow.db", timeout=10)) as connection, connection:
        connection.execute("UPDATE request_keys SET expires_at = 1 WHERE key = ?", (key,))
        for number in range(copies):
            copied = "SELECT tenant_id, principal, ?, request_sha256, answer, expires_at FROM request_keys"
            connection.execute(
                f"INSERT INTO request_keys {copied} WHERE key = ?", (f"{key}-{number:04d}", key)
            )


def test_expired_keys_are_collected_however_many_there_are(chatflow: Program) -> None:
    chatflow("start", "gated", "--idempotency-key", "old")
    chatflow("start", "gated", "--idempotency-key", "young")
    let_expire(chatflow, "old", copies=1200)
    assert "1201 expired idempotency keys removed" in chatflow("db", "gc").stdout
    assert keys_of(chatflow) == ["young"]
    assert len(chatflow.json("list")) == 2


def leave_behind(chatflow: Program, tenant: str, content: bytes) -> tuple[Path, Path]:
    """Store bytes that nothing refers to, and half of an upload, both long ago; returns their files."""
    stored, folder = hashlib.sha256(content).hexdigest(), chatflow.home / "artifacts" / tenant
    object_, upload = folder / "sha256" / stored[:2] / stored[2:], folder / "uploads" / "half"
    for file in (object_, upload):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (1, 1))
    with closing(sqlite3.connect(chatflow.home / "chatflow.db", timeout=10)) as connection, connection:
        row = (tenant, stored, len(content))
        connection.execute("INSERT INTO blobs VALUES (?, ?, ?, 'live', 1)", row)
    return object_, upload


def test_what_nobody_needs_is_collected_of_every_tenant(chatflow: Program) -> None:
    for tenant in ("local", "theirs"):
        chatflow("start", "gated", "--tenant", tenant)
    needed = {file for file in (chatflow.home / "artifacts").rglob("*") if file.is_file()}
    left = [
        *leave_behind(chatflow, "local", b"a"),
        *leave_behind(chatflow, "theirs", b"b"),
        *leave_behind(chatflow, "gone", b"c"),
    ]
    told = chatflow("db", "gc").stdout.splitlines()
    assert told[:2] == ["3 unreferenced objects removed", "3 unfinished uploads removed"]
    assert not [file for file in left if file.exists()]
    assert needed == {file for file in (chatflow.home / "artifacts").rglob("*") if file.is_file()}
    assert chatflow("db", "check").stdout.startswith(f"{chatflow.home}/chatflow.db: sound")


def test_a_background_runner_deletes_them_some_at_a_time_for_as_long_as_it_lives(
    chatflow: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATFLOW_BACKGROUND__IDLE_SEC", "5")
    chatflow("start", "gated", "--idempotency-key", "old")
    let_expire(chatflow, "old", copies=600)
    object_, upload = leave_behind(chatflow, "local", b"a")
    chatflow.apart("run", "gated", "--detach", "--idempotency-key", "young")
    until(lambda: keys_of(chatflow) == ["young"], what="601 keys, more than are deleted at once, are gone")
    until(lambda: not upload.exists(), what="what was left of an upload is gone")
    assert object_.exists()


def test_a_damaged_store_is_said_to_be_damaged(chatflow: Program) -> None:
    chatflow("start", "gated")
    database = chatflow.home / "chatflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(database.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xff" * 4096 * 4
    database.write_bytes(content)
    printed = chatflow("db", "check", status=1)
    assert "chatflow.db" in printed.stderr


def test_settings_and_where_they_come_from(chatflow: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    chatflow.home.mkdir()
    (chatflow.home / "config.toml").write_text("[log]\nlevel = 'debug'\n")
    monkeypatch.setenv("CHATFLOW_RUNNER__SLOTS", "3")
    told = chatflow.json("config", "show")
    assert told["runner.slots"] == {"value": "3", "origin": "CHATFLOW_RUNNER__SLOTS"}
    assert told["log.level"] == {"value": "debug", "origin": str(chatflow.home / "config.toml")}
    assert told["sqlite.sync"]["origin"] == "default"
    elsewhere = chatflow.home.parent / "elsewhere"
    assert chatflow.json("config", "show", "--home", str(elsewhere))["home"] == {
        "value": str(elsewhere),
        "origin": "flag",
    }
    assert "runner.slots" in chatflow("config", "show").stdout


def test_what_can_be_run(chatflow: Program) -> None:
    listed = chatflow.json("schemas")
    assert ("gated", ["gate"]) in [(entry["name"], entry["aliases"]) for entry in listed]
    assert "Two notebooks and a gate" in chatflow("schemas").stdout
    shown = chatflow("schemas", "gate").stdout
    assert "first -> second" in shown
    assert "What to double." in shown
    assert chatflow.json("schemas", "gated")["parameters"]["properties"]["number"]["default"] == 1
    chatflow("start", "gated")
    published = [entry for entry in chatflow.json("schemas") if entry["where"] == "published"]
    assert published[0]["version"].startswith("1.0.0+dev.")
    assert chatflow.json("start", f"gated@{published[0]['version']}")["status"] == "created"


def test_the_doctor_looks_at_everything(chatflow: Program) -> None:
    told = chatflow.json("doctor")
    levels = {check["name"]: check["level"] for check in told["checks"]}
    assert {"python", "home", "disk", "sqlite", "kernel", "templates", "tools", "store"} <= levels.keys()
    assert levels["kernel"] == "ok"
    assert all(check["advice"] for check in told["checks"] if check["level"] != "ok")
    chatflow("start", "gated")
    assert "leftovers" in chatflow("doctor").stdout


def test_the_doctor_fails_where_nothing_can_be_written(chatflow: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    printed = chatflow("doctor", "--home", str(tmp_path / "file" / "home"), status=1)
    assert "fail" in printed.stdout
    assert "set CHATFLOW_HOME" in printed.stdout
