"""Children a notebook asks for: born with its success, however often its attempt is made."""

from typing import Any

import pytest

from chatflow_jupyter.domain.errors import StaleFence
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import Failure, Instance, Spawned, Status, WaitingReason
from chatflow_jupyter.ports.records import AttemptReport, InstanceFilter, Lease
from tests.services.world import LEASE_SEC, ProcessDied, World, run

SPAWNER = """\
name: spawner
automation_level: 100
phases:
  - name: plan
    notebook: one.ipynb
    retries: {max_attempts: 2}
    spawns: {schemas: [./leaf.yaml, ./picky.yaml]}
  - {name: close, notebook: one.ipynb}
"""
PICKY = """\
name: picky
automation_level: 100
parameters: {type: object, properties: {n: {type: integer}}, required: [n]}
phases:
  - {name: look, notebook: one.ipynb}
"""


async def spawner(world: World, definition: str = SPAWNER) -> Instance:
    return await world.new(definition, files={"picky__yaml": PICKY})


def one(key: str, schema: str = "./leaf.yaml", **context: Any) -> Spawned:
    return Spawned(schema_ref=schema, key=key, context=context)


async def report(world: World, lease: Lease, *spawned: Spawned, failure: str | None = None) -> None:
    ended = Failure(code=failure, message="it failed") if failure else None
    told = AttemptReport(duration_sec=1.0, spawned=spawned, failure=ended)
    await world.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, told)


async def keys_of(world: World, parent: InstanceId) -> list[str]:
    """The keys of the children that were born, by their index."""
    found = await world.storage.instances(LOCAL_TENANT, InstanceFilter(parent_id=parent, limit=1000))
    return [child.parent.key for child in found if child.parent is not None]


def test_the_lease_tells_what_may_be_started_and_success_starts_it(world: World) -> None:
    async def story() -> None:
        root = await spawner(world)
        lease = await world.must_lease()
        assert lease.spawns == ("./leaf.yaml", "./picky.yaml")
        await report(world, lease, one("a"), one("b", "./picky.yaml", n=1))
        assert await keys_of(world, root.instance_id) == ["a", "b"]
        now = await world.now(root.instance_id)
        assert (now.waiting_reason, now.waiting_detail) == (
            WaitingReason.CHILDREN,
            "2 children of phase plan",
        )
        for _ in range(2):
            leaf = await world.must_lease()
            assert leaf.spawns == ()
            await world.end(leaf, found=leaf.attempt.parameters)
        while await world.dispatcher.step():
            pass
        closing = await world.must_lease()
        children: Any = closing.variables["children"]
        assert {key: entry["look"]["found"] for key, entry in children.items()} == {"a": {}, "b": {"n": 1}}
        await world.end(closing)
        ended = await world.now(root.instance_id)
        assert (ended.status, ended.spawned) == (Status.COMPLETED, ())

    run(story())


def test_an_attempt_that_fails_starts_none_and_the_one_after_it_its_own(world: World) -> None:
    async def story() -> None:
        root = await spawner(world)
        await report(world, await world.must_lease(), one("a"), failure="cell_error")
        assert await keys_of(world, root.instance_id) == []
        await report(world, await world.must_lease(), one("b"))
        assert await keys_of(world, root.instance_id) == ["b"]

    run(story())


def test_a_lost_attempt_that_is_made_again_starts_them_once(world: World) -> None:
    async def story() -> None:
        root = await spawner(world)
        lost = await world.must_lease()
        world.clock.turn(LEASE_SEC + 1)
        await world.dispatcher.step()
        again = await world.must_lease()
        assert again.attempt.number == 2
        with pytest.raises(StaleFence):
            await report(world, lost, one("a"), one("late"))
        await report(world, again, one("a"), one("b"))
        assert await keys_of(world, root.instance_id) == ["a", "b"]
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())


def test_a_process_that_dies_right_after_their_birth_starts_no_others(world: World) -> None:
    async def story() -> None:
        root = await spawner(world)
        lease = await world.must_lease()
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await report(world, lease, one("a"), one("b"))
        world.execution = world.new_execution(None)
        assert await keys_of(world, root.instance_id) == ["a", "b"]
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED
        assert await keys_of(world, root.instance_id) == ["a", "b"]

    run(story())


def test_a_context_that_does_not_fit_makes_a_failed_child_and_fails_the_phase(world: World) -> None:
    async def story() -> None:
        root = await spawner(world)
        await report(world, await world.must_lease(), one("bad", "./picky.yaml", n="text"), one("good"))
        failed = await world.work_on(root.instance_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (Status.FAILED, "child_failed")
        children: Any = failed.variables["children"]
        assert {key: entry["status"] for key, entry in children.items()} == {
            "bad": "failed",
            "good": "completed",
        }
        found = await world.storage.instances(LOCAL_TENANT, InstanceFilter(parent_id=root.instance_id))
        assert found[0].failure is not None
        assert found[0].failure.code == "invalid_parameters"
        assert "n" in found[0].failure.message

    run(story())


def test_with_continue_a_failed_child_is_for_the_next_phase_to_read(world: World) -> None:
    async def story() -> None:
        tolerant = SPAWNER.replace("./picky.yaml]}", "./picky.yaml], on_failure: continue}")
        root = await spawner(world, tolerant)
        await report(world, await world.must_lease(), one("bad", "./picky.yaml"), one("good"))
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())


def test_a_failed_phase_is_resumed_through_the_children_its_notebook_asked_for(world: World) -> None:
    async def story() -> None:
        narrow = SPAWNER.replace("./picky.yaml]}", "./picky.yaml], max_parallel: 1}")
        root = await spawner(world, narrow)
        await report(world, await world.must_lease(), one("a"), one("b"), one("c"))
        await world.end(await world.must_lease(), failure="cell_error")
        while await world.dispatcher.step():
            pass
        assert (await world.now(root.instance_id)).status is Status.FAILED
        assert await keys_of(world, root.instance_id) == ["a"], "none is born after a failure"
        await world.trigger(root.instance_id)
        ended = await world.work_on(root.instance_id)
        assert (ended.status, ended.phases["plan"].attempts) == (Status.COMPLETED, 1)
        assert await keys_of(world, root.instance_id) == ["a", "b", "c"]

    run(story())


def test_hundreds_are_born_in_several_commits(world: World) -> None:
    async def story() -> None:
        wide = SPAWNER.replace("./picky.yaml]}", "./picky.yaml], max_parallel: 1000}")
        root = await spawner(world, wide)
        keys = [f"n{number:03d}" for number in range(450)]
        await report(world, await world.must_lease(), *map(one, keys))
        assert len(await keys_of(world, root.instance_id)) == 200
        await world.orchestrator.pause(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        while await world.dispatcher.step():
            pass
        assert len(await keys_of(world, root.instance_id)) == 200, "none is born while it is paused"
        await world.orchestrator.resume(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED
        status = await world.queries.tree_status(LOCAL_TENANT, root.instance_id)
        assert (status.total_nodes, status.completed_nodes) == (451, 451)

    run(story())


def test_what_the_caller_goes_on_changing_is_not_what_was_asked_for(world: World) -> None:
    async def story() -> None:
        narrow = SPAWNER.replace("./picky.yaml]}", "./picky.yaml], max_parallel: 1}")
        root = await spawner(world, narrow)
        held: dict[str, Any] = {"n": [1]}
        second = Spawned(schema_ref="./leaf.yaml", key="b", context=held)
        await report(world, await world.must_lease(), one("a"), second)
        held["n"].append(2)
        assert (await world.now(root.instance_id)).spawned[1].context == {"n": [1]}

    run(story())
