"""Deadlines with everything around the rule: leases, notes, children, and what people see."""

from datetime import timedelta

import pytest

from chatflow_jupyter.domain.errors import StaleFence
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Instance, PhaseState, Status, WaitingReason
from chatflow_jupyter.domain.requests import Pause
from chatflow_jupyter.services.gate_now import is_overdue
from tests.services.world import TREE, World, run

PHASE = """\
name: hasty
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb, deadline_sec: 20, retries: {max_attempts: 9, backoff_sec: 8}}
"""
FALLING_BACK = PHASE.replace("backoff_sec: 8}", "backoff_sec: 8}, fallback: two") + (
    "  - {name: two, notebook: one.ipynb}\n"
)
WHOLE = FALLING_BACK.replace("phases:", "deadline_sec: 15\nphases:")
PARENT = TREE.replace("phases:", "deadline_sec: 20\nphases:")
FREED = TREE.replace("  - name: files\n", "  - name: files\n    deadline_sec: 20\n    fallback: two\n") + (
    "  - {name: two, notebook: one.ipynb}\n"
)


async def settle(world: World) -> None:
    """Do everything that is due."""
    while await world.dispatcher.step():
        pass


def code_of(instance: Instance) -> str | None:
    """Why it failed."""
    return instance.failure and instance.failure.code


def test_a_phase_whose_time_is_over_takes_its_attempt_from_whoever_holds_it(world: World) -> None:
    async def story() -> None:
        root = await world.new(PHASE)
        lease = await world.must_lease()
        world.clock.turn(19)
        await settle(world)
        assert (await world.now(root.instance_id)).status is Status.RUNNING
        world.clock.turn(1)
        await settle(world)
        failed = await world.now(root.instance_id)
        assert (failed.status, code_of(failed)) == (Status.FAILED, "deadline_exceeded")
        with pytest.raises(StaleFence):
            await world.end(lease, high=1)
        assert await world.now(root.instance_id) == failed

    run(story())


def test_the_time_of_a_phase_holds_over_all_its_attempts_and_what_lies_between(world: World) -> None:
    async def story() -> None:
        root = await world.new(PHASE)
        await world.end(await world.must_lease(), failure="cell_error")
        world.clock.turn(8)
        await settle(world)
        await world.end(await world.must_lease(), failure="cell_error")
        waiting = await world.now(root.instance_id)
        assert waiting.waiting_reason is WaitingReason.RETRY
        world.clock.turn(12)
        await settle(world)
        failed = await world.now(root.instance_id)
        assert (code_of(failed), failed.phases["one"].attempts) == ("deadline_exceeded", 2)
        world.clock.turn(100)
        await settle(world)
        assert await world.now(root.instance_id) == failed, "a clock was left"

    run(story())


def test_an_overdue_phase_falls_back_but_an_overdue_instance_does_not(world: World) -> None:
    async def story() -> None:
        root = await world.new(FALLING_BACK)
        world.clock.turn(20)
        saved = await world.work_on(root.instance_id)
        assert saved.status is Status.COMPLETED
        assert saved.phases["one"].state is PhaseState.FAILED
        root = await world.new(WHOLE)
        world.clock.turn(15)
        failed = await world.work_on(root.instance_id)
        assert (failed.status, code_of(failed), failed.phase) == (Status.FAILED, "deadline_exceeded", "one")

    run(story())


def test_the_children_of_what_is_overdue_fail_and_all_of_them_can_be_resumed(world: World) -> None:
    async def story() -> None:
        root = await world.new(PARENT)
        held = await world.must_lease()
        world.clock.turn(20)
        await settle(world)
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert [(node.status, code_of(node)) for node in nodes] == [(Status.FAILED, "deadline_exceeded")] * 3
        with pytest.raises(StaleFence):
            await world.end(held)
        await world.trigger(root.instance_id)
        resumed = await world.now(root.instance_id)
        assert resumed.deadline_at == world.clock.now() + timedelta(seconds=20), "no new time was given"
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())


def test_a_phase_that_falls_back_leaves_no_child_behind(world: World) -> None:
    async def story() -> None:
        root = await world.new(FREED)
        await world.must_lease()
        world.clock.turn(20)
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert {node.status for node in nodes[1:]} == {Status.FAILED}

    run(story())


def test_a_parent_resumed_at_once_keeps_the_children_that_are_still_alive(world: World) -> None:
    async def story() -> None:
        root = await world.new(PARENT)
        world.clock.turn(20)
        (timer,) = await world.storage.due_timers(world.clock.now())
        assert timer.instance_id == root.instance_id
        await world.dispatcher._timers()  # the note about the children is written and not read
        await world.trigger(root.instance_id)
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert {node.status for node in nodes} == {Status.COMPLETED}

    run(story())


def test_a_pause_does_not_move_a_deadline(world: World) -> None:
    async def story() -> None:
        root = await world.new(WHOLE)
        await world.orchestrator.apply(LOCAL_TENANT, root.instance_id, Pause(principal=LOCAL_PRINCIPAL))
        world.clock.turn(15)
        await settle(world)
        failed = await world.now(root.instance_id)
        assert (failed.status, failed.paused, code_of(failed)) == (Status.FAILED, False, "deadline_exceeded")

    run(story())


def test_a_child_is_shown_the_deadline_of_its_parent(world: World) -> None:
    async def story() -> None:
        root = await world.new(PARENT)
        child = (await world.storage.tree(LOCAL_TENANT, root.instance_id))[1]
        due = await world.queries.deadline(child)
        assert due is not None
        assert due.at == root.deadline_at
        assert root.instance_id in due.what
        assert not is_overdue(root, world.clock.now())
        world.clock.turn(20)
        assert is_overdue(root, world.clock.now())
        await settle(world)
        ended = await world.now(child.instance_id)
        assert await world.queries.deadline(ended) is None
        assert not is_overdue(await world.now(root.instance_id), world.clock.now())

    run(story())
