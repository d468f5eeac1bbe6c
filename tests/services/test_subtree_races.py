"""A tree is paused, resumed and ended while its children are born and end: two engines, several runners."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from chatflow_jupyter.adapters.sql.sqlite_file import open_sqlite
from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import Status
from tests.limits import LIMITS
from tests.services.recounts import check_counters, check_families
from tests.services.world import World, run

ROOT = """\
name: root
automation_level: 100
phases:
  - name: files
    children: {schema: ./nest.yaml, items: [a, b, c, d, e, f], max_parallel: 6, on_failure: continue}
"""
NEST = """\
name: nest
automation_level: 100
phases:
  - name: brood
    children: {schema: ./leaf.yaml, items: [1, 2, 3, 4, 5], max_parallel: 2, on_failure: continue}
  - {name: sum, notebook: one.ipynb}
"""


class Race:
    """Engines and runners that work as fast as they can, and a person who disturbs them."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, Random(seed)
        self.working = True

    async def engine(self) -> None:
        """Dispatch; another one does the same."""
        dispatcher = self.world.new_dispatcher()
        while self.working:
            await dispatcher.step()
            await asyncio.sleep(0)

    async def runner(self) -> None:
        """Run one attempt after the other; one that was cancelled is reported in vain."""
        execution = self.world.new_execution(None)
        while self.working:
            lease = await self.world.lease(execution)
            for _ in range(self.random.randrange(4)):
                await asyncio.sleep(0)
            if lease is not None:
                with contextlib.suppress(Conflict):
                    await self.world.end(lease, failure="cell_error" if self.random.random() < 0.1 else None)

    async def person(self, root: InstanceId, last: str) -> None:
        """Pause and resume the whole tree at random moments; in the end pause it, or end it, or neither."""
        ask = self.world.orchestrator
        for _ in range(self.random.randrange(4, 10)):
            await self.moment()
            await self.asked(ask.pause, root)
            await self.moment()
            await self.asked(ask.resume, root)
        await self.moment()
        if last != "resume":
            await self.asked(ask.terminate if last == "terminate" else ask.pause, root)

    async def moment(self) -> None:
        """Let the others do a little, or more."""
        for _ in range(self.random.choice([0, 20, 200, 1000])):
            await asyncio.sleep(0)

    async def asked(self, ask: Callable[..., Awaitable[object]], who: InstanceId) -> None:
        """Ask; the tree may have ended by now."""
        with contextlib.suppress(Conflict):
            await ask(LOCAL_TENANT, who, LOCAL_PRINCIPAL)

    async def run(self, root: InstanceId, last: str) -> None:
        """Let all of them go until the person is done, and then the engine alone until nothing is to do."""
        async with asyncio.TaskGroup() as group:
            for worker in (self.engine, self.engine, self.runner, self.runner, self.runner):
                group.create_task(worker())
            await self.person(root, last)
            self.working = False
        while await self.world.dispatcher.step():
            pass


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(LIMITS.kills * 6))
def test_whatever_races_with_it_a_pause_and_an_end_reach_all_below(seed: int, tmp_path: Path) -> None:
    last = ("terminate", "pause", "resume")[seed % 3]

    async def story() -> None:
        world = World(folder=tmp_path)
        world.wire(await open_sqlite(tmp_path / "state.db", clock=world.clock))
        root = (await world.new(ROOT, files={"nest__yaml": NEST})).instance_id
        await Race(world, seed).run(root, last)
        nodes = await check_counters(world, root)
        if last == "terminate" or (await world.now(root)).ended:
            assert all(node.ended for node in nodes.values()), "something goes on below an end"
            assert await world.lease() is None
        else:
            if last == "pause":
                assert all(node.paused or node.ended for node in nodes.values()), "not all of it is paused"
                assert await world.lease() is None, "something is queued though all is paused"
                await world.orchestrator.resume(LOCAL_TENANT, root, LOCAL_PRINCIPAL)
            else:
                assert not any(node.paused for node in nodes.values()), "a part of it is paused for ever"
            world.clock.turn(31)  # what ran when its runner went away
            assert (await world.work_on(root)).status is Status.COMPLETED
            nodes = await check_counters(world, root)
            assert len(nodes) == 1 + 6 + 30
            assert not any(node.paused for node in nodes.values())
        await check_families(world, nodes)
        await world.storage.close()

    try:
        asyncio.run(asyncio.wait_for(story(), 60))
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


@pytest.mark.parametrize("first", ["pause", "resume"])
def test_a_walk_that_is_overtaken_by_the_opposite_one_leaves_nobody_behind(world: World, first: str) -> None:
    """Another engine does all of the second request while the first one's walk is about to reach a child."""

    async def story() -> None:
        root = (await world.new(ROOT, files={"nest__yaml": NEST})).instance_id
        await settled(world)
        ask, other = world.orchestrator, world.new_dispatcher()
        calls = {"pause": ask.pause, "resume": ask.resume}
        if first == "resume":
            await ask.pause(LOCAL_TENANT, root, LOCAL_PRINCIPAL)
            await settled(world)
        await calls[first](LOCAL_TENANT, root, LOCAL_PRINCIPAL)

        async def overtake() -> None:
            del calls[first]
            (opposite,) = calls.values()
            await opposite(LOCAL_TENANT, root, LOCAL_PRINCIPAL)
            while await other.step():
                pass

        world.storage.before_commit = overtake
        await settled(world)
        assert first not in calls, "nothing was overtaken"
        standing = [node.paused for node in await world.storage.tree(LOCAL_TENANT, root) if not node.ended]
        assert len(standing) > 3
        assert standing == [first == "resume"] * len(standing)

    run(story())


async def settled(world: World) -> None:
    """Do all that waiting notes ask for."""
    while await world.dispatcher.step():
        pass
