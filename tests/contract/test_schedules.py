"""`ISchedules`: every sentence of the port, over every adapter."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chatflow_jupyter.adapters.sql.storage import DatabaseStateStorage
from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict, StoreDamaged
from chatflow_jupyter.domain.ids import ScheduleId
from chatflow_jupyter.domain.schedules import ScheduleEntry
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import LOCAL, NOW, OTHER, birth, commit_of, later, new_instance, wfi
from tests.contract.making_schedules import moved, plan

MANY = 12
FIRED = ScheduleEntry(kind="fired", at=NOW, due_at=later(60), instance_id=wfi("a"))
SKIPPED = ScheduleEntry(kind="skipped", at=later(1), due_at=later(120), detail="wfi_a has not ended")


def firing(before: Any, name: str = "a") -> Any:
    """A commit that starts a root and moves its schedule on."""
    step = moved(before, FIRED, next_due_at=later(120), last_instance_id=wfi(name))
    return replace(commit_of(birth(new_instance(name))), schedule=step)


async def test_a_schedule_is_stored_as_it_is(state_storage: IStateStorage) -> None:
    nightly = plan("nightly", catch_up="all", overlap="queue")
    await state_storage.add_schedule(nightly)
    assert await state_storage.schedule(LOCAL, nightly.schedule_id) == nightly


async def test_a_name_is_taken_until_its_schedule_is_removed(state_storage: IStateStorage) -> None:
    first, second = plan("nightly"), plan("nightly", sch="second", created_at=later(5))
    await state_storage.add_schedule(first)
    with pytest.raises(Conflict) as refused:
        await state_storage.add_schedule(second)
    assert refused.value.code == "schedule_exists"
    await state_storage.change_schedule(moved(first, removed_at=later(1), next_due_at=None))
    await state_storage.add_schedule(second)
    await state_storage.add_schedule(plan("early"))
    found = await state_storage.schedules(LOCAL)
    assert [one.schedule_id for one in found] == ["sch_early", "sch_second", "sch_nightly"]


async def test_a_change_is_kept_with_its_entries_the_latest_first(state_storage: IStateStorage) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    first = moved(one, FIRED, next_due_at=later(120))
    await state_storage.change_schedule(first)
    second = moved(first.after, SKIPPED, replace(SKIPPED, due_at=later(180)), next_due_at=later(240))
    await state_storage.change_schedule(second)
    assert await state_storage.schedule(LOCAL, one.schedule_id) == second.after
    log = await state_storage.schedule_log(LOCAL, one.schedule_id)
    assert list(log) == [replace(SKIPPED, due_at=later(180)), SKIPPED, FIRED]
    assert list(await state_storage.schedule_log(LOCAL, one.schedule_id, limit=1)) == [log[0]]


async def test_the_log_of_some_changes_is_that_of_no_others(state_storage: IStateStorage) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    last = one
    for number in range(4):  # changes 2 to 5
        step = moved(last, replace(FIRED, due_at=later(number)), replace(SKIPPED, due_at=later(number)))
        await state_storage.change_schedule(step)
        last = step.after

    async def due(**limits: int) -> list[int]:
        found = await state_storage.schedule_log(LOCAL, one.schedule_id, **limits)
        return [round((entry.due_at - NOW).total_seconds()) for entry in found if entry.due_at]

    assert await due(after=3) == [3, 3, 2, 2]
    assert await due(until=3) == [1, 1, 0, 0]
    assert await due(after=2, until=4, limit=3) == [2, 2, 1]
    assert await due(after=5) == await due(until=1) == []
    assert await due(after=-9) == [3, 3, 2, 2, 1, 1, 0, 0]


async def test_entries_of_the_last_thousand_changes_are_kept(state_storage: IStateStorage) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    await state_storage.change_schedule(moved(one, FIRED))
    late = moved(replace(one, seq=2), SKIPPED)
    await state_storage.change_schedule(replace(late, after=replace(late.after, seq=1001)))
    assert list(await state_storage.schedule_log(LOCAL, one.schedule_id)) == [SKIPPED, FIRED]
    await state_storage.change_schedule(moved(replace(one, seq=1001)))
    assert list(await state_storage.schedule_log(LOCAL, one.schedule_id)) == [SKIPPED]


async def test_an_old_change_and_one_of_nothing_are_refused(state_storage: IStateStorage) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    await state_storage.change_schedule(moved(one, paused=True))
    with pytest.raises(SeqConflict):
        await state_storage.change_schedule(moved(one, FIRED))
    with pytest.raises(NotFound):
        await state_storage.change_schedule(moved(plan("unknown"), FIRED))
    with pytest.raises(NotFound):
        await state_storage.schedule(LOCAL, ScheduleId("sch_unknown"))
    assert not await state_storage.schedule_log(LOCAL, one.schedule_id)


async def test_a_commit_starts_an_instance_and_moves_its_schedule_or_does_neither(
    state_storage: IStateStorage,
) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    commit = firing(one)
    await state_storage.commit(commit)
    assert await state_storage.schedule(LOCAL, one.schedule_id) == commit.schedule.after
    assert (await state_storage.instance(LOCAL, wfi("a"))).instance_id == wfi("a")
    with pytest.raises(SeqConflict):
        await state_storage.commit(firing(one, "b"))
    with pytest.raises(NotFound):
        await state_storage.instance(LOCAL, wfi("b"))
    with pytest.raises(NotFound):
        await state_storage.commit(firing(plan("unknown"), "c"))
    assert list(await state_storage.schedule_log(LOCAL, one.schedule_id)) == [FIRED]


async def test_of_many_who_fire_at_once_exactly_one_does(state_storage: IStateStorage) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)

    async def fire(name: str) -> str:
        try:
            await state_storage.commit(firing(one, name))
        except SeqConflict:
            return "late"
        return name

    answers = await asyncio.gather(*(fire(f"n{number:02}") for number in range(MANY)))
    (winner,) = [answer for answer in answers if answer != "late"]
    assert (await state_storage.schedule(LOCAL, one.schedule_id)).last_instance_id == wfi(winner)
    for number in range(MANY):
        if f"n{number:02}" != winner:
            with pytest.raises(NotFound):
                await state_storage.instance(LOCAL, wfi(f"n{number:02}"))


async def test_what_is_due_comes_of_all_tenants_the_earliest_first(state_storage: IStateStorage) -> None:
    assert await state_storage.next_schedule_due() is None
    for name, seconds, tenant_id in (("c", 30, LOCAL), ("a", 10, OTHER), ("b", 20, LOCAL), ("d", 90, LOCAL)):
        await state_storage.add_schedule(plan(name, tenant_id=tenant_id, next_due_at=later(seconds)))
    due = await state_storage.due_schedules(later(30))
    assert [(one.tenant_id, one.schedule_id, one.due_at) for one in due] == [
        (OTHER, "sch_a", later(10)),
        (LOCAL, "sch_b", later(20)),
        (LOCAL, "sch_c", later(30)),
    ]
    assert list(await state_storage.due_schedules(later(30), 1, after=due[0])) == [due[1]]
    assert await state_storage.next_schedule_due() == later(10)
    gone = await state_storage.schedule(OTHER, ScheduleId("sch_a"))
    await state_storage.change_schedule(moved(gone, next_due_at=None))
    left = await state_storage.due_schedules(later(30), after=due[0])
    assert [one.schedule_id for one in left] == ["sch_b", "sch_c"]


@pytest.mark.parametrize("how", [{"paused": True}, {"removed_at": later(1)}, {"next_due_at": None}])
async def test_paused_removed_and_ended_schedules_are_never_due(
    state_storage: IStateStorage, how: dict[str, Any]
) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    step = moved(one, **how)
    await state_storage.change_schedule(step)
    assert not await state_storage.due_schedules(later(9999))
    assert await state_storage.next_schedule_due() is None
    if "paused" in how:
        await state_storage.change_schedule(moved(step.after, paused=False))
        assert len(await state_storage.due_schedules(later(9999))) == 1


async def test_another_tenant_sees_none_of_it(state_storage: IStateStorage) -> None:
    one = plan("nightly")
    await state_storage.add_schedule(one)
    await state_storage.change_schedule(moved(one, FIRED))
    with pytest.raises(NotFound):
        await state_storage.schedule(OTHER, one.schedule_id)
    assert not await state_storage.schedules(OTHER)
    assert not await state_storage.schedule_log(OTHER, one.schedule_id)
    theirs = replace(one, tenant_id=OTHER)
    with pytest.raises(NotFound):
        await state_storage.change_schedule(moved(theirs, FIRED))
    await state_storage.add_schedule(theirs)  # the same name and even the same id are free there
    assert (await state_storage.schedule(LOCAL, one.schedule_id)).seq == 2


@pytest.mark.parametrize("due_at", ["'x'", "-9000000000000000000"])
async def test_a_damaged_note_holds_up_nobody_else(sqlite_storage: DatabaseStateStorage, due_at: str) -> None:
    for name, seconds in (("a", 10), ("b", 20)):
        await sqlite_storage.add_schedule(plan(name, next_due_at=later(seconds)))
    await sqlite_storage._database.write(
        lambda c: c.exec_driver_sql(f"UPDATE due_schedules SET due_at = {due_at} WHERE schedule_id = 'sch_a'")
    )
    assert [one.schedule_id for one in await sqlite_storage.due_schedules(later(99))] == ["sch_b"]
    assert await sqlite_storage.next_schedule_due() == later(20)


@pytest.mark.parametrize("spec", ["'{'", "'{}'", "3", "x'ff'"])
async def test_a_damaged_schedule_is_named(sqlite_storage: DatabaseStateStorage, spec: str) -> None:
    await sqlite_storage.add_schedule(plan("a"))
    await sqlite_storage.add_schedule(plan("b"))
    await sqlite_storage._database.write(
        lambda c: c.exec_driver_sql(f"UPDATE schedules SET spec = {spec} WHERE name = 'a'")
    )
    with pytest.raises(StoreDamaged):
        await sqlite_storage.schedule(LOCAL, ScheduleId("sch_a"))
    assert (await sqlite_storage.schedule(LOCAL, ScheduleId("sch_b"))).name == "b"
