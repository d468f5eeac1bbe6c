"""A large tree to which everything happens: in the end every counter is what a recount of all rows gives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chatflow_jupyter.adapters.sql.sqlite_file import open_sqlite
from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import Failure, Instance, Spawned, Status
from chatflow_jupyter.ports.records import AttemptReport, Commit, Lease
from tests.limits import LIMITS, LOAD
from tests.services.recounts import check_counters, check_families, check_spent
from tests.services.world import LEASE_SEC, ProcessDied, World

LEAVES = 19
BRANCHES = max(LIMITS.nodes // (LEAVES + 1), 2)
AT_ONCE = 24
FOREST = f"""\
name: forest
automation_level: 100
quota: {{max_children: {BRANCHES * (LEAVES + 1)}, max_duration_sec: 1000000}}
phases:
  - name: trees
    children: {{schema: ./branch.yaml, foreach: context.trees, max_parallel: 12, on_failure: continue}}
  - name: twigs
    children: {{schema: ./brittle.yaml, foreach: context.twigs, max_parallel: 12, on_failure: continue}}
  - {{name: tell, notebook: one.ipynb}}
"""
BRANCH = """\
name: NAME
automation_level: 100
phases:
  - name: grow
    notebook: one.ipynb
    retries: {max_attempts: 2}
    spawns: {schemas: [./leaf.yaml], max_parallel: 6, on_failure: ON_FAILURE}
  - {name: sum, notebook: one.ipynb}
"""
FILES = {
    "branch__yaml": BRANCH.replace("NAME", "branch").replace("ON_FAILURE", "continue"),
    "brittle__yaml": BRANCH.replace("NAME", "brittle").replace("ON_FAILURE", "fail"),
}


class Mortal:
    """A store as a process sees it that dies before or after a commit, when told so."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.dies: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, commit: Commit) -> None:
        dies, self.dies = self.dies, None
        if dies == "before":
            raise ProcessDied
        await self._inner.commit(commit)
        if dies == "after":
            raise ProcessDied


class Forest:
    """One random life of a tree: people, runners, and processes that die."""

    def __init__(self, world: World, path: Path, seed: int) -> None:
        self.world, self.path, self.random = world, path, Random(seed)
        self.held: list[Lease] = []
        self.standing = 0
        self.deaths, self.known, self.seen = 0, list[InstanceId](), set[InstanceId]()

    async def boot(self) -> None:
        """Open the store as a new process does, which remembers nothing; leases of the old one run out."""
        self.world.wire(Mortal(await open_sqlite(self.path, clock=self.world.clock)))
        self.held = []

    async def plant(self) -> None:
        """Start the root."""
        await self.boot()
        half = BRANCHES // 2
        wanted = {"trees": list(range(half)), "twigs": list(range(BRANCHES - half))}
        self.root = (await self.world.new(FOREST, files=FILES, context=wanted)).instance_id

    async def live(self, *, until: float) -> None:
        """Let things happen until that share of the nodes there can be has been seen, or for long enough."""
        most = BRANCHES * (LEAVES + 1)
        for _ in range(most * 12):
            if len(self.known) >= until * most:
                return
            chances: list[tuple[int, Callable[[], Awaitable[object]]]] = [
                (30, self.world.dispatcher.step),
                (40, self.lease),
                (60, self.report),
                (2, self.pause),
                (4, self.resume),
                (1, self.terminate),
                (3, self.retry),
            ]
            if self.random.random() < 0.01:
                self.world.storage.dies = self.random.choice(["before", "after"])
            weights = [weight for weight, _ in chances]
            async with self.mortal():
                await self.random.choices([one for _, one in chances], weights)[0]()

    @contextlib.asynccontextmanager
    async def mortal(self) -> AsyncIterator[None]:
        """Survive the death of the process; what people are refused is of no consequence."""
        try:
            with contextlib.suppress(Conflict):
                yield
        except ProcessDied:
            self.deaths += 1
            await self.world.storage.close()
            self.world.clock.turn(LEASE_SEC + 1)
            await self.boot()

    async def lease(self) -> None:
        """Have a runner take what is queued longest, unless enough of them are busy."""
        lease = await self.world.lease() if len(self.held) < AT_ONCE else None
        if lease is not None:
            self.held.append(lease)
            if lease.attempt.instance_id not in self.seen:
                self.seen.add(lease.attempt.instance_id)
                self.known.append(lease.attempt.instance_id)

    async def report(self, *, surely: bool = False) -> None:
        """Have a runner come to an end, well or not."""
        if not self.held:
            return
        lease = self.held.pop(self.random.randrange(len(self.held)))
        failure, spawned = None, tuple[Spawned, ...]()
        if not surely and self.random.random() < 0.15:
            failure = Failure(code="cell_error", message="it failed")
        elif lease.spawns:
            spawned = tuple(
                Spawned(schema_ref="./leaf.yaml", key=f"l{n}", context={"n": n}) for n in range(LEAVES)
            )
        told = AttemptReport(duration_sec=1.0, outputs={}, failure=failure, spawned=spawned)
        await self.world.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, told)

    def some(self) -> InstanceId:
        """Return some node, now and then the root."""
        return self.random.choice(self.known[-200:] or [self.root])

    async def pause(self) -> None:
        who = self.root if self.random.random() < 0.05 else self.some()
        await self.world.orchestrator.pause(LOCAL_TENANT, who, LOCAL_PRINCIPAL)

    async def resume(self) -> None:
        who = self.root if self.random.random() < 0.5 else self.some()
        await self.world.orchestrator.resume(LOCAL_TENANT, who, LOCAL_PRINCIPAL)

    async def terminate(self) -> None:
        await self.world.orchestrator.terminate(LOCAL_TENANT, self.some(), LOCAL_PRINCIPAL)

    async def retry(self) -> None:
        who = self.some()
        if (await self.world.now(who)).status is Status.FAILED:
            await self.world.trigger(who)

    async def come_to_an_end(self) -> None:
        """Go on with whatever waits for somebody, twice also with what failed, until nothing does."""
        retries = 2
        while True:
            await self.work_off()
            nodes = await check_counters(self.world, self.root)
            self.standing += await check_families(self.world, nodes)
            paused = [node for node in nodes.values() if node.paused]
            failed = [node for node in nodes.values() if node.status is Status.FAILED and retries]
            if not paused and not failed:
                return
            retries -= not paused
            for node in paused or failed:
                with contextlib.suppress(Conflict):  # what is above it may have come first
                    await self.help(node)

    async def help(self, node: Instance) -> None:
        """Do what it waits for."""
        if node.paused:
            await self.world.orchestrator.resume(LOCAL_TENANT, node.instance_id, LOCAL_PRINCIPAL)
        else:
            await self.world.trigger(node.instance_id)

    async def work_off(self) -> None:
        """Do everything that needs no person."""
        self.world.clock.turn(LEASE_SEC + 1)
        self.held = []
        while await self.world.dispatcher.step() or await self._run_one():
            pass

    async def _run_one(self) -> bool:
        await self.lease()
        ran = bool(self.held)
        with contextlib.suppress(Conflict):
            await self.report(surely=True)
        return ran


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(1 if LOAD == "large" else 3))
def test_everything_that_is_counted_about_a_tree_is_a_recount_of_its_rows(seed: int, tmp_path: Path) -> None:
    forest = Forest(World(folder=tmp_path), tmp_path / "state.db", seed)

    async def story() -> None:
        await forest.plant()
        for share in (0.1, 0.3, 0.5, 0.7):
            await forest.live(until=share)
            await check_counters(forest.world, forest.root)
        await forest.come_to_an_end()
        nodes = await check_counters(forest.world, forest.root)
        await check_spent(forest.world, nodes, each_sec=1.0)
        told = f"{len(nodes)} nodes, {forest.deaths} deaths, {forest.standing} parents of failed children"
        print(f"seed {seed}: {told}")
        assert all(node.ended for node in nodes.values())
        assert len(nodes) > 0.6 * LIMITS.nodes
        assert forest.deaths > 0
        assert forest.standing > 0, "no parent ever stood where its children had failed"
        await forest.world.storage.close()

    try:
        asyncio.run(story())
    except BaseException as error:
        error.add_note(f"seed {seed}, {forest.deaths} deaths, {len(forest.known)} nodes seen")
        raise
