"""What a picture of a tree is drawn from: read in a few bounded queries, however large the tree is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import Instance, Status, WaitingReason
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.ports.records import AttemptRow, InstanceFilter
from chatflow_jupyter.services.queries import Queries

MAX_NODES = 300
MAX_FAILED = 10
BY_ITSELF = frozenset({WaitingReason.RETRY, WaitingReason.HOOK, WaitingReason.CACHE})


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A tree at a moment. `nodes` holds the root first and at most some hundred of the others."""

    root: Instance
    definition: Definition
    tree: TreeStatus
    nodes: Mapping[InstanceId, Instance]
    attempts: Mapping[InstanceId, AttemptRow]
    at: datetime

    def children_of(self, parent: InstanceId, phase: str | None = None) -> Sequence[Instance]:
        """Return the known children of a node (of one of its phases), by index."""
        found = [
            node
            for node in self.nodes.values()
            if node.parent is not None
            and node.parent.instance_id == parent
            and (phase is None or node.parent.phase == phase)
        ]
        return sorted(found, key=lambda node: node.parent.index if node.parent else 0)

    @property
    def quiet(self) -> bool:
        """Whether nothing runs or is queued in the whole tree, nor awaited though it comes by itself."""
        coming = any(node.waiting_reason in BY_ITSELF and not node.paused for node in self.nodes.values())
        return not self.attempts and not self.tree.running_nodes and not coming


async def take_snapshot(queries: Queries, root: Instance) -> Snapshot:
    """Read the tree under `root` (any instance whose subtree is wanted; counts are of its whole tree)."""
    tenant_id = root.tenant_id
    current = await queries.instance(tenant_id, root.instance_id)
    attempts = await queries.running_attempts(tenant_id, current.root_id)
    tree = await queries.tree_status(tenant_id, current.root_id)
    nodes = {current.instance_id: current}
    if tree.total_nodes > 1:
        for node in await queries.tree(tenant_id, current.root_id, limit=MAX_NODES):
            nodes.setdefault(node.instance_id, node)
        if tree.total_nodes > MAX_NODES:
            nodes |= await _telling(queries, current, attempts, nodes)
    return Snapshot(
        root=current,
        definition=await queries.definition(current),
        tree=tree,
        nodes=nodes,
        attempts={attempt.instance_id: attempt for attempt in attempts},
        at=datetime.now(UTC),
    )


async def _telling(
    queries: Queries, root: Instance, attempts: Sequence[AttemptRow], known: Mapping[InstanceId, Instance]
) -> dict[InstanceId, Instance]:
    """Return the nodes of a large tree that a reader asks for first: what runs and what failed."""
    found = {}
    for attempt in attempts[:MAX_FAILED]:
        if attempt.instance_id not in known:
            found[attempt.instance_id] = await queries.instance(root.tenant_id, attempt.instance_id)
    wanted = InstanceFilter(parent_id=root.instance_id, status=str(Status.FAILED), limit=MAX_FAILED)
    for node in await queries.instances(root.tenant_id, wanted):
        found[node.instance_id] = node
    return found
