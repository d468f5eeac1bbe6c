"""What one child costs its parent, however many there are: born, run, ended and counted.

A notebook asks for all of them at once, or a phase has one per item of a list that an earlier one handed
over; sixteen are alive at a time. No runner is part of it: an attempt is leased, started and reported, and
the engine looks at the parent after every single end.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias, cast

from benchmarks.figures import Figure, holds
from benchmarks.stores import Store, open_store, record_of
from chatflow_jupyter.adapters.system_clock import SystemClock
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, RunnerId
from chatflow_jupyter.domain.instance import Spawned, Status
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.domain.requests import AttemptStarted, AttemptSucceeded
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.orchestrator import NewInstance

Way: TypeAlias = Literal["spawn", "foreach"]

SIZES: Mapping[Way, Sequence[int]] = {"spawn": (40, 1_000, 10_000), "foreach": (40, 5_000)}
SMALL = 40
SMALL_IN_A_TURN = 5  # one takes a sixth of a second: too short to be told alone
GOAL = 2.0
GOAL_CPU = 1.6
RUNNER = RunnerId("run_benchmark")
LEAF = "name: leaf\nphases:\n  - {name: one, notebook: n.ipynb}\n"
FAMILIES: Mapping[Way, str] = {
    "spawn": "name: family\nphases:\n  - {name: plan, notebook: n.ipynb, spawns: {schemas: [leaf]}}\n",
    "foreach": """
name: family
phases:
  - {name: plan, notebook: n.ipynb}
  - name: work
    children: {schema: leaf, foreach: plan.files, key: {field: item.key}, context: {file: {field: item}}}
""",
}


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds per child, by the clock and of the processors, and what the tree says in the end."""

    wall_sec: float
    cpu_sec: float
    status: TreeStatus


def measure() -> Sequence[Figure]:
    """Run families of each size in stores of their own, small ones before and after every large one."""
    taken: defaultdict[tuple[Way, int], list[Took]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        for number, (way, size) in enumerate(_turns()):
            taken[way, size].append(asyncio.run(_family(Path(place) / f"{number}.db", way, size)))
    told = [took.status for each in taken.values() for took in each]
    complete = all((one.status, one.completed_nodes) == ("completed", one.total_nodes) for one in told)
    counts = sorted({one.total_nodes for one in told})
    return [
        *_ratios("spawn", taken),
        *_ratios("foreach", taken),
        holds("every child is counted", complete, f"{len(told)} families, of {counts} nodes"),
    ]


def _turns() -> Iterator[tuple[Way, int]]:
    for way, sizes in SIZES.items():
        for size in (*sizes[1:], *sizes[-2:0:-1]):  # the largest once, in the middle
            yield from [(way, SMALL)] * SMALL_IN_A_TURN
            yield way, size
        yield from [(way, SMALL)] * SMALL_IN_A_TURN


def _ratios(way: Way, taken: Mapping[tuple[Way, int], Sequence[Took]]) -> Iterator[Figure]:
    """Yield the promise in time of the processors, which is steadier, and by the clock."""
    largest = SIZES[way][-1]
    cpu = {size: median(took.cpu_sec for took in taken[way, size]) for size in SIZES[way]}
    wall = {size: median(took.wall_sec for took in taken[way, size]) for size in SIZES[way]}
    name = f"{way}: one of {largest:,} children over one of {SMALL}"
    for told, cost, goal in ((f"{name}, CPU", cpu, GOAL_CPU), (name, wall, GOAL)):
        how = f"medians: {_told(cost)}"
        yield Figure(name=told, value=cost[largest] / cost[SMALL], unit="x", goal=goal, how=how)


def _told(cost: Mapping[int, float]) -> str:
    return "; ".join(f"{sec * 1e3:.1f} ms at {size:,}" for size, sec in cost.items())


async def _family(path: Path, way: Way, children: int) -> Took:
    async with open_store(path) as store:
        leaf = record_of(LEAF)
        family = record_of(FAMILIES[way], {"leaf": leaf.reference})
        for record in (leaf, family):
            await store.storage.save_definition(record)
        new = NewInstance(record=family, context={}, principal=LOCAL_PRINCIPAL, start=True)
        root = await store.orchestrator.create(new)
        outputs, asked = _planned(way, children)
        clock = SystemClock()
        dispatcher = Dispatcher(store.storage, store.orchestrator, cast("Any", None), clock, lease_sec=3600)
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        await run_next(store, outputs, asked)
        while await dispatcher.step() or await run_next(store, {"n": 1}):
            pass
        wall_sec, cpu_sec = time.perf_counter() - wall_began, time.process_time() - cpu_began
        ended = await store.storage.instance(LOCAL_TENANT, InstanceId(root.instance_id))
        assert ended.status is Status.COMPLETED, ended.status
        status = await store.storage.tree_status(LOCAL_TENANT, root.instance_id, clock.now())
        return Took(wall_sec=wall_sec / children, cpu_sec=cpu_sec / children, status=status)


def _planned(way: Way, children: int) -> tuple[JsonObject, tuple[Spawned, ...]]:
    """Return what the first notebook hands over, at 5,000 items as much as it may, and whom it asks for."""
    if way == "foreach":
        return {"files": [{"key": f"k{n}", "path": f"src/module_{n}.py"} for n in range(children)]}, ()
    return {"n": 1}, tuple(Spawned(schema_ref="leaf", key=f"k{n}", context={}) for n in range(children))


async def run_next(store: Store, outputs: JsonObject, spawned: tuple[Spawned, ...] = ()) -> bool:
    """Lease, start and report one attempt; returns whether there was one."""
    now = SystemClock().now()
    row = await store.storage.claim(RUNNER, None, now=now, lease_expires_at=now.replace(year=now.year + 1))
    if row is None:
        return False
    started = AttemptStarted(attempt_id=row.attempt_id, fence=row.fence, runner_id=RUNNER)
    await store.orchestrator.apply(LOCAL_TENANT, row.instance_id, started)
    done = AttemptSucceeded(
        attempt_id=row.attempt_id,
        fence=row.fence,
        outputs=outputs,
        duration_sec=0.1,
        spawned=spawned,
    )
    await store.orchestrator.apply(LOCAL_TENANT, row.instance_id, done)
    return True
