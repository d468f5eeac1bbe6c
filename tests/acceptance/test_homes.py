"""Homes that cannot be used, or not any more: full, read-only, newer, foreign, or no folder at all."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from tests.acceptance.product import CHATFLOW, TRACES, Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

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
chatflow trigger last --approve; echo "trigger: $?"
chatflow pause last; echo "pause: $?"
for query in "list" "status last" "history last" "tree last" "artifacts last" "watch last" "db check"; do
  chatflow $query > /dev/null; echo "$query: $?"
done
"""
SMALL_DEVICE = """\
mkdir "$CHATFLOW_HOME/small" && mount -t tmpfs -o size=64k tmpfs "$CHATFLOW_HOME/small" || exit 99
chatflow db backup "$CHATFLOW_HOME/small/copy.db"; echo "backup: $?"
ls -A "$CHATFLOW_HOME/small"
"""
QUERIES = ("list", "status last", "history last", "tree last", "artifacts last")


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


def test_a_backup_onto_a_full_device_says_which_is_full_and_leaves_nothing(
    product: Product, workshop: Workshop
) -> None:
    product.run("run", workshop.notebook("small.ipynb", []), status=0)
    assert in_a_mount_namespace(product, SMALL_DEVICE).splitlines() == [
        f"chatflow: no room is left for {product.home}/small/copy.db; free some and try again",
        "backup: 1",
    ]


def test_a_read_only_home_can_be_asked_and_says_in_one_line_what_it_cannot(
    product: Product, workshop: Workshop
) -> None:
    notebook = workshop.notebook("small.ipynb", [])
    workshop.let("a")
    product.run("run", workshop.approval(), status=3)
    product.none_left()
    assert not (product.home / "chatflow.db-wal").exists()
    said = in_a_mount_namespace(product, READ_ONLY, notebook).splitlines()
    for line in ("run: 8", "trigger: 8", "pause: 8", "watch last: 3", "db check: 0"):
        assert line in said, said
    assert [f"{query}: 0" for query in QUERIES if f"{query}: 0" not in said] == []
    assert len([line for line in said if "read-only" in line.lower()]) == 3, said
    assert len(said) <= 13, said


def test_what_a_killed_process_left_in_the_log_is_seen_in_a_read_only_home_or_it_says_why_not(
    product: Product, workshop: Workshop
) -> None:
    waiting = workshop.notebook("waiting.ipynb", ["wait_for('go')"])
    product.spawn("run", waiting)
    started = product.wait_for("PhaseStarted")
    product.kill_everything()
    assert (product.home / "chatflow.db-wal").stat().st_size > 0
    script = READ_ONLY.partition("chatflow run")[0] + "chatflow list; chatflow history last; echo $?"
    said = in_a_mount_namespace(product, script)
    assert started.instance_id in said
    assert "PhaseStarted" in said
    assert said.splitlines()[-1] == "0"
    (product.home / "chatflow.db-shm").unlink()
    said = in_a_mount_namespace(product, script)
    assert said.splitlines()[-1] in ("0", "8"), said
    assert "PhaseStarted" in said or "in chatflow.db-wal cannot be read without writing there" in said
    workshop.let("go")
    product.run("resume", "last", status=0)


def test_a_home_without_permission_to_write_can_be_asked(product: Product, workshop: Workshop) -> None:
    product.run("run", workshop.notebook("small.ipynb", []), status=0)
    product.none_left()
    # Root would be let through; without its capabilities it is asked like anybody else.
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    if powerless and shutil.which("setpriv") is None:
        _not_run("util-linux is not installed: apt-get install util-linux")
    places = [product.home, *product.home.rglob("*")]
    modes = {place: place.stat().st_mode for place in places}
    try:
        for place in places:
            place.chmod(modes[place] & 0o555)
        for query in QUERIES:
            asked = product.spawn(*query.split(), program=(*powerless, CHATFLOW)).wait()
            assert (asked.status, asked.err) == (0, ""), asked
        refused = product.spawn("db", "gc", program=(*powerless, CHATFLOW)).wait()
        assert refused.status == 8
        (line,) = refused.err.splitlines()
        assert line.startswith(f"chatflow: {product.home}/chatflow.db is read-only; make it writable")
    finally:
        for place in places:
            place.chmod(modes[place])


@pytest.mark.parametrize("lost", ["empty", "gone", "empty with a log"])
def test_a_database_that_was_lost_is_not_taken_for_a_new_home(
    product: Product, workshop: Workshop, lost: str
) -> None:
    notebook = workshop.notebook("small.ipynb", [])
    product.run("run", notebook, status=0)
    product.none_left()
    database, log = product.home / "chatflow.db", product.home / "chatflow.db-wal"
    backup = product.run("db", "backup", product.folder / "copy.db", status=0).out.strip()
    if lost == "empty with a log":
        shutil.rmtree(product.home / "artifacts")
        log.write_bytes(b"the last transactions" * 1000)
    database.unlink() if lost == "gone" else os.truncate(database, 0)
    for command in (["run", notebook], ["list"], ["start", notebook]):
        refused = product.run(*command, status=8)
        (line,) = refused.err.splitlines()
        assert line.startswith(
            f"chatflow: {database} is {'gone' if lost == 'gone' else 'empty'}, but there was a"
        )
        assert "put a backup in its place" in line
    assert not database.exists() if lost == "gone" else database.stat().st_size == 0
    if lost == "empty with a log":
        assert log.stat().st_size > 0
        log.unlink()
    shutil.copy(backup, database)
    product.run("status", "last", status=0)


@pytest.mark.parametrize("how", ["removed", "moved"])
@pytest.mark.parametrize("where", ["foreground", "background"])
def test_a_home_that_goes_while_something_runs_is_named_and_not_made_anew(
    product: Product, workshop: Workshop, how: str, where: str
) -> None:
    waiting = workshop.notebook("waiting.ipynb", ["mark('began'); wait_for('never')"])
    running = product.spawn("run", waiting, *(["--detach"] if where == "background" else []))
    until(lambda: workshop.marks["began"], what="the notebook runs")
    if how == "moved":
        product.home.rename(product.folder / "moved")
    else:
        until(
            lambda: shutil.rmtree(product.home, ignore_errors=True) or not product.home.exists(), what="gone"
        )
    ended = running.wait()
    if where == "foreground":
        assert ended.status == 8, ended
        said = [line for line in ended.err.splitlines() if line.startswith("chatflow: ")]
        assert len(said) == 1, ended.err
        assert said[0].startswith(f"chatflow: {product.home} was removed or replaced while it was in use")
        assert "PhaseFailed" not in ended.err
    product.none_left()
    assert not product.home.exists()


def test_a_home_that_was_only_begun_is_made(product: Product, workshop: Workshop) -> None:
    """As a command leaves it that was killed before it had made the tables."""
    (product.home / "logs").mkdir(parents=True)
    (product.home / "work").mkdir()
    (product.home / "logs" / "foreground.log").write_text("began\n")
    (product.home / "chatflow.db").touch()
    product.run("run", workshop.notebook("small.ipynb", []), status=0)


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
