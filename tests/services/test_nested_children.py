"""Trees of more than one level, and what must not stop the others."""

import pytest

from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Status
from tests.services.world import LEAF, World, run

NESTED = """\
name: nested
automation_level: 100
phases:
  - name: branches
    children: {schema: ./branch.yaml, items: [a, b]}
"""
BRANCH = """\
name: branch
automation_level: 100
phases:
  - name: leaves
    children: {schema: ./leaf.yaml, items: [1, 2, 3]}
"""
FROM_TRIGGER = """\
name: from_trigger
automation_level: 100
phases:
  - name: files
    start: on_trigger
    children: {schema: ./leaf.yaml, foreach: trigger.files}
"""


def test_a_child_that_begins_with_children_of_its_own_gets_them(world: World) -> None:
    async def story() -> None:
        root = await world.new(NESTED, files={"branch__yaml": BRANCH})
        ended = await world.work_on(root.instance_id)
        assert ended.status is Status.COMPLETED
        status = await world.queries.tree_status(LOCAL_TENANT, root.instance_id)
        assert (status.total_nodes, status.completed_nodes) == (9, 9)

    run(story())


def test_the_items_of_started_children_cannot_be_changed_by_a_later_trigger(world: World) -> None:
    async def story() -> None:
        root = await world.new(FROM_TRIGGER)
        await world.trigger(root.instance_id, data={"files": ["a", "b"]})
        for _ in range(2):
            await world.end(await world.must_lease(), failure="cell_error")
        await world.dispatcher.step()
        assert (await world.now(root.instance_id)).status is Status.FAILED
        with pytest.raises(Conflict, match="without new data"):
            await world.trigger(root.instance_id, data={"files": []})
        await world.trigger(root.instance_id)
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())


def test_what_was_queued_does_not_start_while_paused(world: World) -> None:
    async def story() -> None:
        root = await world.new(LEAF)
        await world.orchestrator.pause(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        assert await world.lease() is None
        await world.orchestrator.resume(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())


def test_a_note_that_cannot_be_handled_does_not_stop_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        bad = await world.new(FROM_TRIGGER)
        await world.trigger(bad.instance_id, data={"files": ["a"]})
        await world.end(await world.must_lease())
        good = await world.new(NESTED, files={"branch__yaml": BRANCH})
        apply = world.orchestrator.apply

        async def poisoned(tenant_id, instance_id, request, **more):  # type: ignore[no-untyped-def]
            if instance_id == bad.instance_id:
                raise IndexError("a defect of ours")
            return await apply(tenant_id, instance_id, request, **more)

        monkeypatch.setattr(world.orchestrator, "apply", poisoned)
        assert (await world.work_on(good.instance_id)).status is Status.COMPLETED
        assert await world.storage.continuations(), "the note waits for whoever repairs the defect"

    run(story())
