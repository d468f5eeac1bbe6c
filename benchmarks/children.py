"""What one child costs its parent, however many there are: asked for, born, run, ended and counted.

A notebook asks for all of them at once; sixteen are alive at a time. No runner is part of it: an attempt is
leased, started and reported, and the engine looks at the parent after every single end.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks.figures import Figure, holds
from benchmarks.stores import Store, open_store, record_of
from chatflow_jupyter.adapters.system_clock import SystemClock
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, RunnerId
from chatflow_jupyter.domain.instance import Spawned, Status
from chatflow_jupyter.domain.requests import AttemptStarted, AttemptSucceeded
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.orchestrator import NewInstance

SIZES = (40, 1_000, 10_000)
GOAL = 2.0
RUNNER = RunnerId("run_benchmark")
LEAF = "name: leaf\nphases:\n  - {name: one, notebook: n.ipynb}\n"
FAMILY = "name: family\nphases:\n  - {name: plan, notebook: n.ipynb, spawns: {schemas: [leaf]}}\n"


def measure() -> Sequence[Figure]:
    """Run a family of each size in a store of its own; small ones several times, in turns."""
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    told: list[TreeStatus] = []
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        for number, size in enumerate((40, 1_000, 40, 10_000, 40, 1_000, 40)):
            sec, status = asyncio.run(_family(Path(place) / f"{number}.db", size))
            taken[size].append(sec)
            told.append(status)
    cost = {size: min(each) for size, each in taken.items()}
    how = "; ".join(f"{cost[size] * 1e3:.1f} ms at {size:,}" for size in SIZES)
    complete = all((one.status, one.completed_nodes) == ("completed", one.total_nodes) for one in told)
    ratio = cost[SIZES[-1]] / cost[SIZES[0]]
    return [
        Figure(name="one of 10,000 children over one of 40", value=ratio, unit="x", goal=GOAL, how=how),
        holds("every child is counted", complete, f"{[one.total_nodes for one in told]} nodes"),
    ]


async def _family(path: Path, children: int) -> tuple[float, TreeStatus]:
    """Return the seconds per child, and what the tree says in the end."""
    async with open_store(path) as store:
        leaf = record_of(LEAF)
        family = record_of(FAMILY, {"leaf": leaf.reference})
        for record in (leaf, family):
            await store.storage.save_definition(record)
        new = NewInstance(record=family, context={}, principal=LOCAL_PRINCIPAL, start=True)
        root = await store.orchestrator.create(new)
        asked = tuple(Spawned(schema_ref="leaf", key=f"k{n}", context={}) for n in range(children))
        clock = SystemClock()
        dispatcher = Dispatcher(store.storage, store.orchestrator, cast("Any", None), clock, lease_sec=3600)
        began = time.perf_counter()
        await _run_next(store, asked)
        while await dispatcher.step() or await _run_next(store):
            pass
        took_sec = time.perf_counter() - began
        ended = await store.storage.instance(LOCAL_TENANT, InstanceId(root.instance_id))
        assert ended.status is Status.COMPLETED, ended.status
        return took_sec / children, await store.storage.tree_status(
            LOCAL_TENANT, root.instance_id, clock.now()
        )


async def _run_next(store: Store, spawned: tuple[Spawned, ...] = ()) -> bool:
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
        outputs={"n": 1},
        duration_sec=0.1,
        spawned=spawned,
    )
    await store.orchestrator.apply(LOCAL_TENANT, row.instance_id, done)
    return True
