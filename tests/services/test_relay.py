"""Committed events reach the bus at least once and in order, whatever breaks in between."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from chatflow_jupyter.domain.errors import Unreachable
from chatflow_jupyter.ports.records import OutboxRow
from chatflow_jupyter.services import relay as relaying
from chatflow_jupyter.services.relay import Relay
from tests.services.world import ProcessDied, World, run
from tests.waiting import until_async


class Bus:
    """A bus that keeps what it gets; `fault` is raised, once, after taking the messages."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.fault: BaseException | None = None

    async def publish(self, messages: Sequence[OutboxRow]) -> None:
        self.got += [message.outbox_id for message in messages]
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault


def test_messages_come_in_the_order_of_commit_and_are_gone_from_the_outbox(world: World) -> None:
    async def story() -> None:
        bus = Bus()
        instance = await world.new()
        await world.work_on(instance.instance_id)
        relay = Relay(world.storage, bus)
        while await relay.step():
            pass
        assert bus.got == sorted(bus.got)
        assert len(bus.got) >= len(await world.types(instance.instance_id))
        assert not await world.storage.outbox()

    run(story())


def test_a_death_between_publishing_and_deleting_publishes_again(world: World) -> None:
    async def story() -> None:
        bus = Bus()
        await world.new()
        waiting = [row.outbox_id for row in await world.storage.outbox()]
        bus.fault = ProcessDied()
        with pytest.raises(ProcessDied):
            await Relay(world.storage, bus).step()
        await Relay(world.storage, bus).step()
        assert bus.got == waiting * 2

    run(story())


def test_while_the_bus_is_away_everything_else_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "PAUSE_AFTER_FAILURE_SEC", 0.01)

    async def story() -> None:
        bus = Bus()
        bus.fault = Unreachable("no bus")
        instance = await world.new()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(Relay(world.storage, bus).run())

            async def empty() -> bool:
                return not await world.storage.outbox()

            await until_async(empty, what="the outbox empties once the bus is back")
            with suppress(asyncio.CancelledError):
                task.cancel()
        assert (await world.types(instance.instance_id))[0] == "InstanceCreated"

    run(story())
