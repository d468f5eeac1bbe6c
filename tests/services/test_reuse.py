"""What counts as unchanged, and what becomes of a phase whose inputs are."""

from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.hooks import Accept, Amend, Keep, Reject
from chatflow_jupyter.domain.ids import LOCAL_TENANT, Principal
from chatflow_jupyter.domain.instance import ReusedFrom, Status, WaitingReason
from chatflow_jupyter.domain.requests import Terminate
from chatflow_jupyter.domain.reuse import KEPT_FOR
from tests.services.hooked import hook
from tests.services.reusing import SUM, ReuseWorld
from tests.services.world import ProcessDied, run

BOTH = ["collect", "count"]
ONLY = ["collect"]


@pytest.fixture
def world(tmp_path: Path) -> ReuseWorld:
    return ReuseWorld(folder=tmp_path)


def test_an_unchanged_phase_is_reused_and_says_from_where(world: ReuseWorld) -> None:
    async def story() -> None:
        first, ran = await world.once(total=6)
        assert ran == BOTH
        at = first.phases["count"].ended_at
        again, ran = await world.once()
        assert ran == ONLY
        record = again.phases["count"]
        assert again.status is Status.COMPLETED
        assert again.variables["count"] == {"total": 6}
        assert record.reused_from == ReusedFrom(instance_id=first.instance_id, attempt=1, made_at=at)  # type: ignore[arg-type]
        assert (await world.types(again.instance_id))[-3:] == [
            "PhaseReused",
            "PhaseSucceeded",
            "InstanceCompleted",
        ]
        (told,) = [
            one.event.data
            for one in await world.queries.history(LOCAL_TENANT, again.instance_id)
            if one.event.type == "PhaseReused"
        ]
        assert (told["reused_from"], told["from_attempt"]) == (first.instance_id, 1)
        ours = await world.storage.artifacts(LOCAL_TENANT, again.instance_id)
        theirs = await world.storage.artifacts(LOCAL_TENANT, first.instance_id)
        assert [one.sha256 for one in ours if one.phase == "count"] == [
            one.sha256 for one in theirs if one.phase == "count"
        ]

    run(story())


CHANGES: dict[str, dict[str, Any]] = {
    "a parameter": {"context": {"month": 5}},
    "an earlier outcome": {"rows": 4},
    "an earlier artifact": {"data": "other"},
    "the notebook": {"two": "other"},
    "another file of the bundle": {"lib": "2"},
    "the phase as written": {"definition": SUM + "    title: Counting\n"},
    "its kernel": {"definition": SUM + "    kernel: other\n"},
    "the name of the definition": {"definition": SUM.replace("name: sum", "name: sums")},
    "who starts it": {"principal": Principal("somebody")},
    "the feature": {"feature_id": "F-1"},
    "force": {"anew": True},
}


@pytest.mark.parametrize("what", CHANGES)
def test_with_anything_changed_it_is_made_anew(world: ReuseWorld, what: str) -> None:
    async def story() -> None:
        await world.once(total=6)
        changed, ran = await world.once(total=7, **CHANGES[what])
        assert ran == BOTH
        assert changed.variables["count"] == {"total": 7}
        assert changed.phases["count"].reused_from is None

    run(story())


def test_what_is_not_the_inputs_of_the_phase_does_not_count(world: ReuseWorld) -> None:
    async def story() -> None:
        await world.once()
        assert (await world.once(definition="# a remark\n" + SUM))[1] == ONLY
        later = SUM + "  - {name: tell, notebook: one.ipynb}\n"
        assert (await world.once(definition=later))[1] == ["collect", "tell"]

    run(story())


def test_a_forced_outcome_is_the_newest_that_is_reused(world: ReuseWorld) -> None:
    async def story() -> None:
        await world.once(total=6)
        forced, _ = await world.once(total=7, anew=True)
        (created, *_) = await world.queries.history(LOCAL_TENANT, forced.instance_id)
        assert created.event.data["anew"] is True
        again, ran = await world.once()
        assert ran == ONLY
        assert again.variables["count"] == {"total": 7}
        assert again.phases["count"].reused_from.instance_id == forced.instance_id  # type: ignore[union-attr]

    run(story())


def test_what_was_reused_is_not_a_source_itself(world: ReuseWorld) -> None:
    async def story() -> None:
        first, _ = await world.once()
        await world.once()
        third, _ = await world.once()
        assert third.phases["count"].reused_from.instance_id == first.instance_id  # type: ignore[union-attr]

    run(story())


def test_an_outcome_expires(world: ReuseWorld) -> None:
    async def story() -> None:
        await world.once()
        world.clock.turn(KEPT_FOR.total_seconds())
        assert (await world.once())[1] == BOTH

    run(story())


def test_neither_failed_nor_lost_attempts_are_reused(world: ReuseWorld) -> None:
    async def story() -> None:
        made = await world.start(definition=SUM.replace("max_attempts: 3", "max_attempts: 1"))
        await world.collect()
        await world.dispatcher.step()
        await world.end(await world.must_lease(), failure="cell_error")
        assert (await world.now(made.instance_id)).status is Status.FAILED
        other = SUM.replace("max_attempts: 3", "max_attempts: 1")
        assert (await world.once(definition=other))[1] == BOTH

    run(story())


def test_a_rejected_outcome_is_not_kept_and_other_hooks_judge_anew(world: ReuseWorld) -> None:
    async def story() -> None:
        world.enabled = [hook("judge", after=lambda it: _judged(it.phase))]
        await world.once()
        world.enabled = []
        world.wire(world.storage)
        assert (await world.once())[1] == BOTH
        assert (await world.once())[1] == ONLY
        world.enabled = [hook("scan", process=lambda _: Keep())]
        world.wire(world.storage)
        assert (await world.once())[1] == BOTH

    run(story())


def _judged(phase: str) -> Any:
    return Reject(reason="no") if phase == "count" else Accept()


def test_parameters_that_hooks_amend_count(world: ReuseWorld) -> None:
    async def story() -> None:
        amended = {"month": 4}
        world.enabled = [hook("amends", before=lambda _: Amend(parameters=dict(amended), reason="so"))]
        world.wire(world.storage)
        await world.once()
        assert (await world.once())[1] == ONLY
        amended["month"] = 5
        assert (await world.once())[1] == BOTH

    run(story())


def test_with_an_artifact_deleted_or_its_bytes_gone_nothing_is_reused(world: ReuseWorld) -> None:
    async def story() -> None:
        first, _ = await world.once()
        known = await world.storage.artifacts(LOCAL_TENANT, first.instance_id)
        (sums,) = [one for one in known if (one.phase, one.name) == ("count", "data.txt")]
        bytes_ = world.bytes_.objects.pop((LOCAL_TENANT, sums.sha256))
        second, ran = await world.once()
        assert ran == BOTH
        world.bytes_.objects[LOCAL_TENANT, sums.sha256] = bytes_
        known = await world.storage.artifacts(LOCAL_TENANT, second.instance_id)
        (sums,) = [one for one in known if (one.phase, one.name) == ("count", "data.txt")]
        await world.storage.set_artifact_deleted(LOCAL_TENANT, sums.attempt_id, sums.name, world.clock.now())
        assert (await world.once())[1] == BOTH

    run(story())


def test_an_artifact_deleted_between_look_up_and_commit_is_noticed(world: ReuseWorld) -> None:
    async def story() -> None:
        first, _ = await world.once()
        known = await world.storage.artifacts(LOCAL_TENANT, first.instance_id)
        (sums,) = [one for one in known if (one.phase, one.name) == ("count", "data.txt")]
        made = await world.start()
        await world.collect()

        async def delete() -> None:
            await world.storage.set_artifact_deleted(
                LOCAL_TENANT, sums.attempt_id, sums.name, world.clock.now()
            )

        lease = None
        assert (await world.now(made.instance_id)).waiting_reason is not WaitingReason.APPROVAL
        world.storage.before_commit = delete
        while lease is None:
            await world.dispatcher.step()
            lease = await world.lease()
        assert lease.attempt.phase == "count"

    run(story())


def test_what_was_undone_is_not_reused_and_what_was_reused_is_not_undone(world: ReuseWorld) -> None:
    saga = SUM + "    compensate: one.ipynb\n  - {name: ask, notebook: one.ipynb, start: on_trigger}\n"

    async def story() -> None:
        first, _ = await world.once(definition=saga)
        again, ran = await world.once(definition=saga)
        assert ran == ONLY
        undo = Terminate(principal=Principal("ann"), compensate=True)
        await world.orchestrator.apply(LOCAL_TENANT, again.instance_id, undo)
        assert await world.run_all(again.instance_id) == []
        assert (await world.now(again.instance_id)).status is Status.TERMINATED
        await world.orchestrator.apply(LOCAL_TENANT, first.instance_id, undo)
        assert await world.run_all(first.instance_id) == ["count.compensate"]
        assert (await world.once(definition=saga))[1] == BOTH

    run(story())


def test_an_attempt_before_the_reuse_is_undone_where_it_counts_as_begun(world: ReuseWorld) -> None:
    saga = SUM + "    compensate: one.ipynb\n    compensate_after: start\n"
    saga += "  - {name: ask, notebook: one.ipynb, start: on_trigger}\n"

    async def story() -> None:
        made = await world.start(definition=saga)
        await world.collect()
        await world.dispatcher.step()
        lease = await world.must_lease()
        other = await world.start(definition=saga)
        await world.run_all(other.instance_id)
        await world.end(lease, failure="cell_error")
        assert await world.run_all(made.instance_id) == []
        now = await world.now(made.instance_id)
        assert now.phases["count"].reused_from is not None
        assert now.phases["count"].attempts == 2
        undo = Terminate(principal=Principal("ann"), compensate=True)
        await world.orchestrator.apply(LOCAL_TENANT, made.instance_id, undo)
        assert await world.run_all(made.instance_id) == ["count.compensate"]

    run(story())


def test_what_an_attempt_with_other_inputs_left_behind_is_not_kept(world: ReuseWorld) -> None:
    """What `once` stored for other inputs may be part of it."""

    async def story() -> None:
        amended = {"month": 4}
        world.enabled = [hook("amends", before=lambda _: Amend(parameters=dict(amended), reason="so"))]
        world.wire(world.storage)
        made = await world.start()
        await world.ask_hooks()
        await world.collect()
        await world.ask_hooks()
        await world.dispatcher.step()
        lease = await world.must_lease()
        amended["month"] = 5
        await world.end(lease, failure="cell_error")
        await world.run_all(made.instance_id)
        assert (await world.now(made.instance_id)).status is Status.COMPLETED
        assert (await world.once())[1] == BOTH

    run(story())


def test_a_retry_looks_again_and_a_paused_one_later(world: ReuseWorld) -> None:
    async def story() -> None:
        made = await world.start()
        await world.collect()
        waits = await world.now(made.instance_id)
        assert waits.waiting_reason is WaitingReason.CACHE
        await world.orchestrator.pause(LOCAL_TENANT, made.instance_id, Principal("ann"))
        while await world.dispatcher.step():
            pass
        assert await world.lease() is None
        await world.once()
        await world.orchestrator.resume(LOCAL_TENANT, made.instance_id, Principal("ann"))
        assert await world.run_all(made.instance_id) == []
        assert (await world.now(made.instance_id)).phases["count"].reused_from is not None

    run(story())


def test_a_process_that_dies_around_the_answer_leaves_nothing_half_done(world: ReuseWorld) -> None:
    async def story() -> None:
        first, _ = await world.once()
        made = await world.start()
        await world.collect()

        async def die() -> None:
            raise ProcessDied

        world.storage.before_commit = die
        with pytest.raises(ProcessDied):
            await world.dispatcher.step()
        assert (await world.now(made.instance_id)).waiting_reason is WaitingReason.CACHE
        world.wire(world.storage)
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await world.dispatcher.step()
        world.wire(world.storage)
        assert await world.run_all(made.instance_id) == []
        now = await world.now(made.instance_id)
        assert now.phases["count"].reused_from.instance_id == first.instance_id  # type: ignore[union-attr]
        assert (await world.types(made.instance_id)).count("PhaseReused") == 1

    run(story())


def test_the_executed_notebook_of_an_earlier_phase_is_no_input(world: ReuseWorld, tmp_path: Path) -> None:
    async def story() -> None:
        await world.start()
        lease = await world.must_lease()
        await world.put(lease, "collect.ipynb", "ran")
        await world.put(lease, "data.txt", "d")
        await world.end(lease, rows=3)
        await world.dispatcher.step()
        lease = await world.must_lease()
        held = lease.attempt.attempt_id, lease.attempt.fence
        await world.execution.fetch_artifact(
            *held, phase="collect", name="data.txt", parent=False, target=tmp_path / "a"
        )
        with pytest.raises(NotFound, match="no input of a phase with `cache: inputs`"):
            await world.execution.fetch_artifact(
                *held, phase="collect", name="collect.ipynb", parent=False, target=tmp_path / "b"
            )

    run(story())


def test_a_phase_without_cache_costs_no_further_commit(world: ReuseWorld) -> None:
    async def story() -> None:
        made = await world.start(definition=SUM.replace("    cache: inputs\n", ""))
        await world.collect()
        assert await world.lease() is not None
        assert (await world.now(made.instance_id)).seq == 4

    run(story())
