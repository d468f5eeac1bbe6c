"""What the three questions about one instance cost: where it stands, what it is now, all that happened.

`status --brief`, `status` and `history` ask these through the service layer, here of two parents in a store:
one of few children and one of many. The children are born as ever; of their ends only the parent is told.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, cast

from benchmarks.children import FAMILIES, LEAF, run_next
from benchmarks.figures import Figure, holds
from benchmarks.stores import Store, open_store, record_of
from chatflow_jupyter.adapters.system_clock import SystemClock
from chatflow_jupyter.domain.events import EventType
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, child_id
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.domain.requests import ChildrenEnded, ChildResult
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.services.pinned import PinnedDefinitions
from chatflow_jupyter.services.queries import Queries

FEW, MANY = 10, 10_000
ROUNDS = 15
BRIEF_IN_A_ROUND = 20
TOLD_TOGETHER = 1_000
GOAL = 1.2
ALL_AT_ONCE = FAMILIES["foreach"].replace("children: {", "children: {max_parallel: 10000, ")

Costs = Mapping[tuple[str, int], Sequence[float]]


def measure() -> Sequence[Figure]:
    """Grow both families in one store, then ask all three questions about both in turns."""
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        return asyncio.run(_measured(Path(place) / "families.db"))


async def _measured(path: Path) -> list[Figure]:
    async with open_store(path) as store:
        parents = await _grown(store)
        queries = Queries(store.storage, cast("Any", None), PinnedDefinitions(store.storage), SystemClock())
        taken: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for number in range(ROUNDS + 1):
            for children, parent in parents.items():
                for name, ask, times in _questions(queries):
                    for _ in range(times):
                        sec = await _asked_sec(ask, parent)
                        if number:  # the first round fills caches
                            taken[name, children].append(sec)
        whole = [await _is_whole(queries, parent, children) for children, parent in parents.items()]
    return [
        *_figures(taken),
        holds("each of them is told in full", all(whole), f"{FEW} and {MANY:,} children"),
    ]


def _questions(queries: Queries) -> Iterator[tuple[str, Callable[..., Awaitable[object]], int]]:
    yield "brief", queries.state, BRIEF_IN_A_ROUND
    yield "status", queries.status_info, 1
    yield "history", queries.history, 1


async def _asked_sec(ask: Callable[..., Awaitable[object]], parent: InstanceId) -> float:
    began = time.perf_counter()
    await ask(LOCAL_TENANT, parent)
    return time.perf_counter() - began


def _figures(taken: Costs) -> Iterator[Figure]:
    cost = {which: median(sec) for which, sec in taken.items()}
    yield Figure(
        name=f"brief status with {MANY:,} children over {FEW}",
        value=cost["brief", MANY] / cost["brief", FEW],
        unit="x",
        goal=GOAL,
        how=f"medians in turns: {_told(cost, 'brief')}",
    )
    for more, less in (("status", "brief"), ("history", "status")):
        yield Figure(
            name=f"{more} over {less} with {MANY:,} children",
            value=cost[more, MANY] / cost[less, MANY],
            unit="x",
            goal=1.0,
            comparison=">=",
            how=f"{more}: {_told(cost, more)}",
        )


def _told(cost: Mapping[tuple[str, int], float], name: str) -> str:
    return ", ".join(f"{cost[name, children] * 1e3:.2f} ms at {children:,}" for children in (FEW, MANY))


async def _grown(store: Store) -> dict[int, InstanceId]:
    """Return parents that wait for the last of so many children each, which are all born."""
    leaf = record_of(LEAF)
    family = record_of(ALL_AT_ONCE, {"leaf": leaf.reference})
    for record in (leaf, family):
        await store.storage.save_definition(record)
    new = NewInstance(record=family, context={}, principal=LOCAL_PRINCIPAL, start=True)
    parents = {children: (await store.orchestrator.create(new)).instance_id for children in (FEW, MANY)}
    for children in parents:  # both are queued before any child is
        await run_next(store, {"files": [{"key": f"k{number}"} for number in range(children)]})
    clock = SystemClock()
    dispatcher = Dispatcher(store.storage, store.orchestrator, cast("Any", None), clock, lease_sec=3600)
    while await dispatcher.step():
        pass
    for children, parent in parents.items():
        for first in range(0, children - 1, TOLD_TOGETHER):
            last = min(first + TOLD_TOGETHER, children - 1)
            ended = ChildrenEnded(children=tuple(_end(parent, index) for index in range(first, last)))
            await store.orchestrator.apply(LOCAL_TENANT, parent, ended)
    return parents


def _end(parent: InstanceId, index: int) -> ChildResult:
    return ChildResult(
        instance_id=child_id(parent, "work", index),
        phase="work",
        key=f"k{index}",
        status=Status.COMPLETED,
        outcome={"one": {"n": 1}},
        spent_sec=0.1,
        descendants=0,
        seq=3,
    )


async def _is_whole(queries: Queries, parent: InstanceId, children: int) -> bool:
    info = await queries.status_info(LOCAL_TENANT, parent)
    fan_out, known = info.instance.fan_out, cast("Any", info.instance.variables["children"])
    total = (await queries.tree_status(LOCAL_TENANT, parent)).total_nodes
    events = [entry.event.type for entry in await queries.history(LOCAL_TENANT, parent)]
    assert fan_out is not None
    ended = (len(known), fan_out.ended, sum(kind is EventType.CHILD_ENDED for kind in events))
    return total == children + 1 and ended == (children - 1,) * 3
