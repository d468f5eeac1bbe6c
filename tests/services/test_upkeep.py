"""What nobody needs any more is removed: in batches, and again and again while somebody sees to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from chatflow_jupyter.domain.errors import Unreachable
from chatflow_jupyter.services.upkeep import Upkeep
from tests.services.world import World, run
from tests.waiting import until_async

A_YEAR_SEC = 366 * 86400.0


@asynccontextmanager
async def kept_up(upkeep: Upkeep) -> AsyncIterator[None]:
    """Let it run for as long as the body lasts."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(upkeep.run())
        yield
        running.cancel()


def test_expired_keys_are_deleted_batch_by_batch_and_those_that_expire_later_too(world: World) -> None:
    async def story() -> None:
        deleted: list[int] = []
        drop = world.storage.drop_expired_keys

        async def told(now: datetime, limit: int = 500) -> int:
            deleted.append(await drop(now, limit))
            return deleted[-1]

        world.storage.drop_expired_keys = told  # type: ignore[method-assign]
        for number in range(5):
            await world.new(key=f"k{number}")
        world.clock.turn(A_YEAR_SEC)
        await world.new(key="young")
        upkeep = Upkeep(world.storage, world.artifacts, world.clock, batch=2, pause_sec=0, every_sec=0.01)
        async with kept_up(upkeep):
            await until_async(lambda: _is(1, world), what="those that expired are gone")
            assert deleted[:3] == [2, 2, 1]
            world.clock.turn(A_YEAR_SEC)
            await until_async(lambda: _is(0, world), what="the one that expired later is gone")

    run(story())


def test_after_a_fault_it_is_tried_again(world: World) -> None:
    async def story() -> None:
        drop, faults = world.storage.drop_expired_keys, [Unreachable("away"), ValueError("a mistake of ours")]

        async def faulty(now: datetime, limit: int = 500) -> int:
            if faults:
                raise faults.pop()
            return await drop(now, limit)

        world.storage.drop_expired_keys = faulty  # type: ignore[method-assign]
        await world.new(key="k")
        world.clock.turn(A_YEAR_SEC)
        async with kept_up(Upkeep(world.storage, world.artifacts, world.clock, every_sec=0.01)):
            await until_async(lambda: _is(0, world), what="the key is gone")

    run(story())


async def _is(wanted: int, world: World) -> bool:
    """Whether there are so many keys, expired or not."""
    return len(world.storage._tables.keys) == wanted
