"""The clock, the ids and the bus of one process."""

import logging
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from chatflow_jupyter.adapters import system_clock
from chatflow_jupyter.adapters.inprocess.bus import InProcessBus
from chatflow_jupyter.adapters.system_clock import SystemClock, UuidFactory
from chatflow_jupyter.ports.records import OutboxRow
from tests.contract.making import LOCAL


def message(number: int) -> OutboxRow:
    return OutboxRow(outbox_id=number, tenant_id=LOCAL, topic="workflow-events", message={"n": number})


def test_the_clock_tells_the_time_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
    assert SystemClock().monotonic() <= SystemClock().monotonic()


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = UuidFactory()
    made = [ids.instance_id() for _ in range(2000)]
    assert all(earlier < following for earlier, following in pairwise(made))
    assert {len(each) for each in made} == {30}
    assert all(each.startswith("wfi_") and each[4:].isalnum() and each.islower() for each in made)


def test_ids_ascend_also_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = UuidFactory()
    before = ids.instance_id()
    monkeypatch.setattr(system_clock.time, "time_ns", lambda: 0)
    assert ids.instance_id() > before


def test_ids_of_two_processes_in_one_moment_differ() -> None:
    assert len({UuidFactory().instance_id() for _ in range(500)}) == 500
    assert len({UuidFactory().token() for _ in range(500)}) == 500
    assert len(UuidFactory().token()) == 32


async def test_messages_are_handed_over_in_order_to_every_subscriber() -> None:
    bus, seen = InProcessBus(), []

    async def first(row: OutboxRow) -> None:
        seen.append(("first", row.outbox_id))

    async def second(row: OutboxRow) -> None:
        seen.append(("second", row.outbox_id))

    end = bus.subscribe(first)
    bus.subscribe(second)
    await bus.publish([message(1), message(2)])
    end()
    end()
    await bus.publish([message(3)])
    assert seen == [("first", 1), ("second", 1), ("first", 2), ("second", 2), ("second", 3)]


async def test_a_failing_subscriber_keeps_nobody_from_the_message(caplog: pytest.LogCaptureFixture) -> None:
    bus = InProcessBus()
    seen: list[Any] = []

    async def fails(row: OutboxRow) -> None:
        raise RuntimeError("no")

    async def works(row: OutboxRow) -> None:
        seen.append(row.outbox_id)

    bus.subscribe(fails)
    bus.subscribe(works)
    with caplog.at_level(logging.ERROR):
        await bus.publish([message(7)])
    assert seen == [7]
    assert "message 7" in caplog.text
