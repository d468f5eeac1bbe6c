"""Rules every table keeps, and the cost of a question."""

import asyncio
import sqlite3
import threading
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, ForeignKeyConstraint, Table, UniqueConstraint

from chatflow_jupyter.adapters.sql import DatabaseStateStorage
from chatflow_jupyter.adapters.sql.artifacts import ARTIFACT_OF_OTHER_PHASE, ARTIFACTS_OF_INSTANCE
from chatflow_jupyter.adapters.sql.database import READERS
from chatflow_jupyter.adapters.sql.deprecations import USE_OF_ALL, USE_OF_ONE
from chatflow_jupyter.adapters.sql.events import LAST_OF_TREE
from chatflow_jupyter.adapters.sql.leases import QUEUED_LONGEST
from chatflow_jupyter.adapters.sql.outcomes import DELETED_OF_ATTEMPT, DELETED_OF_INSTANCE
from chatflow_jupyter.adapters.sql.pages import Pages
from chatflow_jupyter.adapters.sql.schema import metadata
from chatflow_jupyter.adapters.sql.statements import Statement
from chatflow_jupyter.domain.decision import Vote
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.ports.records import AttemptRow
from tests.contract.making import (
    ALICE,
    LOCAL,
    NOW,
    birth,
    born,
    child_of,
    commit_of,
    later,
    new_instance,
    reference,
    request_key,
    step,
)
from tests.limits import LIMITS

NOT_OF_A_TENANT = {"owners"}
DISPATCH = {
    "outbox",
    "continuations",
    "timers",
    "due_schedules",
}  # ids and times, read across tenants


@pytest.mark.parametrize(
    "table", [table for table in metadata.sorted_tables if table.name not in NOT_OF_A_TENANT]
)
def test_every_key_and_index_starts_with_the_tenant(table: Table) -> None:
    keys = [[column.name for column in index.columns] for index in table.indexes]
    keys += [
        [column.name for column in each.columns]
        for each in table.constraints
        if isinstance(each, ForeignKeyConstraint | UniqueConstraint)
    ]
    if table.name not in DISPATCH:
        keys.append([column.name for column in table.primary_key.columns])
    elif table.name in ("timers", "due_schedules"):
        keys.remove(["due_at"])
    assert [key for key in keys if key[0] != "tenant_id"] == []


@pytest.mark.parametrize("table", [table for table in metadata.sorted_tables if table.name in DISPATCH])
def test_dispatch_tables_hold_no_payload(table: Table) -> None:
    allowed = {"outbox_id", "continuation_id", "tenant_id", "position", "instance_id", "root_id"}
    allowed |= {"schedule_id"}
    assert {column.name for column in table.columns} <= allowed | {"kind", "about", "due_at"}


async def test_votes_are_rows(sqlite_storage: DatabaseStateStorage) -> None:
    instance = await born(sqlite_storage)
    vote = Vote(phase="publish", principal=ALICE, decision="approve", at=NOW, reason="fine", data={"n": 1})
    await sqlite_storage.commit(commit_of(step(instance, parts={"votes": (vote,)})))
    rows = await sqlite_storage._database.read(
        lambda c: [tuple(row) for row in c.exec_driver_sql("SELECT * FROM decisions")]
    )
    ((tenant, instance_id, seq, phase, principal, given, _, reason, data, shown, claimed),) = rows
    assert (tenant, instance_id, seq, phase) == (LOCAL, instance.instance_id, 2, "publish")
    assert (principal, given, reason, data) == (ALICE, "approve", "fine", '{"n":1}')
    assert (shown, claimed) == (None, 0)


async def test_tree_status_does_the_same_work_for_a_small_and_a_large_tree(
    sqlite_storage: DatabaseStateStorage,
) -> None:
    costs = []
    for name, count in (("a", 10), ("b", 1000)):
        root = await born(sqlite_storage, name)
        for first in range(0, count, 200):
            children = [
                birth(child_of(root, n, status=Status.RUNNING)) for n in range(first, min(first + 200, count))
            ]
            await sqlite_storage.commit(commit_of(step(root), *children))
            root = replace(root, seq=root.seq + 1)
        costs.append(
            await _instructions(
                sqlite_storage, lambda r=root: sqlite_storage.tree_status(LOCAL, r.instance_id, NOW)
            )
        )
        status = await sqlite_storage.tree_status(LOCAL, root.instance_id, NOW)
        assert status.total_nodes == count + 1
    assert 0 < costs[0] == costs[1]


async def test_where_an_instance_stands_costs_the_same_however_much_it_knows(
    sqlite_storage: DatabaseStateStorage,
) -> None:
    costs = []
    for name, known in (("a", 1), ("b", 2000)):
        children = {f"k{number}": {"status": "completed", "phase": "x"} for number in range(known)}
        instance = await born(sqlite_storage, name)
        await sqlite_storage.commit(commit_of(step(instance, variables={"x": list(range(known))})))
        more = step(replace(instance, seq=2), variables={"x": list(range(known)), "children": children})
        await sqlite_storage.commit(commit_of(more))
        costs.append(
            await _instructions(
                sqlite_storage, lambda i=instance: sqlite_storage.standing(LOCAL, i.instance_id)
            )
        )
    assert 0 < costs[0] == costs[1]


async def test_looking_for_expired_keys_takes_the_same_work_with_few_others_and_with_many(
    sqlite_storage: DatabaseStateStorage,
) -> None:
    instance = await born(sqlite_storage)
    costs = []
    for first, count in ((0, 10), (10, 1000)):
        for number in range(first, count):
            key = request_key(f"k{number}", expires_at=later(30))
            await sqlite_storage.commit(commit_of(step(instance), key=key))
            instance = replace(instance, seq=instance.seq + 1)
        costs.append(await _instructions_of_the_writer(sqlite_storage, later(20)))
    assert 0 < costs[0] == costs[1]


async def _instructions_of_the_writer(storage: DatabaseStateStorage, now: datetime) -> int:
    counted = [0]

    def count(connection: Any, handler: Any) -> None:
        connection.connection.dbapi_connection.set_progress_handler(handler, 1)

    await storage._database.write(lambda c: count(c, lambda: counted.__setitem__(0, counted[0] + 1) or 0))
    assert await storage.drop_expired_keys(now) == 0
    found = counted[0]
    await storage._database.write(lambda c: count(c, None))
    return found


async def _instructions(storage: DatabaseStateStorage, ask: Any) -> int:
    """Count the instructions of SQLite's machine a question takes: a clock without noise."""
    counted, all_readers = [0], threading.Barrier(READERS, timeout=LIMITS.deadline_sec)

    def step_by_step(connection: Any) -> None:
        all_readers.wait()  # so that no reader takes two of these, and another none
        driver: sqlite3.Connection = connection.connection.dbapi_connection
        driver.set_progress_handler(lambda: counted.__setitem__(0, counted[0] + 1) or 0, 1)

    await asyncio.gather(*(storage._database.read(step_by_step) for _ in range(READERS)))
    counted[0] = 0
    await ask()
    return counted[0]


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("SELECT * FROM attempts WHERE status = 'leased' AND lease_expires_at < 1", "leased_attempts"),
        ("SELECT * FROM trees WHERE busy > 0", "busy_trees"),
        ("SELECT min(due_at) FROM timers", "timers_by_due"),
    ],
)
async def test_the_engines_questions_use_an_index(
    sqlite_storage: DatabaseStateStorage, question: str, index: str
) -> None:
    plan = await sqlite_storage._database.read(
        lambda c: [row[3] for row in c.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}")]
    )
    assert index in " ".join(plan)


@pytest.mark.parametrize(
    ("question", "by"),
    [(USE_OF_ONE, "tenant_id=? AND name=?"), (USE_OF_ALL, "tenant_id=?")],
)
async def test_instances_of_a_version_are_counted_in_an_index_and_none_is_read(
    sqlite_storage: DatabaseStateStorage, question: Statement, by: str
) -> None:
    steps = await sqlite_storage._database.read(lambda c: _plan_of(c, question))
    assert steps == [f"SEARCH instances USING COVERING INDEX instances_by_version ({by})"]


async def test_the_last_event_of_a_tree_is_found_in_an_index_and_none_is_read(
    sqlite_storage: DatabaseStateStorage,
) -> None:
    steps = await sqlite_storage._database.read(lambda c: _plan_of(c, LAST_OF_TREE))
    assert steps == ["SEARCH events USING COVERING INDEX events_by_root (tenant_id=? AND root_id=?)"]


async def test_counting_those_of_a_definition_takes_the_same_work_with_few_others_and_with_many(
    sqlite_storage: DatabaseStateStorage,
) -> None:
    costs = []
    for first, count in ((0, 10), (10, 500)):
        others = [new_instance(f"o{n}", definition=reference("audit")) for n in range(first, count)]
        await sqlite_storage.commit(commit_of(*map(birth, others)))
        await born(sqlite_storage, f"r{first}")
        ask = partial(sqlite_storage.versions_in_use, LOCAL, "review")
        costs.append(await _instructions(sqlite_storage, ask))
    few, many = costs
    assert 0 < few <= many < few + 50  # one more of its own, not 490 others


@pytest.mark.parametrize("question", QUEUED_LONGEST.values())
async def test_a_claim_looks_at_the_heads_of_queues_and_not_at_every_attempt_there_ever_was(
    sqlite_storage: DatabaseStateStorage, question: Pages[AttemptRow]
) -> None:
    steps = await sqlite_storage._database.read(lambda c: _plan_of(c, question._statement))
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN tenants"], steps
    assert any("queued_attempts (tenant_id=? AND queued_at>?)" in step for step in steps), steps


@pytest.mark.parametrize(
    "question", [ARTIFACTS_OF_INSTANCE, ARTIFACT_OF_OTHER_PHASE, DELETED_OF_INSTANCE, DELETED_OF_ATTEMPT]
)
async def test_artifacts_of_one_instance_are_found_without_looking_at_those_of_others(
    sqlite_storage: DatabaseStateStorage, question: Statement
) -> None:
    steps = await sqlite_storage._database.read(lambda c: _plan_of(c, question))
    assert steps
    assert all("instance_id=?" in step or "attempt_id" in step for step in steps if "artifacts" in step), (
        steps
    )


def _plan_of(connection: Connection, question: Statement) -> list[str]:
    text, _ = question._for(connection.dialect)
    marks = ("",) * text.count("?")
    return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", marks)]
