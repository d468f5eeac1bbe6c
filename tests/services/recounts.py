"""Everything that is counted about a tree, counted anew over all its rows."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from chatflow_jupyter.adapters.unfinished_work import is_busy
from chatflow_jupyter.domain.fan_out import known_children
from chatflow_jupyter.domain.ids import LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import FINAL, Instance, PhaseState, Status
from chatflow_jupyter.domain.tree import NodeClass, node_class, tree_status
from tests.services.world import World

BAD = (Status.FAILED, Status.TERMINATED)


async def nodes_of(world: World, root_id: InstanceId) -> dict[InstanceId, Instance]:
    """Return every node of the tree, by id."""
    nodes: dict[InstanceId, Instance] = {}
    last = None
    while page := await world.storage.tree(LOCAL_TENANT, root_id, after=last):
        nodes |= {node.instance_id: node for node in page}
        last = page[-1].instance_id
    return nodes


async def check_counters(world: World, root_id: InstanceId) -> dict[InstanceId, Instance]:
    """Assert that the row of the tree and its status are a recount; returns the nodes."""
    nodes = await nodes_of(world, root_id)
    counts, root, now = Counter(map(node_class, nodes.values())), nodes[root_id], world.clock.now()
    times = {"started_at": root.started_at, "ended_at": root.ended_at, "now": now}
    told = await world.storage.tree_status(LOCAL_TENANT, root_id, now)
    assert told == tree_status(root_id, counts, **times)
    assert told.total_nodes == len(nodes)
    row = await world.storage._database.read(
        lambda c: c.exec_driver_sql("SELECT * FROM trees").mappings().one()
    )
    assert {each: row[each.value] for each in NodeClass} == {each: counts[each] for each in NodeClass}
    assert row["busy"] == sum(map(is_busy, nodes.values()))
    await _check_usage(world, nodes, row["asked"])
    check_births(nodes)
    return nodes


async def _check_usage(world: World, nodes: Mapping[InstanceId, Instance], asked: int) -> None:
    asked_for = {name: _own(node, "descendants") + _unborn(node) for name, node in nodes.items()}
    assert asked == sum(asked_for.values())
    limiting = [name for name, node in nodes.items() if node.limits != node.lineage]
    root_id = next(iter(nodes))
    used = await world.storage.used(LOCAL_TENANT, root_id, limiting)
    for name in limiting:
        below = [
            other for other, node in nodes.items() if any(one.instance_id == name for one in node.limits)
        ]
        assert used.by(name).children == sum(asked_for[other] for other in below)
        assert used.by(name).spent_sec == sum(_own(nodes[other], "spent_sec") for other in below)


def _own(node: Instance, name: str) -> Any:
    """Return what is the node's own of a sum that includes what it heard of its children."""
    heard: Any = known_children(node).values()
    return getattr(node, name) - sum(entry[name] for entry in heard)


def _unborn(node: Instance) -> int:
    return 0 if node.fan_out is not None else len(node.spawned)


def families_of(nodes: Mapping[InstanceId, Instance]) -> dict[tuple[InstanceId, str], list[Instance]]:
    """Return the children of every parent and phase."""
    families: dict[tuple[InstanceId, str], list[Instance]] = {}
    for node in nodes.values():
        if node.parent is not None:
            families.setdefault((node.parent.instance_id, node.parent.phase), []).append(node)
    return families


def check_births(nodes: Mapping[InstanceId, Instance]) -> None:
    """Assert that every child that a parent started is there, once, and no other."""
    for (parent_id, phase), children in families_of(nodes).items():
        parent, keys = nodes[parent_id], {child.parent.key for child in children if child.parent}
        assert len(keys) == len(children), "one key, two children"
        if parent.phase == phase and parent.fan_out is not None:
            assert parent.fan_out.started == len(children)
        elif parent.phases[phase].state is PhaseState.SUCCEEDED:
            assert keys <= known_children(parent).keys(), "it went on without having heard of all"


async def check_families(world: World, nodes: Mapping[InstanceId, Instance]) -> int:
    """Assert that parents know their children as they are, once no note waits; returns how many wait."""
    assert await world.storage.continuations() == ()
    standing = 0
    for (parent_id, phase), children in families_of(nodes).items():
        parent, known = nodes[parent_id], cast("Any", known_children(nodes[parent_id]))
        ends = {child.parent.key: child for child in children if child.parent and child.ended}
        for key, child in ends.items():
            if key in known and known[key]["seq"] == child.seq:
                heard = child.status, child.spent_sec, child.descendants
                assert tuple(known[key][name] for name in ("status", "spent_sec", "descendants")) == heard
        if parent.phase != phase or parent.fan_out is None or parent.status in FINAL:
            continue
        standing += 1
        assert parent.fan_out.ended == len(ends)
        assert parent.fan_out.failed == sum(child.status in BAD for child in ends.values())
        for key, child in ends.items():  # one that failed may have heard of its own children since
            assert known[key]["seq"] == child.seq or (child.status is Status.FAILED and child.descendants)
            assert known[key]["status"] == child.status
    return standing


async def check_spent(world: World, nodes: Mapping[InstanceId, Instance], each_sec: float) -> None:
    """Assert that every node spent what its attempts took that were reported, and no more."""
    rows = await world.storage._database.read(
        lambda c: c.exec_driver_sql(
            "SELECT instance_id, count(*) FROM attempts WHERE status IN ('succeeded', 'failed') GROUP BY 1"
        ).all()
    )
    reported: Counter[Any] = Counter(dict(tuple(row) for row in rows))
    assert {name: _own(node, "spent_sec") for name, node in nodes.items()} == {
        name: reported[name] * each_sec for name in nodes
    }
