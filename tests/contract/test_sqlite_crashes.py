"""A process that dies in the middle of a commit, disks that are full, and two processes on one file."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from chatflow_jupyter.adapters.files import LocalArtifactStorage
from chatflow_jupyter.adapters.sql import open_sqlite
from chatflow_jupyter.domain.errors import NotFound, StorageFull
from tests.contract.conftest import StillClock
from tests.contract.making import LOCAL, NOW, born, commit_of, request_key, running, step, wfi
from tests.contract.making_acts import act, recorded
from tests.limits import LIMITS

PROLOGUE = """
import asyncio, json, os, signal, sys, time
from pathlib import Path
from dataclasses import replace
from chatflow_jupyter.adapters.sql import open_sqlite, instances
from chatflow_jupyter.adapters.change_signal import ChangeSignal
from chatflow_jupyter.domain.errors import SeqConflict, StorageFull
from chatflow_jupyter.domain.ids import RunnerId
from tests.contract.conftest import StillClock
from tests.contract.making import *
from tests.contract.making_acts import act

path = Path(sys.argv[1])

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def main(body):
    storage = await open_sqlite(path, clock=StillClock())
    await body(storage)
    await storage.close()
"""


def program(body: str) -> list[str]:
    """A command that runs `async def body(storage)` on the store named by its first argument."""
    return [sys.executable, "-c", f"{PROLOGUE}\n{body}\nasyncio.run(main(body))"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "chatflow.db"


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of a test, none of which outlives it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for child in started:
        child.kill()
        child.communicate()


def start(children: list[subprocess.Popen[str]], body: str, *arguments: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    child = subprocess.Popen([*program(body), *map(str, arguments)], stdin=pipe, stdout=pipe, text=True)
    children.append(child)
    return child


def run(body: str, *arguments: object, expect: int = 0) -> str:
    done = subprocess.run(
        [*program(body), *map(str, arguments)], capture_output=True, text=True, timeout=LIMITS.deadline_sec
    )
    assert done.returncode == expect, done.stderr
    return done.stdout


COMMIT_AND_DIE = """
async def body(storage):
    {patch}
    before = running("b")
    instance = await storage.instance(LOCAL, wfi("a"))
    commit = commit_of(before, step(instance, spent_sec=9.0), key=request_key())
    await storage.commit(replace(commit, act=act()))
    print("survived")
"""
BEFORE = """
    original = instances.commit_transitions
    instances.commit_transitions = lambda *arguments: (original(*arguments), die())
"""


async def test_a_process_killed_before_its_commit_has_changed_nothing(path: Path, clock: StillClock) -> None:
    storage = await open_sqlite(path, clock=clock)
    instance = await born(storage)
    run(COMMIT_AND_DIE.format(patch=BEFORE), path, expect=-signal.SIGKILL)
    assert await storage.instance(LOCAL, wfi("a")) == instance
    assert len(await storage.events(LOCAL)) == 1
    assert await recorded(storage) == []
    with pytest.raises(NotFound):
        await storage.instance(LOCAL, wfi("b"))
    await storage.commit(commit_of(running("b"), step(instance), key=request_key()))
    await storage.close()


async def test_a_process_killed_after_its_commit_has_changed_everything(
    path: Path, clock: StillClock
) -> None:
    storage = await open_sqlite(path, clock=clock)
    await born(storage)
    run("ChangeSignal.announce = die" + COMMIT_AND_DIE.format(patch=""), path, expect=-signal.SIGKILL)
    assert (await storage.instance(LOCAL, wfi("a"))).spent_sec == 9.0
    assert [each.position for each in await storage.events(LOCAL)] == [1, 2, 3]
    assert len(await storage.outbox()) == 3
    assert await recorded(storage) == [act()]
    assert await storage.stored_answer(LOCAL, request_key().principal, "k") is not None
    assert [tree.root_id for tree in await storage.unfinished_trees()] == [wfi("b")]
    await storage.close()


CLAIM_ALL = """
async def body(storage):
    print("ready", flush=True)
    sys.stdin.readline()
    mine = []
    while row := await storage.claim(RunnerId(sys.argv[2]), None, now=NOW, lease_expires_at=later(30)):
        mine.append(row.attempt_id)
    print(json.dumps(mine))
"""


async def test_two_processes_claim_every_attempt_once(
    path: Path, clock: StillClock, children: list[subprocess.Popen[str]]
) -> None:
    storage = await open_sqlite(path, clock=clock)
    count = 2 * LIMITS.instances
    await storage.commit(commit_of(*(running(f"n{number:04}") for number in range(count))))
    pair = [start(children, CLAIM_ALL, path, f"runner-{number}") for number in range(2)]
    first, second = _answers(pair)
    assert len(first) + len(second) == len({*first, *second}) == count
    await storage.close()


ADVANCE = """
async def body(storage):
    print("ready", flush=True)
    sys.stdin.readline()
    done = 0
    while done < int(sys.argv[2]):
        instance = await storage.instance(LOCAL, wfi("a"))
        try:
            await storage.commit(commit_of(step(instance, spent_sec=instance.spent_sec + 1)))
            done += 1
        except SeqConflict:
            pass
    print(json.dumps([done]))
"""


async def test_two_processes_advance_one_instance_without_losing_a_transition(
    path: Path, clock: StillClock, children: list[subprocess.Popen[str]]
) -> None:
    storage = await open_sqlite(path, clock=clock)
    await born(storage)
    each = LIMITS.instances // 2
    _answers([start(children, ADVANCE, path, each) for _ in range(2)])
    instance = await storage.instance(LOCAL, wfi("a"))
    assert (instance.seq, instance.spent_sec) == (1 + 2 * each, 2.0 * each)
    positions = [stored.position for stored in await storage.events(LOCAL)]
    assert positions == list(range(1, 2 + 2 * each))
    await storage.close()


def _answers(pair: list[subprocess.Popen[str]]) -> list[list[str]]:
    """Let both go at once and collect what they print."""
    for child in pair:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in pair:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [json.loads(child.communicate(timeout=LIMITS.deadline_sec)[0]) for child in pair]
    assert [child.returncode for child in pair] == [0, 0]
    return answers


async def test_many_processes_may_make_one_file_at_once(
    path: Path, clock: StillClock, children: list[subprocess.Popen[str]]
) -> None:
    body = "async def body(storage):\n    commit = commit_of(running(sys.argv[2]))\n"
    body += "    await storage.commit(replace(commit, act=act()))\n"
    made = [start(children, body, path, f"n{number}") for number in range(4)]
    for child in made:
        child.communicate(timeout=LIMITS.deadline_sec)
    assert [child.returncode for child in made] == [0] * 4
    storage = await open_sqlite(path, clock=clock)
    assert [stored.position for stored in await storage.events(LOCAL)] == [1, 2, 3, 4]
    assert await recorded(storage) == [act()] * 4
    await storage.close()


NOTIFY = """
async def body(storage):
    print("ready", flush=True)
    sys.stdin.readline()
    await storage.commit(commit_of(running("b")))
    print(time.time(), flush=True)
    sys.stdin.readline()
"""


async def test_a_commit_of_another_process_wakes_who_waits(
    path: Path, clock: StillClock, children: list[subprocess.Popen[str]]
) -> None:
    storage = await open_sqlite(path, clock=clock)
    child = start(children, NOTIFY, path)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    seen = await storage.wait_for_change(storage.change_token(), 0.2)
    async with asyncio.timeout(LIMITS.deadline_sec), asyncio.TaskGroup() as group:
        waiting = group.create_task(storage.wait_for_change(seen, 60))
        child.stdin.write("go\n")
        child.stdin.flush()
    woken_at = time.time()
    assert waiting.result() != seen
    assert woken_at - float(child.stdout.readline()) < 1.0  # promised: 0.1 s, on a machine with time to spare
    await storage.close()


def fill(connection: Connection) -> None:
    """Leave room for small transitions only."""
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 40}")


async def test_a_full_database_says_so_and_changes_nothing(path: Path, clock: StillClock) -> None:
    storage = await open_sqlite(path, clock=clock)
    instance = await born(storage)

    await storage._database.write(fill)
    with pytest.raises(StorageFull):
        await storage.commit(commit_of(step(instance, context={"large": "x" * 200_000})))
    assert await storage.instance(LOCAL, wfi("a")) == instance
    assert len(await storage.events(LOCAL)) == 1
    await storage.commit(commit_of(step(instance)))
    await storage.close()


async def test_of_commits_made_together_only_the_one_without_room_fails(
    path: Path, clock: StillClock
) -> None:
    """SQLite gives up the whole transaction when it is full, and others' work was in it."""
    storage = await open_sqlite(path, clock=clock)
    instances = [await born(storage, f"n{number}") for number in range(8)]
    await storage._database.write(fill)
    results = await asyncio.gather(
        *(
            storage.commit(commit_of(step(each, context={"large": "x" * (900_000 if number == 3 else 1)})))
            for number, each in enumerate(instances)
        ),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(StorageFull) == 1
    assert isinstance(results[3], StorageFull)
    seqs = [(await storage.instance(LOCAL, each.instance_id)).seq for each in instances]
    assert seqs == [2, 2, 2, 1, 2, 2, 2, 2]
    assert [stored.position for stored in await storage.events(LOCAL)] == list(range(1, 16))
    await storage.close()


async def test_a_caller_that_left_takes_nobody_with_it(path: Path, clock: StillClock) -> None:
    storage = await open_sqlite(path, clock=clock)
    instances = [await born(storage, f"n{number}") for number in range(6)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(storage.commit(commit_of(step(each)))) for each in instances]
        await asyncio.sleep(0)
        tasks[2].cancel()
    seqs = [(await storage.instance(LOCAL, each.instance_id)).seq for each in instances]
    assert [seqs[number] for number in (0, 1, 3, 4, 5)] == [2] * 5
    await storage.close()


FILL_THE_DISK = """
import resource
async def body(storage):
    instance = running("b").decision.instance
    await storage.commit(commit_of(running("b")))
    room = path.with_name("chatflow.db-wal").stat().st_size + 150_000  # for a small commit, not this one
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        await storage.commit(commit_of(step(instance, context={"large": "x" * 400_000})))
    except StorageFull as error:
        print(error.message, flush=True)
    assert await storage.instance(LOCAL, wfi("b")) == instance
    await storage.commit(commit_of(step(instance)))
    die()
"""


async def test_no_room_for_the_log_says_so_and_the_store_works_on(path: Path, clock: StillClock) -> None:
    assert "no room is left" in run(FILL_THE_DISK, path, expect=-signal.SIGKILL)
    storage = await open_sqlite(path, clock=clock)
    assert (await storage.instance(LOCAL, wfi("b"))).seq == 2
    await storage.close()


FILL_WITH_ARTIFACTS = """
import resource
from chatflow_jupyter.adapters.files import LocalArtifactStorage
async def body(storage):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2)
    artifacts = LocalArtifactStorage(path.parent / "artifacts")
    for source in (path.parent / "large", b"x" * 200_000):
        try:
            await (artifacts.put if isinstance(source, Path) else artifacts.put_bytes)(LOCAL, source)
        except StorageFull as error:
            print(error.message)
"""


async def test_no_room_for_an_artifact_says_so_and_leaves_nothing_behind(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "large").write_bytes(b"x" * 200_000)
    assert run(FILL_WITH_ARTIFACTS, path).count("no room is left") == 2
    left = [each for each in (path.parent / "artifacts").rglob("*") if each.is_file()]
    assert left == []


UPLOAD_AND_DIE = """
from chatflow_jupyter.adapters.files import LocalArtifactStorage, storage as files
async def body(storage):
    files.hashing_copy = lambda pieces, file: (file.write(next(pieces)), file.flush(), die())
    await LocalArtifactStorage(path.parent / "artifacts").put_bytes(LOCAL, b"x" * 1000)
"""


async def test_a_process_killed_while_uploading_leaves_remains_that_are_collected(path: Path) -> None:
    run(UPLOAD_AND_DIE, path, expect=-signal.SIGKILL)
    artifacts = LocalArtifactStorage(path.parent / "artifacts")
    remains = list((path.parent / "artifacts").rglob("*/uploads/*"))
    assert len(remains) == 1
    os.utime(remains[0], (NOW.timestamp() - 9e6,) * 2)
    assert await artifacts.collect_uploads(3600) == 1
    assert not remains[0].exists()
