"""Homes that cannot be used, or not any more: full, read-only, newer, foreign, or no folder at all."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from tests.acceptance.product import TRACES, Product
from tests.acceptance.workflows import Workshop

FULL = """\
mount -t tmpfs -o size=8m tmpfs "$CHATFLOW_HOME" || exit 99
chatflow run "$1"; echo "first: $?"
head -c 100m /dev/zero > "$CHATFLOW_HOME/filler" 2>/dev/null
chatflow run "$1"; echo "full: $?"
chatflow status last > /dev/null; echo "query while full: $?"
rm "$CHATFLOW_HOME/filler"
chatflow run "$1"; echo "freed: $?"
chatflow run "$2"; echo "filled by the notebook: $?"
chatflow status last
chatflow run "$1"; echo "afterwards: $?"
chatflow db check; echo "check: $?"
"""
READ_ONLY = """\
mount --bind "$CHATFLOW_HOME" "$CHATFLOW_HOME" && mount -o remount,ro,bind "$CHATFLOW_HOME" || exit 99
chatflow run "$1"; echo "run: $?"
chatflow list; echo "list: $?"
"""


def _not_run(reason: str) -> NoReturn:
    """Leave the test out and say why; with CI=true that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def in_a_mount_namespace(product: Product, script: str, *arguments: Path) -> str:
    """Run a shell script that may mount things over the home; returns all it printed."""
    if shutil.which("unshare") is None:
        _not_run("util-linux is not installed: apt-get install util-linux")
    product.home.mkdir(mode=0o700, exist_ok=True)
    ran = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", script, "bash", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=170,
        env=product.environment,
    )
    if ran.returncode == 99 or "unshare:" in ran.stdout:
        _not_run(f"nothing can be mounted here: {ran.stdout.strip()[-200:]}")
    for trace in TRACES:
        assert trace not in ran.stdout, ran.stdout
    return ran.stdout


def test_a_full_disk_is_named_nothing_is_lost_and_with_room_it_goes_on(
    product: Product, workshop: Workshop
) -> None:
    small = workshop.notebook("small.ipynb", ["ctx.output('ok', 1)"])
    filling = workshop.notebook(
        "filling.ipynb",
        ["(ctx.work_dir / 'huge').write_bytes(bytes(100 * 1024 * 1024))"],
    )
    said = in_a_mount_namespace(product, FULL, small, filling)
    print(said)
    for line in ("first: 0", "freed: 0", "filled by the notebook: 4", "afterwards: 0", "check: 0"):
        assert line in said.splitlines(), said
    assert "full: 1" in said.splitlines(), said
    assert "no room is left" in said.partition("full: 1")[0].partition("first: 0")[2]
    assert (
        "No space left on device" in said.partition("filled by the notebook: 4")[0].partition("freed: 0")[2]
    )


def test_a_read_only_home_is_one_clear_line(product: Product, workshop: Workshop) -> None:
    notebook = workshop.notebook("small.ipynb", [])
    product.run("run", notebook, status=0)
    said = in_a_mount_namespace(product, READ_ONLY, notebook)
    assert "run: 8" in said.splitlines(), said
    assert "read-only" in said.lower()
    assert len(said.splitlines()) <= 6, said


def test_a_newer_a_foreign_and_an_impossible_home_are_refused_untouched(
    product: Product, workshop: Workshop
) -> None:
    notebook = workshop.notebook("small.ipynb", [])
    file = product.home / "chatflow.db"
    product.run("run", notebook, status=0)
    shutil.copytree(product.home, product.folder / "before")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = product.run("run", notebook, status=8)
    assert "was written by a newer version" in newer.err
    assert "upgrade chatflow-jupyter" in newer.err

    file.unlink()
    for name in ("chatflow.db-wal", "chatflow.db-shm"):
        (product.home / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE precious (x)")
    assert "a database of another program" in product.run("list", status=8).err
    file.write_bytes(b"this is no database at all, but it is mine" * 100)
    content = file.read_bytes()
    assert "chatflow.db" in product.run("run", notebook, status=8).err
    assert file.read_bytes() == content

    (product.folder / "a-file").touch()
    impossible = product.run("run", notebook, CHATFLOW_HOME=str(product.folder / "a-file"))
    assert (impossible.status, len(impossible.err.splitlines())) == (8, 1), impossible.err


def test_an_older_home_is_upgraded_after_a_backup_and_a_backup_can_be_used(
    product: Product, workshop: Workshop
) -> None:
    product.run("run", workshop.notebook("small.ipynb", []), status=0)
    copy = product.run("db", "backup", status=0).out.strip()
    product.run("terminate", "last", status=7)
    (product.home / "chatflow.db").unlink()
    Path(copy).rename(product.home / "chatflow.db")
    for name in ("chatflow.db-wal", "chatflow.db-shm"):
        (product.home / name).unlink(missing_ok=True)
    assert product.run("status", "last", "--json", status=0).json["status"] == "completed"
    assert "sound" in product.run("db", "check", status=0).out
