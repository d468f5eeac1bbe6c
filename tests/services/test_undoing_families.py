"""Undoing in trees: what a child could not undo, or has not undone yet, is not lost by its parent."""

from unittest import mock

import pytest

from chatflow_jupyter.domain import advance
from chatflow_jupyter.domain.ids import ENGINE_PRINCIPAL, LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.domain.requests import Terminate
from chatflow_jupyter.ports.records import InstanceFilter
from chatflow_jupyter.services import family
from tests.engine.invariants import check_no_undoing_is_lost
from tests.services.world import World, run

CHILD = """\
name: child
automation_level: 100
on_failure: compensate
phases:
  - {name: charge, notebook: one.ipynb, compensate: one.ipynb}
  - {name: two, notebook: one.ipynb}
"""
FORWARD_ONLY = CHILD.replace("on_failure: compensate\n", "")
PARENT = """\
name: parent
automation_level: 100
on_failure: compensate
phases:
  - {name: prepare, notebook: one.ipynb, compensate: one.ipynb}
  - name: files
    children: {schema: ./child.yaml, items: [a]}
"""
TOLERANT = PARENT.replace("items: [a]", "items: [a], on_failure: continue") + (
    "  - {name: later, notebook: one.ipynb}\n"
)
TALL = PARENT.replace("./child.yaml", "./middle.yaml")
MIDDLE = """\
name: middle
automation_level: 100
phases:
  - name: files
    children: {schema: ./child.yaml, items: [a]}
"""


async def settle(world: World) -> None:
    while await world.dispatcher.step():
        pass


async def only_child(world: World, parent: Instance) -> Instance:
    """Return the only child as it is now."""
    wanted = InstanceFilter(parent_id=parent.instance_id, limit=2)
    (child,) = await world.storage.instances(LOCAL_TENANT, wanted)
    return child


async def attempt(world: World, phase: str, *, fails: bool = False) -> None:
    """Have the only attempt there is end; it must be one of that phase."""
    await settle(world)
    lease = await world.must_lease()
    assert lease.attempt.phase == phase
    await world.end(lease, failure="cell_error" if fails else None)
    await settle(world)


async def refund_that_failed(world: World, text: str, **files: str) -> Instance:
    """Return a parent whose child, of whichever generation, failed and could not undo what it did."""
    parent = await world.new(text, files={"child__yaml": CHILD, **files})
    await attempt(world, "prepare")
    await attempt(world, "charge")
    await attempt(world, "two", fails=True)
    await attempt(world, "charge.compensate", fails=True)
    return parent


def test_a_parent_is_not_undone_over_a_child_that_could_not_undo(world: World) -> None:
    async def story() -> None:
        parent = await refund_that_failed(world, PARENT)
        held = await world.now(parent.instance_id)
        assert held.status is Status.FAILED
        assert held.failure is not None
        assert held.failure.code == "compensation_failed"
        assert "1 of 1 child could not undo what was done: files-0" in held.failure.message
        await world.trigger(parent.instance_id)  # the bank is open again
        await attempt(world, "charge.compensate")
        await attempt(world, "prepare.compensate")
        assert (await only_child(world, parent)).compensated
        over = await world.now(parent.instance_id)
        assert (over.status, over.compensated) == (Status.FAILED, True)

    run(story())


def test_a_person_who_helps_the_child_first_lets_its_parent_go_on(world: World) -> None:
    async def story() -> None:
        parent = await refund_that_failed(world, PARENT)
        await world.trigger((await only_child(world, parent)).instance_id)
        await attempt(world, "charge.compensate")
        await world.trigger(parent.instance_id)
        await attempt(world, "prepare.compensate")
        over = await world.now(parent.instance_id)
        assert (over.status, over.compensated) == (Status.FAILED, True)

    run(story())


def test_a_refund_two_generations_below_holds_the_root_up(world: World) -> None:
    async def story() -> None:
        root = await refund_that_failed(world, TALL, middle__yaml=MIDDLE)
        held = await world.now(root.instance_id)
        assert (held.status, held.is_undoing) == (Status.FAILED, True)
        await world.trigger(root.instance_id)
        await attempt(world, "charge.compensate")
        await attempt(world, "prepare.compensate")
        middle = await only_child(world, root)
        assert middle.compensated
        assert (await only_child(world, middle)).compensated

    run(story())


def test_a_tolerated_child_that_could_not_undo_outlives_its_undone_parent(world: World) -> None:
    async def story() -> None:
        parent = await refund_that_failed(world, TOLERANT)
        await attempt(world, "later", fails=True)
        await attempt(world, "prepare.compensate")
        assert (await world.now(parent.instance_id)).compensated
        child = await only_child(world, parent)
        assert (child.status, child.is_undoing) == (Status.FAILED, True)
        await world.trigger(child.instance_id)
        await attempt(world, "charge.compensate")
        assert (await only_child(world, parent)).compensated

    run(story())


@pytest.mark.parametrize("by_person", [False, True], ids=["by the failure", "asked for"])
def test_a_child_somebody_resumed_is_not_ended_half_done(world: World, *, by_person: bool) -> None:
    async def story() -> None:
        text = TOLERANT.replace("on_failure: compensate\n", "") if by_person else TOLERANT
        parent = await world.new(text, files={"child__yaml": FORWARD_ONLY})
        await attempt(world, "prepare")
        await attempt(world, "charge")
        await attempt(world, "two", fails=True)
        later = await world.must_lease()
        await world.trigger((await only_child(world, parent)).instance_id)
        assert (await world.must_lease()).attempt.phase == "two"  # it is in the middle of it
        if by_person:
            await world.orchestrator.terminate(
                LOCAL_TENANT, parent.instance_id, LOCAL_PRINCIPAL, compensate=True
            )
        else:
            await world.end(later, failure="cell_error")
        await settle(world)
        assert (await only_child(world, parent)).status is Status.COMPENSATING  # together with its parent
        for _ in range(2):  # in either order
            lease = await world.must_lease()
            assert lease.attempt.phase in ("prepare.compensate", "charge.compensate")
            await world.end(lease)
        await settle(world)
        assert (await world.now(parent.instance_id)).compensated
        assert (await only_child(world, parent)).compensated

    run(story())


def test_asking_a_paused_tree_to_undo_lifts_its_pause_also_where_undoing_had_begun(world: World) -> None:
    async def story() -> None:
        parent = await world.new(PARENT, files={"child__yaml": CHILD})
        await attempt(world, "prepare")
        await attempt(world, "charge")
        await attempt(world, "two", fails=True)
        ask = (LOCAL_TENANT, parent.instance_id, LOCAL_PRINCIPAL)
        await world.orchestrator.pause(*ask)
        await settle(world)
        assert (await only_child(world, parent)).paused
        await world.orchestrator.terminate(*ask, compensate=True)
        await settle(world)
        events = await world.storage.events(LOCAL_TENANT, instance_id=parent.instance_id, after=0, limit=99)
        told = [str(one.event.type) for one in events]
        assert told[told.index("InstancePaused") + 1 :][:2] == ["InstanceResumed", "CompensationStarted"]
        await attempt(world, "charge.compensate")
        await attempt(world, "prepare.compensate")
        over = await world.now(parent.instance_id)
        assert (over.status, over.compensated) == (Status.TERMINATED, True)

    run(story())


def test_that_an_undoing_was_lost_is_noticed_without_a_model(world: World) -> None:
    plainly = Terminate(principal=ENGINE_PRINCIPAL, reason="its parent was undone")

    async def story() -> None:
        with (
            mock.patch.object(advance, "stuck_children", return_value=None),
            mock.patch.object(family, "_end_below_undone", return_value=plainly),
        ):
            parent = await refund_that_failed(world, PARENT)
            await attempt(world, "prepare.compensate")
        tree = await world.storage.tree(LOCAL_TENANT, parent.instance_id)
        nodes = {str(node.instance_id): node for node in tree}
        child = str((await only_child(world, parent)).instance_id)
        check_no_undoing_is_lost(nodes, ())  # a person gave it up
        with pytest.raises(AssertionError, match="had not undone what it did"):
            check_no_undoing_is_lost(nodes, {child})

    run(story())
