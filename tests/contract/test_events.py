"""`IEvents`: positions, the outbox and the change token."""

import asyncio
import time
from dataclasses import replace

import pytest

from chatflow_jupyter.adapters.sql.storage import DatabaseStateStorage
from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.events import EventType
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    LOCAL,
    OTHER,
    RUNNER,
    below,
    birth,
    born,
    commit_of,
    event,
    new_instance,
    started,
    step,
    wfi,
)


async def eventful(storage: IStateStorage, name: str, count: int, **fields: object) -> Instance:
    """A new root, then one transition with `count` events."""
    instance = await born(storage, name, **fields)
    after = replace(instance, seq=2)
    events = [event(after, EventType.PHASE_STARTED, index, number=index) for index in range(count)]
    await storage.commit(commit_of(step(instance, *events)))
    return after


async def test_events_read_as_decided_at_the_tenants_next_dense_positions_in_order(
    state_storage: IStateStorage,
) -> None:
    await eventful(state_storage, "a", 3)
    await eventful(state_storage, "o", 2, tenant_id=OTHER)
    await eventful(state_storage, "b", 1)
    stored = await state_storage.events(LOCAL)
    assert [each.position for each in stored] == [1, 2, 3, 4, 5, 6]
    assert [each.event.instance_id for each in stored] == [wfi("a")] * 4 + [wfi("b")] * 2
    assert [each.position for each in await state_storage.events(OTHER)] == [1, 2, 3]
    assert stored[2].event == event(replace(new_instance("a"), seq=2), EventType.PHASE_STARTED, 1, number=1)


async def test_events_of_several_transitions_of_one_commit_keep_their_order(
    state_storage: IStateStorage,
) -> None:
    await state_storage.commit(commit_of(*(birth(new_instance(name)) for name in ("c", "a", "b"))))
    stored = await state_storage.events(LOCAL)
    assert [each.event.instance_id for each in stored] == [wfi("c"), wfi("a"), wfi("b")]


async def test_only_events_above_after_are_returned_at_most_limit(state_storage: IStateStorage) -> None:
    await eventful(state_storage, "a", 5)
    found = await state_storage.events(LOCAL, after=2, limit=2)
    assert [each.position for each in found] == [3, 4]


async def test_events_of_one_instance_or_one_tree(state_storage: IStateStorage) -> None:
    await eventful(state_storage, "a", 1)
    await eventful(state_storage, "b", 1, **below(wfi("a")))
    await eventful(state_storage, "c", 1)
    of_tree = await state_storage.events(LOCAL, root_id=wfi("a"))
    assert [each.position for each in of_tree] == [1, 2, 3, 4]
    of_instance = await state_storage.events(LOCAL, instance_id=wfi("b"), after=3)
    assert [each.position for each in of_instance] == [4]
    assert await state_storage.events(LOCAL, instance_id=wfi("b"), root_id=wfi("c")) == ()


async def test_the_last_event_of_a_tree_is_that_of_any_of_its_nodes(state_storage: IStateStorage) -> None:
    assert await state_storage.last_event(LOCAL, wfi("a")) == 0
    await eventful(state_storage, "a", 1)
    await eventful(state_storage, "b", 1, **below(wfi("a")))
    await eventful(state_storage, "c", 1)
    await eventful(state_storage, "a", 3, tenant_id=OTHER)
    assert await state_storage.last_event(LOCAL, wfi("a")) == 4
    assert await state_storage.last_event(LOCAL, wfi("c")) == 6
    assert await state_storage.last_event(OTHER, wfi("a")) == 4


async def test_a_damaged_position_is_told_as_damage(sqlite_storage: DatabaseStateStorage) -> None:
    await eventful(sqlite_storage, "a", 1)
    spoil = "UPDATE events SET position = 'x' WHERE position = 2"
    await sqlite_storage._database.write(lambda c: c.exec_driver_sql(spoil))
    with pytest.raises(StoreDamaged, match="position"):
        await sqlite_storage.last_event(LOCAL, wfi("a"))


async def test_each_event_is_in_the_outbox_in_order_of_commit(state_storage: IStateStorage) -> None:
    await eventful(state_storage, "b", 2)
    await eventful(state_storage, "a", 1, tenant_id=OTHER)
    messages = await state_storage.outbox()
    assert [each.tenant_id for each in messages] == [LOCAL] * 3 + [OTHER] * 2
    ids = [each.outbox_id for each in messages]
    assert ids == sorted(set(ids))
    assert list(messages[:2]) == list(await state_storage.outbox(limit=2))
    second = messages[1].message
    assert (second["type"], second["seq"], second["index"], second["data"]) == (
        "PhaseStarted",
        2,
        0,
        {"number": 0},
    )
    assert set(second) == {
        *("event_id", "type", "version", "tenant_id", "instance_id", "root_id"),
        *("seq", "index", "phase", "attempt", "at", "principal", "data"),
    }


async def test_published_messages_leave_the_outbox(state_storage: IStateStorage) -> None:
    await eventful(state_storage, "a", 2)
    first, *rest = await state_storage.outbox()
    await state_storage.outbox_published([first.outbox_id])
    assert list(await state_storage.outbox()) == rest


async def test_the_id_of_a_message_is_never_given_again(state_storage: IStateStorage) -> None:
    await born(state_storage, "a")
    (first,) = await state_storage.outbox()
    await state_storage.outbox_published([first.outbox_id])
    await born(state_storage, "b")
    (second,) = await state_storage.outbox()
    assert second.outbox_id > first.outbox_id


async def test_the_change_token_changes_with_a_commit(state_storage: IStateStorage) -> None:
    before = state_storage.change_token()
    await born(state_storage)
    assert state_storage.change_token() != before


async def test_an_empty_claim_changes_no_token(state_storage: IStateStorage) -> None:
    """Otherwise whoever waits for something to claim would wake itself up for ever."""
    before = state_storage.change_token()
    now = new_instance("a").created_at
    for _ in range(3):
        assert await state_storage.claim(RUNNER, None, now=now, lease_expires_at=now) is None
    assert state_storage.change_token() == before


async def test_waiting_ends_at_once_when_something_has_changed_already(state_storage: IStateStorage) -> None:
    seen = state_storage.change_token()
    await born(state_storage)
    async with asyncio.timeout(1):
        assert await state_storage.wait_for_change(seen, 60) != seen


async def test_waiting_ends_as_soon_as_something_changes(state_storage: IStateStorage) -> None:
    seen = state_storage.change_token()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        waiting = [group.create_task(state_storage.wait_for_change(seen, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        await started(state_storage)
    assert all(task.result() != seen for task in waiting)


async def test_waiting_ends_at_the_latest_after_its_timeout(state_storage: IStateStorage) -> None:
    seen, began = state_storage.change_token(), time.monotonic()
    assert await state_storage.wait_for_change(seen, 0.15) == seen
    assert 0.1 < time.monotonic() - began < 5
