"""Instances that begin in the middle of others, through the store and the engine."""

from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput, KeyReused, NotFound
from chatflow_jupyter.domain.fan_out import has_stuck_child
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import ForkOrigin, Status, WaitingReason
from chatflow_jupyter.domain.requests import Terminate
from chatflow_jupyter.services.forks import NewFork
from chatflow_jupyter.services.orchestrator import NewInstance
from tests.services.forking import STORY, fork, refusal, told
from tests.services.world import World, run

SAGA = """\
name: saga
automation_level: 100
phases:
  - {name: reserve, notebook: one.ipynb, compensate: one.ipynb}
  - {name: charge, notebook: one.ipynb, compensate: one.ipynb}
  - {name: ship, notebook: one.ipynb}
"""


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


FLEET = """\
name: fleet
automation_level: 100
phases:
  - name: files
    children: {schema: ./leaf.yaml, items: [a], on_failure: continue}
  - {name: land, notebook: one.ipynb}
"""
STUBBORN = """\
name: leaf
automation_level: 100
on_failure: compensate
phases:
  - {name: look, notebook: one.ipynb, compensate: one.ipynb}
  - {name: fall, notebook: one.ipynb}
"""


def test_a_child_of_the_source_that_could_not_undo_holds_no_fork_up(world: World) -> None:
    async def story() -> None:
        folder = world.template("made", FLEET, leaf__yaml=STUBBORN)
        record = await world.definitions.publish_folder(folder, LOCAL_TENANT)
        wanted = NewInstance(record=record, context={}, principal=LOCAL_PRINCIPAL, start=True)
        source = await world.orchestrator.create(wanted)
        for failure in (None, "cell_error", "cell_error"):  # it looks, falls, and cannot undo its looking
            await world.end(await world.must_lease(), failure=failure)
        while await world.dispatcher.step():
            pass
        source = await world.now(source.instance_id)
        assert source.phase == "land"
        assert has_stuck_child(source)
        made = await fork(world, source, "land")
        assert not has_stuck_child(made)
        undo = Terminate(principal=LOCAL_PRINCIPAL, compensate=True)
        ended = await world.orchestrator.apply(LOCAL_TENANT, made.instance_id, undo)
        assert (ended.status, ended.undoing) == (Status.TERMINATED, None)

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
