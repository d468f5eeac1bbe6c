"""Where an unchanged phase is made all the same, and what stands in nobody else's way."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import Unreachable
from chatflow_jupyter.domain.hooks import Accept, EnabledHook, Keep
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.domain.requests import Terminate, Trigger
from chatflow_jupyter.ports.records import Lease
from chatflow_jupyter.services.orchestrator import NewInstance
from tests.services.hooked import hook
from tests.services.reusing import SUM, ReuseWorld, notebook
from tests.services.world import run

BOTH = ["collect", "count"]
FAMILY = """\
name: family
automation_level: 100
parameters: {type: object, properties: {month: {type: integer}}}
phases:
  - {name: prepare, notebook: one.ipynb}
  - name: kids
    compensate: one.ipynb
    children: {schema: ./leaf.yaml, items: [a], max_parallel: 1, on_failure: fail}
  - {name: ask, notebook: one.ipynb, start: on_trigger}
"""
LOOKS = "name: leaf\nautomation_level: 100\nphases:\n"
LOOKS += "  - {name: first, notebook: one.ipynb}\n  - {name: look, notebook: two.ipynb, cache: inputs}\n"

UNDONE = SUM.replace("one.ipynb}", "one.ipynb, compensate: one.ipynb}")
UNDONE += "  - {name: ask, notebook: one.ipynb, start: on_trigger}\n"
FAR = datetime(2999, 1, 1, tzinfo=UTC)
JUDGE, SCAN = hook("judge", after=lambda _: Accept()), hook("scan", process=lambda _: Keep())


@pytest.fixture
def world(tmp_path: Path) -> ReuseWorld:
    return ReuseWorld(folder=tmp_path)


def test_where_hooks_judge_what_a_phase_did_it_is_done(world: ReuseWorld) -> None:
    async def story() -> None:
        world.enabled = [hook("judge", after=lambda _: Accept())]
        world.wire(world.storage)
        assert (await world.once())[1] == BOTH
        assert (await world.once())[1] == BOTH

    run(story())


def test_what_hooks_judged_is_reused_by_nobody_and_not_kept(world: ReuseWorld) -> None:
    async def story() -> None:
        for judge in (JUDGE, SCAN):
            world.enabled = [judge]
            world.wire(world.storage)
            await world.once()
        assert await world.storage.drop_expired_outcomes(FAR) == 0
        world.enabled = []
        world.wire(world.storage)
        assert (await world.once())[1] == BOTH

    run(story())


@pytest.mark.parametrize("meanwhile", [JUDGE, SCAN], ids=lambda each: each.name)
def test_what_hooks_judge_that_came_into_force_meanwhile_is_not_kept(
    world: ReuseWorld, meanwhile: EnabledHook
) -> None:
    async def story() -> None:
        made = await world.start()
        await world.collect()
        await world.dispatcher.step()
        lease = await world.must_lease()
        world.enabled = [meanwhile]
        world.hooks._loaded = None  # as in another process, to which the attempt reports
        await world.end(lease, total=6)
        assert await world.run_all(made.instance_id) == []
        assert (await world.now(made.instance_id)).status is Status.COMPLETED
        assert await world.storage.drop_expired_outcomes(FAR) == 0

    run(story())


def test_what_is_undone_between_the_look_and_the_commit_is_made_anew(world: ReuseWorld) -> None:
    async def story() -> None:
        first, _ = await world.once(definition=UNDONE)
        made = await world.start(definition=UNDONE)
        await world.collect()
        undo = Terminate(principal=LOCAL_PRINCIPAL, compensate=True)

        async def come_first() -> None:
            await world.orchestrator.apply(LOCAL_TENANT, first.instance_id, undo)

        world.storage.before_commit = come_first
        made_of = await world.run_all(made.instance_id)
        assert made_of == ["collect.compensate", "count"]
        assert (await world.now(made.instance_id)).phases["count"].reused_from is None

    run(story())


def test_what_people_approved_is_done(world: ReuseWorld) -> None:
    gated = SUM + "    gate: {title: count?}\n"

    async def story() -> None:
        for _ in range(2):
            made = await world.start(definition=gated)
            await world.run_all(made.instance_id)
            asked = Trigger(principal=LOCAL_PRINCIPAL, phase="count", decision="approve")
            await world.orchestrator.apply(LOCAL_TENANT, made.instance_id, asked)
            assert await world.run_all(made.instance_id) == ["count"]

    run(story())


def test_an_outcome_that_left_an_earlier_attempts_artifact_behind_is_not_reused(world: ReuseWorld) -> None:
    async def story() -> None:
        made = await world.start()
        await world.collect()
        await world.dispatcher.step()
        lease = await world.must_lease()
        await world.put(lease, "model.txt", "made only once")
        await world.end(lease, failure="cell_error")
        assert await world.run_all(made.instance_id) == ["count"]
        assert (await world.once())[1] == BOTH

    run(story())


def test_bytes_that_cannot_be_read_hold_up_nobody_else(
    world: ReuseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        ill = await world.start()
        await world.collect()
        well = await world.start(lib="2")
        await world.collect()
        bundle = (await world.pinned.of(LOCAL_TENANT, ill.definition)).bundle_sha256
        honest = world.bytes_.fetch

        async def fetch(tenant: Any, sha256: Any, target: Any) -> None:
            if sha256 == bundle:
                raise Unreachable("it cannot be read: Input/output error")
            await honest(tenant, sha256, target)

        monkeypatch.setattr(world.bytes_, "fetch", fetch)
        while await world.dispatcher.step():
            pass
        for each in (ill, well):
            now = await world.now(each.instance_id)
            assert now.status is Status.RUNNING, "its attempt is queued, and says itself what is wrong"

    run(story())


async def _family(world: ReuseWorld) -> InstanceId:
    world.clock.turn(60)
    folder = world.template("made", FAMILY, leaf__yaml=LOOKS, two__ipynb=notebook("looks"))
    record = await world.definitions.publish_folder(folder, LOCAL_TENANT)
    wanted = NewInstance(record=record, context={"month": 4}, principal=LOCAL_PRINCIPAL, start=True)
    return (await world.orchestrator.create(wanted)).instance_id


async def _until(world: ReuseWorld, phase: str) -> Lease:
    while True:
        if not await world.dispatcher.step():
            lease = await world.must_lease()
            if lease.attempt.phase == phase:
                return lease
            await _end(world, lease)


async def _all(world: ReuseWorld) -> list[str]:
    """Work until nothing is left; returns the phases of which an attempt was made, in order."""
    made = []
    while True:
        if not await world.dispatcher.step():
            lease = await world.lease()
            if lease is None:
                return made
            made.append(lease.attempt.phase)
            await _end(world, lease)


async def _end(world: ReuseWorld, lease: Lease) -> None:
    await world.put(lease, "data.txt", "always the same")
    await world.end(lease, total=6)


async def _all_of_one_more(world: ReuseWorld) -> list[str]:
    await _family(world)
    return await _all(world)


def test_what_a_child_did_is_reused_until_its_parent_is_undone(world: ReuseWorld) -> None:
    async def story() -> None:
        first = await _family(world)
        assert await _all(world) == ["prepare", "first", "look"]
        assert await _all_of_one_more(world) == ["prepare", "first"]
        undo = Terminate(principal=LOCAL_PRINCIPAL, compensate=True)
        await world.orchestrator.apply(LOCAL_TENANT, first, undo)
        assert await _all(world) == ["kids.compensate"]
        assert await _all_of_one_more(world) == ["prepare", "first", "look"]

    run(story())


def test_a_child_that_ran_without_what_its_parent_had_is_not_reused(world: ReuseWorld) -> None:
    async def story() -> None:
        first = await _family(world)
        lease = await _until(world, "look")
        known = await world.storage.artifacts(LOCAL_TENANT, first)
        (one,) = [each for each in known if (each.phase, each.name) == ("prepare", "data.txt")]
        await world.storage.set_artifact_deleted(LOCAL_TENANT, one.attempt_id, one.name, world.clock.now())
        await world.end(lease, total=0)
        await _all(world)
        await _family(world)
        await _until(world, "look")  # or there would be nothing to lease

    run(story())


def test_who_makes_a_parent_anew_makes_its_failed_children_anew(world: ReuseWorld) -> None:
    async def story() -> None:
        await _all_of_one_more(world)
        second = await _family(world)
        await world.end(await _until(world, "first"), failure="cell_error")
        assert await _all(world) == []
        assert (await world.now(second)).status is Status.FAILED
        anew = Trigger(principal=LOCAL_PRINCIPAL, anew=True)
        await world.orchestrator.apply(LOCAL_TENANT, second, anew)
        assert await _all(world) == ["first", "look"]

    run(story())


def test_bytes_that_were_cut_off_are_not_reused(world: ReuseWorld) -> None:
    async def story() -> None:
        first, _ = await world.once()
        known = await world.storage.artifacts(LOCAL_TENANT, first.instance_id)
        (sums,) = [one for one in known if (one.phase, one.name) == ("count", "data.txt")]
        world.bytes_.objects[LOCAL_TENANT, sums.sha256] = b""
        assert (await world.once())[1] == BOTH

    run(story())
