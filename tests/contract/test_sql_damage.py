"""Damaged rows among others that are read together: left out, told once, and nobody waits for them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from chatflow_jupyter.adapters.sql.storage import DatabaseStateStorage
from chatflow_jupyter.domain.decision import Continuation, ContinuationKind, TimerChange, TimerKind
from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import PhaseRecord, PhaseState
from tests.contract.making import (
    LOCAL,
    NOW,
    OTHER,
    RUNNER,
    birth,
    born,
    claimed,
    commit_of,
    later,
    new_instance,
    owner,
    queued,
    started,
    wfi,
)

ME = owner("me").owner_id
NO_TEXT = "CAST(x'ff41' AS TEXT)"
DEEP = f"'{'[' * 2000}{']' * 2000}'"
HARM_TO_ATTEMPTS = [
    ("parameters", DEEP),
    *(("parameters", "'{'"), ("parameters", "'[]'"), ("parameters", NO_TEXT), ("parameters", "3")),
    *(("progress", "'3'"), ("failure", "'{\"x\": 1}'"), ("number", "'x'"), ("fence", "'x'")),
    *(("timeout_sec", "'x'"), ("phase", NO_TEXT), ("notebook", "x'00'"), ("started_at", "'x'")),
]
HARM_TO_TIMERS = [("kind", "'x'"), ("kind", NO_TEXT), ("due_at", "-9000000000000000000")]
HARM_TO_NOTES = [("kind", "'x'"), ("kind", NO_TEXT), ("about", NO_TEXT)]


async def harm(
    storage: DatabaseStateStorage, table: str, names: Sequence[str], column: str, sql: str
) -> None:
    """Let something else stand in a column of the rows of these instances."""
    ids = ", ".join(f"'{wfi(name)}'" for name in names)
    changed = await storage._database.write(
        lambda c: c.exec_driver_sql(f"UPDATE {table} SET {column} = {sql} WHERE instance_id IN ({ids})")
    )
    assert changed.rowcount == len(names)


async def stored(storage: DatabaseStateStorage, name: str) -> tuple[Any, ...]:
    """The row of the instance's attempt, as it stands there."""
    columns = "status, hex(fence), owner_id, lease_expires_at"
    question = f"SELECT {columns} FROM attempts WHERE instance_id = '{wfi(name)}'"
    return await storage._database.read(lambda c: tuple(c.exec_driver_sql(question).one()))


def told(caplog: pytest.LogCaptureFixture, table: str) -> list[str]:
    """What was said of damaged rows of the table."""
    return [each.message for each in caplog.records if f"table {table}, row " in each.message]


@pytest.mark.parametrize(("column", "sql"), HARM_TO_ATTEMPTS)
@pytest.mark.parametrize("through", [ME, None])
async def test_a_claim_leases_the_next_attempt_and_leaves_the_damaged_one_as_it_is(
    sqlite_storage: DatabaseStateStorage,
    through: Any,
    column: str,
    sql: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number, (name, tenant_id) in enumerate((("a", LOCAL), ("b", OTHER), ("c", LOCAL), ("d", OTHER))):
        await started(sqlite_storage, name, owner_id=ME, tenant_id=tenant_id, at=later(number))
    await harm(sqlite_storage, "attempts", ["a", "b"], column, sql)
    before = [await stored(sqlite_storage, name) for name in "ab"]
    assert [(await claimed(sqlite_storage, through)).instance_id for _ in range(2)] == [wfi("c"), wfi("d")]
    for _ in range(3):
        assert await sqlite_storage.claim(RUNNER, through, now=NOW, lease_expires_at=later(30)) is None
    assert [await stored(sqlite_storage, name) for name in "ab"] == before
    assert len(told(caplog, "attempts")) == 2


@pytest.mark.parametrize(("column", "sql"), HARM_TO_ATTEMPTS)
async def test_expired_leases_and_those_of_an_owner_come_without_the_damaged_ones(
    sqlite_storage: DatabaseStateStorage, column: str, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number, name in enumerate("abcdef"):
        await started(sqlite_storage, name, owner_id=ME)
        await claimed(sqlite_storage, ME, lease_sec=number)
    await harm(sqlite_storage, "attempts", ["a", "b", "d"], column, sql)
    healthy = [wfi(name) for name in "cef"]
    for _ in range(2):
        assert ids(await sqlite_storage.leases_of(ME)) == healthy
        assert ids(await sqlite_storage.expired_leases(later(30))) == healthy
    page = await sqlite_storage.expired_leases(later(30), limit=2)
    assert ids(page) == healthy[:2]
    assert ids(await sqlite_storage.expired_leases(later(30), limit=2, after=page[-1])) == healthy[2:]
    assert len(told(caplog, "attempts")) == 3


@pytest.mark.parametrize(("column", "sql"), HARM_TO_TIMERS)
async def test_timers_come_without_the_damaged_ones_and_the_next_is_one_that_can_be_read(
    sqlite_storage: DatabaseStateStorage, column: str, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number, name in enumerate("abcdef"):
        timer = TimerChange(kind=TimerKind.RETRY, due_at=later(number))
        await sqlite_storage.commit(commit_of(birth(new_instance(name), timers=(timer,))))
    await harm(sqlite_storage, "timers", ["a", "b", "d"], column, sql)
    for _ in range(2):
        assert await sqlite_storage.next_due() == later(2)
        assert ids(await sqlite_storage.due_timers(later(30))) == [wfi(name) for name in "cef"]
    page = await sqlite_storage.due_timers(later(30), limit=2)
    assert ids(page) == [wfi("c"), wfi("e")]
    assert ids(await sqlite_storage.due_timers(later(30), limit=2, after=page[-1])) == [wfi("f")]
    assert len(told(caplog, "timers")) == 3


async def test_when_all_timers_are_damaged_none_is_next(sqlite_storage: DatabaseStateStorage) -> None:
    timer = TimerChange(kind=TimerKind.RETRY, due_at=later(1))
    await sqlite_storage.commit(commit_of(birth(new_instance("a"), timers=(timer,))))
    for column, sql in (("kind", "'x'"), ("due_at", "'x'")):
        await harm(sqlite_storage, "timers", ["a"], column, sql)
        assert await sqlite_storage.next_due() is None


@pytest.mark.parametrize(("column", "sql"), HARM_TO_NOTES)
async def test_continuations_come_without_the_damaged_ones(
    sqlite_storage: DatabaseStateStorage, column: str, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abcdef":
        note = Continuation(instance_id=wfi(name), kind=ContinuationKind.FAN_OUT)
        await sqlite_storage.commit(commit_of(birth(new_instance(name), continuations=(note,))))
    await harm(sqlite_storage, "continuations", ["a", "b", "d"], column, sql)
    for _ in range(2):
        notes = await sqlite_storage.continuations()
        assert [row.continuation.instance_id for row in notes] == [wfi(name) for name in "cef"]
    page = await sqlite_storage.continuations(limit=2)
    assert list(page) == list(notes[:2])
    assert list(await sqlite_storage.continuations(limit=2, after=page[-1].continuation_id)) == [notes[2]]
    assert len(told(caplog, "continuations")) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda storage, attempt: storage.attempt(LOCAL, attempt.attempt_id),
        lambda storage, attempt: storage.attempts(LOCAL, wfi("a")),
        lambda storage, attempt: storage.running_attempts(wfi("a"), LOCAL),
    ],
)
@pytest.mark.parametrize("sql", ["'{'", NO_TEXT])
async def test_whoever_asks_for_a_damaged_row_is_told(
    sqlite_storage: DatabaseStateStorage, ask: Callable[[Any, Any], Awaitable[object]], sql: str
) -> None:
    attempt = queued(await started(sqlite_storage, "a"))
    await harm(sqlite_storage, "attempts", ["a"], "parameters", sql)
    with pytest.raises(StoreDamaged):
        await ask(sqlite_storage, attempt)


@pytest.mark.parametrize(
    "sql",
    [
        "json_set(state, '$.phase', json('{}'))",
        "json_set(state, '$.phases.collect.attempts', 'many')",
        "json_set(state, '$.phases.collect.failures', json('true'))",
    ],
)
async def test_an_instance_whose_values_are_of_another_kind_is_damaged(
    sqlite_storage: DatabaseStateStorage, sql: str
) -> None:
    record = PhaseRecord(state=PhaseState.ACTIVE)
    await born(sqlite_storage, "a", phase="collect", phases={"collect": record})
    assert (await sqlite_storage.instance(LOCAL, wfi("a"))).phases == {"collect": record}
    await harm(sqlite_storage, "instances", ["a"], "state", sql)
    with pytest.raises(StoreDamaged, match="table instances"):
        await sqlite_storage.instance(LOCAL, wfi("a"))


async def test_damage_is_a_warning_with_table_row_and_what_to_do(
    sqlite_storage: DatabaseStateStorage, caplog: pytest.LogCaptureFixture
) -> None:
    await started(sqlite_storage, "a")
    await harm(sqlite_storage, "attempts", ["a"], "parameters", NO_TEXT)
    assert await sqlite_storage.claim(RUNNER, None, now=NOW, lease_expires_at=NOW + timedelta(1)) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (
        f"table attempts, row local {wfi('a')}.collect.1: NoText: parameters is not UTF-8" in record.message
    )
    assert "restore a backup; `chatflow db check` says more" in record.message


async def test_after_a_text_that_was_none_text_is_text_again(sqlite_storage: DatabaseStateStorage) -> None:
    for name in "ab":
        await started(sqlite_storage, name)
    await harm(sqlite_storage, "attempts", ["a"], "parameters", NO_TEXT)
    assert (await claimed(sqlite_storage)).instance_id == wfi("b")
    with pytest.raises(StoreDamaged, match="UTF-8"):
        await sqlite_storage._database.write(
            lambda c: c.exec_driver_sql("SELECT parameters FROM attempts").all()
        )


def ids(rows: Sequence[Any]) -> list[InstanceId]:
    """The instances the rows are about."""
    return [row.instance_id for row in rows]
