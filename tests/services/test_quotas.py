"""Quotas over a subtree: what one child uses is gone for all, at once, also when two ask at once."""

from itertools import pairwise

import pytest

from chatflow_jupyter.adapters.memory import usage
from chatflow_jupyter.domain import quota_rules
from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.ids import LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import Instance, Spawned, Status, WaitingReason
from chatflow_jupyter.ports.records import AttemptReport, InstanceFilter, Lease
from tests.services.world import World, run

TWINS = """\
name: twins
automation_level: 100
quota: {QUOTA}
phases:
  - name: both
    children: {schema: ./twin.yaml, items: [a, b], key: {field: item}, on_failure: continue}
"""
TWIN = """\
name: twin
automation_level: 100
quota: {max_duration_sec: 1000, max_children: 50}
phases:
  - {name: bear, notebook: one.ipynb, timeout_sec: 20, spawns: {schemas: [./leaf.yaml]}}
  - {name: tail, notebook: one.ipynb}
"""


async def twins(world: World, quota: str) -> tuple[Instance, Lease, Lease]:
    """A root with two children whose first notebooks both run."""
    root = await world.new(TWINS.replace("QUOTA", quota), files={"twin__yaml": TWIN})
    return root, await world.must_lease(), await world.must_lease()


async def report(world: World, lease: Lease, *keys: str, sec: float = 1.0) -> None:
    spawned = tuple(Spawned(schema_ref="./leaf.yaml", key=key, context={}) for key in keys)
    told = AttemptReport(duration_sec=sec, spawned=spawned)
    await world.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, told)


async def child(world: World, lease: Lease) -> Instance:
    return await world.now(lease.attempt.instance_id)


def test_siblings_share_what_is_left_and_not_each_gets_it(world: World) -> None:
    async def story() -> None:
        root, one, other = await twins(world, "max_duration_sec: 10")
        assert (one.attempt.timeout_sec, other.attempt.timeout_sec) == (10, 10)
        await report(world, one, sec=6)
        tail = await world.must_lease()
        assert tail.attempt.timeout_sec == 4, "what is left of the root's, not of its own"
        await report(world, other, sec=4)
        waiting = await child(world, other)
        assert waiting.waiting_reason is WaitingReason.BUDGET
        detail = f"max_duration_sec of {root.instance_id}, above it: 10.0 of 10 s are used"
        assert waiting.waiting_detail == detail
        with pytest.raises(Conflict) as refused:
            await world.trigger(waiting.instance_id)
        assert refused.value.code == "budget_exhausted"
        assert detail in refused.value.message
        assert "fork whoever has it with a definition that allows more" in refused.value.message
        assert (await world.now(root.instance_id)).waiting_reason is WaitingReason.CHILDREN

    run(story())


def test_what_was_queued_does_not_start_once_others_have_used_the_time(world: World) -> None:
    async def story() -> None:
        _, one, other = await twins(world, "max_duration_sec: 10")
        await report(world, one, sec=3)
        await report(world, other, sec=7)  # the tail of the first is queued since before
        assert (await child(world, one)).status is Status.RUNNING
        assert await world.lease() is None
        assert (await child(world, one)).waiting_reason is WaitingReason.BUDGET
        (tail,) = [
            row
            for row in await world.storage.attempts(LOCAL_TENANT, one.attempt.instance_id)
            if row.phase == "tail"
        ]
        assert tail.status == "cancelled"

    run(story())


def test_an_attempt_that_starts_late_gets_what_is_left_then(world: World) -> None:
    async def story() -> None:
        _, one, other = await twins(world, "max_duration_sec: 18")
        await report(world, one, sec=3)
        await report(world, other, sec=7)
        late = await world.must_lease()
        queued = await world.storage.attempt(LOCAL_TENANT, late.attempt.attempt_id)
        assert (queued.timeout_sec, late.attempt.timeout_sec) == (15, 8)

    run(story())


def test_children_asked_for_by_one_are_no_more_there_for_the_other(world: World) -> None:
    async def story() -> None:
        root, one, other = await twins(world, "max_children: 5")
        await report(world, one, "x", "y")
        await report(world, other, "x", "y")
        failed = await child(world, other)
        assert failed.failure is not None
        assert failed.failure.code == "quota_exceeded"
        assert failed.failure.message == (
            f"children: 2 more children would exceed max_children 5 of {root.instance_id}, above it"
        )
        assert await grandchildren(world, other.attempt.instance_id) == 0

    run(story())


async def grandchildren(world: World, of: InstanceId) -> int:
    return len(await world.storage.instances(LOCAL_TENANT, InstanceFilter(parent_id=of)))


def test_two_who_ask_at_the_same_moment_do_not_both_get_the_last_room(world: World) -> None:
    async def story() -> None:
        _, one, other = await twins(world, "max_children: 5")

        async def meanwhile() -> None:
            await report(world, other, "x", "y")

        world.storage.before_commit = meanwhile
        await report(world, one, "x", "y")
        late, first = await child(world, one), await child(world, other)
        assert first.waiting_reason is WaitingReason.CHILDREN
        assert late.failure is not None
        assert late.failure.code == "quota_exceeded"

    run(story())


def test_a_tree_that_breeds_without_a_limit_comes_to_an_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (usage, quota_rules):
        monkeypatch.setattr(module, "MAX_CHILDREN_OF_TREE", 30)
    bomb = "name: N\nphases:\n  - {name: bear, notebook: one.ipynb, spawns: {schemas: [./M.yaml]}}\n"
    chain = ("twin", "second", "third", "leaf")
    files = {
        f"{name}__yaml": bomb.replace("N", name).replace("M", following)
        for name, following in pairwise(chain)
    }

    async def story() -> None:
        root = await world.new(TWINS.replace("quota: {QUOTA}\n", ""), files=files)
        while True:
            if await world.dispatcher.step():
                continue
            lease = await world.lease()
            if lease is None:
                break
            spawned = tuple(
                Spawned(schema_ref=schema, key=key, context={}) for schema in lease.spawns for key in "abc"
            )
            told = AttemptReport(duration_sec=1.0, spawned=spawned)
            await world.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, told)
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert all(node.ended for node in nodes)
        assert len(nodes) <= 31
        codes = {node.failure.code for node in nodes if node.failure}
        assert "quota_exceeded" in codes
        full = next(node.failure for node in nodes if node.failure and node.failure.code == "quota_exceeded")
        assert full.message == "children: 3 more children would be more than the 30 a tree may have"

    run(story())


def test_a_child_goes_no_deeper_than_its_root_allows(world: World) -> None:
    async def story() -> None:
        deep = TWIN.replace("quota: {max_duration_sec: 1000, max_children: 50}", "max_depth: 20")
        definition = TWINS.replace("quota: {QUOTA}", "max_depth: 2")
        await world.new(definition, files={"twin__yaml": deep})
        lease = await world.must_lease()
        await report(world, lease, "x")
        failed = await child(world, lease)
        assert failed.failure is not None
        assert (failed.failure.code, failed.failure.message) == (
            "too_deep",
            "children: the tree may be at most 2 deep",
        )

    run(story())


def test_a_large_value_is_not_copied_into_children_without_end(world: World) -> None:
    async def story() -> None:
        definition = """\
name: copier
phases:
  - name: copies
    children: {schema: ./leaf.yaml, foreach: context.items, context: {all: {field: context.large}}}
"""
        context = {"items": list(range(80)), "large": "x" * 1024 * 1024}
        root = await world.new(definition, context=context)
        assert root.failure is not None
        assert root.failure.code == "invalid_children"
        assert root.failure.message.startswith(
            "children: their contexts are more than 67108864 bytes together"
        )
        few = await world.new(definition, context={**context, "items": [1, 2]})
        assert few.waiting_reason is WaitingReason.CHILDREN

    run(story())


def test_a_tree_without_limits_is_not_asked_for_what_it_used(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(*_: object) -> None:
        message = "nothing limits this tree"
        raise AssertionError(message)

    monkeypatch.setattr(world.storage, "used", asked)

    async def story() -> None:
        root = await world.new()
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())
