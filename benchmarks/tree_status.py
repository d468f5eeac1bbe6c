"""The status of a tree costs the same however large the tree is."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, holds
from benchmarks.stores import Store, open_store, record_of
from chatflow_jupyter.domain.birth import create_child
from chatflow_jupyter.domain.decision import ChildRequest
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, child_id
from chatflow_jupyter.domain.instance import Instance, ParentLink
from chatflow_jupyter.ports.records import Commit, DefinitionRecord, Transition
from chatflow_jupyter.services.orchestrator import NewInstance

SMALL, LARGE = 10, 100_000
BATCH = 2_000
ROUNDS = 300
GOAL = 1.2
FAMILY = "name: family\nphases:\n  - {name: plan, notebook: n.ipynb}\n"
LEAF = "name: leaf\nphases:\n  - {name: one, notebook: n.ipynb}\n"


def measure() -> Sequence[Figure]:
    """Build both trees in one store, then ask for their status in turns."""
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        return asyncio.run(_measured(Path(place) / "trees.db"))


async def _measured(path: Path) -> list[Figure]:
    async with open_store(path) as store:
        roots = {nodes: await _grow(store, nodes) for nodes in (SMALL, LARGE)}
        counted = {nodes: await _total(store, root_id) for nodes, root_id in roots.items()}
        taken: dict[int, list[float]] = {nodes: [] for nodes in roots}
        for _ in range(ROUNDS):
            for nodes, root_id in roots.items():
                taken[nodes].append(await _asked_sec(store, root_id))
    small_sec, large_sec = median(taken[SMALL]), median(taken[LARGE])
    micros = f"{large_sec * 1e6:.0f} us at {LARGE:,}, {small_sec * 1e6:.0f} us at {SMALL}"
    how = f"medians of {ROUNDS} in turns: {micros}"
    return [
        Figure(
            name=f"tree status at {LARGE:,} nodes over {SMALL}",
            value=large_sec / small_sec,
            unit="x",
            goal=GOAL,
            how=how,
        ),
        holds("every node is counted", counted == {SMALL: SMALL, LARGE: LARGE}, f"{counted}"),
    ]


async def _asked_sec(store: Store, root_id: InstanceId) -> float:
    began = time.perf_counter()
    await store.storage.tree_status(LOCAL_TENANT, root_id, datetime.now(UTC))
    return time.perf_counter() - began


async def _total(store: Store, root_id: InstanceId) -> int:
    return (await store.storage.tree_status(LOCAL_TENANT, root_id, datetime.now(UTC))).total_nodes


async def _grow(store: Store, nodes: int) -> InstanceId:
    """Create a root and `nodes - 1` children, each with everything a child is born with."""
    leaf, family = record_of(LEAF), record_of(FAMILY)
    for record in (leaf, family):
        await store.storage.save_definition(record)
    new = NewInstance(record=family, context={}, principal=LOCAL_PRINCIPAL, start=True)
    root = await store.orchestrator.create(new)
    for begin in range(0, nodes - 1, BATCH):
        births = tuple(_birth(leaf, root, index) for index in range(begin, min(begin + BATCH, nodes - 1)))
        await store.storage.commit(Commit(tenant_id=LOCAL_TENANT, transitions=births))
    return root.instance_id


def _birth(leaf: DefinitionRecord, root: Instance, index: int) -> Transition:
    request = ChildRequest(
        instance_id=child_id(root.instance_id, "plan", index),
        schema_ref="leaf",
        link=ParentLink(
            instance_id=root.instance_id, phase="plan", index=index, key=f"plan-{index}", tolerated=False
        ),
        context={"index": index},
    )
    decision = create_child(leaf.definition, leaf.reference, root, request, datetime.now(UTC))
    return Transition(before=None, decision=decision)
