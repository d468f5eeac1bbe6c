"""Instances that begin in the middle of others, through the store and the engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import ChatFlowError, Conflict, InvalidInput, KeyReused, NotFound
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import ForkOrigin, Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import Terminate
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.services.forks import NewFork
from tests.services.world import LEAF, NOTEBOOK, World, run

STORY = """\
name: story
version: 1.0.0
automation_level: 60
parameters: {type: object, properties: {month: {type: integer}, year: {type: integer}}}
phases:
  - {name: collect, notebook: one.ipynb}
  - {name: check, notebook: one.ipynb, gate: {title: Look}}
  - name: files
    children: {schema: ./leaf.yaml, items: [a, b]}
  - {name: wait, notebook: one.ipynb, start: on_trigger}
  - {name: publish, notebook: one.ipynb}
"""
SAGA = """\
name: saga
automation_level: 100
phases:
  - {name: reserve, notebook: one.ipynb, compensate: one.ipynb}
  - {name: charge, notebook: one.ipynb, compensate: one.ipynb}
  - {name: ship, notebook: one.ipynb}
"""


async def fork(
    world: World, source: Instance, phase: str, *, key: str | None = None, **more: Any
) -> Instance:
    wanted = NewFork(
        tenant_id=LOCAL_TENANT,
        source_id=source.instance_id,
        phase=phase,
        principal=LOCAL_PRINCIPAL,
        **more,
    )
    return await world.forks.fork(wanted, key=key)


async def told(world: World, context: Mapping[str, Any] | None = None) -> Instance:
    """A whole story: every phase passed, with data given at the gate and at the trigger."""
    instance = await world.new(STORY, context=dict(context or {"month": 4}))
    await world.work_on(instance.instance_id, n=1)
    await world.trigger(instance.instance_id, decision="approve", data={"note": "fine"})
    await world.work_on(instance.instance_id, n=2)
    await world.trigger(instance.instance_id, data={"note": "late", "go": True})
    return await world.work_on(instance.instance_id, n=3)


async def refusal(world: World, kind: type[ChatFlowError], *arguments: Any, **more: Any) -> ChatFlowError:
    with pytest.raises(kind) as caught:
        await fork(world, *arguments, **more)
    return caught.value


def test_what_was_passed_before_stands_and_nothing_of_it_runs_again(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        assert source.status is Status.COMPLETED
        made = await fork(world, source, "publish")
        assert (made.status, made.phase) == (Status.RUNNING, "publish")
        assert made.forked_from == ForkOrigin(instance_id=source.instance_id, phase="publish", seq=source.seq)
        assert list(made.phases) == list(source.phases)
        for name in ("collect", "check", "files", "wait"):
            before, after = source.phases[name], made.phases[name]
            assert after.shared
            assert (after.state, after.gate, after.attempts) == (before.state, before.gate, before.attempts)
            assert made.variables.get(name) == source.variables.get(name)
        assert made.variables["children"] == source.variables["children"]
        assert made.variables["trigger"] == {"note": "late", "go": True}
        assert "publish" not in made.variables
        lease = await world.must_lease()
        assert (lease.attempt.instance_id, lease.attempt.phase) == (made.instance_id, "publish")
        await world.end(lease, n=9)
        assert (await world.now(made.instance_id)).status is Status.COMPLETED
        assert await world.now(source.instance_id) == source

    run(story())


def test_data_that_came_later_is_not_known_yet_and_a_gate_asks_again(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        at_trigger = await fork(world, source, "wait")
        assert at_trigger.waiting_reason is WaitingReason.TRIGGER
        assert at_trigger.variables["trigger"] == {"note": "fine"}
        at_gate = await fork(world, source, "check")
        assert at_gate.waiting_reason is WaitingReason.APPROVAL
        assert "trigger" not in at_gate.variables
        assert "children" not in at_gate.variables
        first = await fork(world, source, "collect")
        assert not any(record.shared for record in first.phases.values())
        assert first.variables == {}

    run(story())


def test_the_children_of_the_phase_it_begins_at_are_born_anew(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        made = await fork(world, source, "files")
        assert made.waiting_reason is WaitingReason.CHILDREN
        children = [node for node in await world.queries.tree(LOCAL_TENANT, made.instance_id) if node.parent]
        assert [node.parent.key for node in children if node.parent] == ["files-0", "files-1"]
        assert made.descendants == 2
        after = await world.work_on(made.instance_id, n=5)
        assert after.waiting_reason is WaitingReason.TRIGGER

    run(story())


def test_changed_parameters_are_checked_and_what_ran_before_is_said(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        made = await fork(world, source, "publish", changes={"month": 5, "year": 2026})
        assert made.context == {"month": 5, "year": 2026}
        lease = await world.must_lease()
        assert lease.attempt.parameters["month"] == 5
        (created, *_) = await world.queries.history(LOCAL_TENANT, made.instance_id)
        assert created.event.data["forked_from"] == source.instance_id
        assert created.event.data["from_seq"] == source.seq
        assert created.event.data["changed"] == ["month", "year"]
        assert (
            "month" in (await refusal(world, InvalidInput, source, "publish", changes={"month": "x"})).message
        )

    run(story())


@pytest.mark.parametrize("phase", ["files", "wait", "publish"])
def test_a_phase_it_never_came_to_is_refused(world: World, phase: str) -> None:
    async def story() -> None:
        source = await world.new(STORY)
        await world.work_on(source.instance_id)
        error = await refusal(world, Conflict, source, phase)
        assert error.code == "not_reached"
        assert error.message.endswith(f"it never came to phase {phase}: it entered collect, check")
        assert "there are collect, check" in (await refusal(world, InvalidInput, source, "nowhere")).message
        assert "has no phase" in (await refusal(world, InvalidInput, source, "collect.compensate")).message

    run(story())


@pytest.mark.parametrize("how", ["running", "waiting", "failed", "terminated", "paused between"])
def test_the_source_may_stand_anywhere(world: World, how: str) -> None:
    async def story() -> None:
        source = await world.new(SAGA)
        await world.end(await world.must_lease(), n=1)
        lease = await world.must_lease()
        phase = "charge"
        if how == "failed":
            await world.end(lease, failure="cell_error")
        elif how == "terminated":
            await world.orchestrator.terminate(LOCAL_TENANT, source.instance_id, LOCAL_PRINCIPAL)
        elif how == "paused between":
            await world.orchestrator.pause(LOCAL_TENANT, source.instance_id, LOCAL_PRINCIPAL)
            await world.end(lease, n=2)
            phase = "ship"
        before = await world.now(source.instance_id)
        made = await fork(world, before, phase)
        assert (made.phase, made.status) == (phase, Status.RUNNING)
        assert made.variables["reserve"] == {"n": 1}
        assert await world.now(source.instance_id) == before

    run(story())


def test_what_was_undone_cannot_be_shared_but_its_first_phase_can_be_begun_anew(world: World) -> None:
    async def story() -> None:
        source = await world.new(SAGA)
        await world.end(await world.must_lease())
        await world.end(await world.must_lease())
        undo = Terminate(principal=LOCAL_PRINCIPAL, compensate=True)
        await world.orchestrator.apply(LOCAL_TENANT, source.instance_id, undo)
        for stage in ("undoing", "undone"):
            error = await refusal(world, Conflict, await world.now(source.instance_id), "ship")
            assert error.code == "compensated", stage
            await world.work_on(source.instance_id)
        assert (await fork(world, source, "reserve")).status is Status.RUNNING

    run(story())


def test_a_fork_undoes_only_what_it_did_itself(world: World) -> None:
    async def story() -> None:
        source = await world.new(SAGA)
        await world.work_on(source.instance_id)
        made = await fork(world, source, "charge")
        await world.end(await world.must_lease())
        undo = Terminate(principal=LOCAL_PRINCIPAL, compensate=True)
        await world.orchestrator.apply(LOCAL_TENANT, made.instance_id, undo)
        ended = await world.work_on(made.instance_id)
        assert (ended.status, ended.compensated) == (Status.TERMINATED, True)
        assert "charge.compensate" in ended.phases
        assert "reserve.compensate" not in ended.phases
        own = await fork(world, source, "ship")
        await world.orchestrator.apply(LOCAL_TENANT, own.instance_id, undo)
        assert (await world.now(own.instance_id)).undoing is None  # nothing to undo: it ends at once

    run(story())


def test_a_child_is_forked_into_a_root_and_a_fork_into_another(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        nodes = await world.queries.tree(LOCAL_TENANT, source.instance_id)
        child = next(node for node in nodes if node.parent)
        root = await fork(world, child, "look")
        assert (root.parent, root.depth, root.root_id) == (None, 0, root.instance_id)
        assert root.definition == child.definition
        once = await fork(world, source, "wait")
        twice = await fork(world, once, "wait", feature_id="F", automation_level=100)
        assert twice.forked_from == ForkOrigin(instance_id=once.instance_id, phase="wait", seq=once.seq)
        assert (twice.feature_id, twice.automation_level, once.automation_level) == ("F", 100, 60)
        assert list(twice.phases) == list(once.phases)

    run(story())


def test_artifacts_and_journal_are_shared_by_hash_and_a_deleted_one_is_named(
    world: World, tmp_path: Path
) -> None:
    async def story() -> None:
        source = await world.new(SAGA)
        lease = await world.must_lease()
        held = (lease.attempt.attempt_id, lease.attempt.fence)
        (tmp_path / "a.txt").write_text("bytes")
        stored = await world.execution.put_artifact(
            *held, name="a.txt", kind="data", source=tmp_path / "a.txt"
        )
        await world.execution.once_put(*held, "receipt", 42)
        await world.end(lease)
        lease = await world.must_lease()
        await world.execution.once_put(lease.attempt.attempt_id, lease.attempt.fence, "paid", 1)
        await world.end(lease, failure="cell_error")
        kept = len(world.bytes_.objects)
        made = await fork(world, source, "charge")
        (own,) = await world.queries.artifacts(LOCAL_TENANT, made.instance_id)
        assert (own.sha256, own.phase, len(world.bytes_.objects)) == (stored.sha256, "reserve", kept)
        lease = await world.must_lease()
        held = (lease.attempt.attempt_id, lease.attempt.fence)
        assert lease.attempt.number == 1
        assert await world.execution.once_get(*held, "paid") is None  # that phase begins anew
        entry = await world.storage.journal_get(LOCAL_TENANT, made.instance_id, "reserve", "receipt")
        assert entry is not None
        assert entry.value == 42
        target = tmp_path / "taken"
        await world.execution.fetch_artifact(
            *held, phase="reserve", name="a.txt", parent=False, target=target
        )
        assert target.read_text() == "bytes"
        await world.storage.set_artifact_deleted(LOCAL_TENANT, stored.attempt_id, "a.txt", world.clock.now())
        world.clock.turn(3 * 86400)
        assert await world.artifacts.collect(LOCAL_TENANT) == 0
        error = await refusal(world, Conflict, await world.now(source.instance_id), "charge")
        assert (error.code, "a.txt of phase reserve" in error.message) == ("artifact_deleted", True)

    run(story())


def test_one_key_makes_one_fork_and_a_source_that_goes_on_meanwhile_is_read_again(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        first = await fork(world, source, "publish", key="k", changes={"month": 5})
        assert await fork(world, source, "publish", key="k", changes={"month": 5}) == first
        with pytest.raises(KeyReused):
            await fork(world, source, "publish", key="k", changes={"month": 6})
        going_on = await world.new(STORY)

        async def meanwhile() -> None:
            await world.orchestrator.pause(LOCAL_TENANT, going_on.instance_id, LOCAL_PRINCIPAL)

        world.storage.before_commit = meanwhile
        made = await fork(world, going_on, "collect")
        assert made.forked_from is not None
        assert made.forked_from.seq == going_on.seq + 1
        missing = InstanceId("wfi_missing")
        with pytest.raises(NotFound):
            await world.forks.fork(
                NewFork(tenant_id=LOCAL_TENANT, source_id=missing, phase="a", principal=LOCAL_PRINCIPAL)
            )

    run(story())


async def published(
    world: World, definition: str, notebook: str = NOTEBOOK, leaf: str = LEAF
) -> DefinitionRecord:
    folder = world.template("other", definition, leaf__yaml=leaf, two__ipynb=notebook)
    return await world.definitions.publish_folder(folder, LOCAL_TENANT)


def test_another_version_goes_on_where_its_earlier_phases_are_the_same(world: World) -> None:
    later = STORY.replace("name: publish, notebook: one", "name: publish, notebook: two")

    async def story() -> None:
        source = await told(world)
        record = await published(world, later)
        made = await fork(world, source, "publish", record=record)
        assert made.definition == record.reference
        assert (await world.must_lease()).notebook == "two.ipynb"

    run(story())


@pytest.mark.parametrize(
    ("definition", "leaf", "said"),
    [
        (
            STORY.replace("check, notebook: one", "check, notebook: two"),
            LEAF,
            "`notebook` of its phase check",
        ),
        (STORY.replace("{name: collect,", "{name: gather,"), LEAF, "it has no phase collect"),
        (STORY.replace("items: [a, b]", "items: [a]"), LEAF, "`children` of its phase files"),
        (STORY, LEAF.replace("look", "stare"), "the child ./leaf.yaml of its phase files"),
        (STORY.replace("{name: publish,", "{name: print,"), LEAF, "it has no phase publish"),
        (
            STORY.replace("{name: wait,", "{name: wait, parameters: {x: 1},"),
            LEAF,
            "`parameters` of its phase wait",
        ),
    ],
)
def test_another_version_whose_earlier_phases_differ_is_refused(
    world: World, definition: str, leaf: str, said: str
) -> None:
    async def story() -> None:
        source = await told(world)
        record = await published(world, definition, leaf=leaf)
        error = await refusal(world, Conflict, source, "publish", record=record)
        assert error.code == "phase_differs"
        assert said in error.message

    run(story())


def test_an_earlier_phase_with_other_bytes_of_its_notebook_is_refused(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        folder = world.template("other", STORY, leaf__yaml=LEAF)
        (folder / "one.ipynb").write_text(NOTEBOOK.replace('"source": ""', '"source": "more"'))
        record = await world.definitions.publish_folder(folder, LOCAL_TENANT)
        error = await refusal(world, Conflict, source, "publish", record=record)
        assert "the notebook one.ipynb of its phase collect differs" in error.message
        assert (await fork(world, source, "collect", record=record)).definition == record.reference

    run(story())
