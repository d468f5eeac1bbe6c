"""Which process drives which tree, and what happens when one is killed."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from unittest.mock import patch

from chatflow_jupyter.domain.errors import HomeInUse, StorageFull
from chatflow_jupyter.domain.ids import LOCAL_TENANT, OwnerId, RunnerId
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.ports.records import Owner
from chatflow_jupyter.services.engine import is_driven
from tests.services.world import World, run

A, B = OwnerId("a"), OwnerId("b")


def test_the_attempts_of_a_dead_process_are_queued_again_without_waiting_for_their_lease(
    world: World,
) -> None:
    async def story() -> None:
        first, second = world.new_engine("a"), world.new_engine("b")
        await first.register()
        await second.register()
        instance = await world.new(owner_id=A)
        await world.must_lease(world.new_execution(A))
        world.living.discard(A)
        assert await second.adopt(LOCAL_TENANT, instance.root_id) == "ours"
        lease = await world.must_lease(world.new_execution(B))
        assert lease.attempt.number == 2
        record = (await world.now(instance.instance_id)).phases["one"]
        assert (record.attempts, record.lost) == (2, 0)

    run(story())


async def run_and_be_killed(
    world: World, instance: Instance, times: int, *, reboots: bool = False
) -> Instance:
    """Let that many processes, one after another, begin the phase and be killed.

    Returns what the next process sees. With `reboots`, the machine was started anew between any two.
    """
    for number in range(times):
        engine = world.new_engine(f"p{number}", boot_id=f"boot {number}" if reboots else "b")
        await engine.register()
        await engine.adopt(LOCAL_TENANT, instance.root_id)
        await world.must_lease(world.new_execution(engine.owner_id))
        world.living.discard(engine.owner_id)
    undertaker = world.new_engine("undertaker")
    await undertaker.register()
    await undertaker.bury_the_dead()
    return await world.now(instance.instance_id)


def test_nine_killed_processes_do_not_use_up_the_attempts_of_a_phase_and_the_tenth_does(
    world: World,
) -> None:
    async def story() -> None:
        instance = await world.new(owner_id=OwnerId("p0"))
        assert (await run_and_be_killed(world, instance, 9)).status is Status.RUNNING
        failed = await run_and_be_killed(world, instance, 1)
        assert failed.failure is not None
        assert (failed.failure.code, failed.failure.phase) == ("runner_lost", "one")
        assert "10 times the process that ran this phase ended before it did" in failed.failure.message
        await world.trigger(instance.instance_id)
        assert (await run_and_be_killed(world, instance, 9)).status is Status.RUNNING
        assert (await world.work_on(instance.instance_id)).status is Status.COMPLETED

    run(story())


def test_a_machine_that_is_started_anew_is_no_fault_of_a_phase(world: World) -> None:
    async def story() -> None:
        instance = await world.new(owner_id=OwnerId("p0"))
        after = await run_and_be_killed(world, instance, 15, reboots=True)
        assert (after.status, after.phases["one"].cut_off) == (Status.RUNNING, 0)

    run(story())


def test_a_phase_that_had_not_begun_did_not_end_its_process(world: World) -> None:
    async def story() -> None:
        instance = await world.new(owner_id=A)
        engine = world.new_engine("a")
        await engine.register()
        now = world.clock.now()
        expires = now + timedelta(seconds=30)
        assert await world.storage.claim(RunnerId("r"), A, now=now, lease_expires_at=expires) is not None
        world.living.discard(A)
        assert (await run_and_be_killed(world, instance, 1)).phases["one"].cut_off == 1

    run(story())


def test_a_tree_that_a_living_process_drives_is_left_to_it(world: World) -> None:
    async def story() -> None:
        first, second = world.new_engine("a"), world.new_engine("b")
        await first.register()
        await second.register()
        instance = await world.new(owner_id=A)
        assert await second.adopt(LOCAL_TENANT, instance.root_id) == "theirs"
        assert not await second.look_after_orphans()
        assert await first.adopt(LOCAL_TENANT, instance.root_id) == "ours"

    run(story())


def test_who_was_taken_for_dead_and_lives_is_an_owner_again_before_it_adopts(world: World) -> None:
    async def story() -> None:
        stopped, other = world.new_engine("a"), world.new_engine("b")
        await stopped.register()
        await other.register()
        instance = await world.new(owner_id=A)
        world.living.discard(A)
        assert list(await other.bury_the_dead()) == [A]
        world.living.add(A)
        assert await stopped.adopt(LOCAL_TENANT, instance.root_id) == "ours"
        assert {owner.owner_id for owner in await world.storage.owners()} == {A, B}
        assert await is_driven(
            world.storage, lambda owner: owner.owner_id in world.living, LOCAL_TENANT, instance.root_id
        )

    run(story())


def test_a_tree_of_an_owner_nobody_knows_any_more_is_an_orphan(world: World) -> None:
    async def story() -> None:
        instance = await world.new(owner_id=A)
        engine = world.new_engine("b")
        await engine.register()
        assert [tree.root_id for tree in await engine.orphans()] == [instance.root_id]
        assert await engine.adopt(LOCAL_TENANT, instance.root_id) == "ours"

    run(story())


def test_of_two_that_adopt_at_once_one_gets_it(world: World) -> None:
    async def story() -> None:
        engines = [world.new_engine(name) for name in "ab"]
        for engine in engines:
            await engine.register()
        instance = await world.new()
        answers = [await engine.adopt(LOCAL_TENANT, instance.root_id) for engine in engines]
        assert sorted(answers) == ["ours", "theirs"]

    run(story())


def test_in_the_foreground_orphans_are_handed_over_and_in_the_background_adopted(world: World) -> None:
    async def story() -> None:
        handed = []

        async def hand_over() -> None:
            handed.append(True)

        orphan = await world.new()
        foreground = world.new_engine("a", hand_over=hand_over)
        await foreground.register()
        assert not await foreground.look_after_orphans(but=[orphan.root_id])
        assert not handed
        assert [tree.root_id for tree in await foreground.look_after_orphans()] == [orphan.root_id]
        assert handed == [True]
        background = world.new_engine("b")
        await background.register()
        await background.look_after_orphans()
        assert not await background.is_idle()
        assert await world.storage.owner_of(LOCAL_TENANT, orphan.root_id) == B

    run(story())


def test_who_leaves_gives_back_what_it_ran(world: World) -> None:
    async def story() -> None:
        engine = world.new_engine("a")
        await engine.register()
        instance = await world.new(owner_id=A)
        await world.must_lease(world.new_execution(A))
        await engine.leave()
        assert [tree.root_id for tree in await engine.orphans()] == [instance.root_id]
        assert (await world.now(instance.instance_id)).phases["one"].lost == 0
        assert not await world.storage.owners()

    run(story())


def test_a_runner_that_dies_costs_its_attempts_a_life_each(world: World) -> None:
    async def story() -> None:
        engine = world.new_engine("a")
        await engine.register()
        instance = await world.new(owner_id=A)
        execution = world.new_execution(A)
        for _ in range(3):
            await world.must_lease(execution)
            await engine.runner_gone()
        failed = await world.now(instance.instance_id)
        assert failed.failure is not None
        assert failed.failure.code == "runner_lost"
        assert "its runner process ended" in failed.failure.message

    run(story())


def test_an_instance_that_waits_for_people_needs_no_process(world: World) -> None:
    async def story() -> None:
        gated = "name: g\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb, gate: {}}\n"
        instance = await world.new(gated)
        engine = world.new_engine("a")
        await engine.register()
        assert not await engine.orphans()
        await world.trigger(instance.instance_id, decision="approve")
        assert [tree.root_id for tree in await engine.orphans()] == [instance.root_id]

    run(story())


def test_a_claim_still_on_its_way_when_its_process_leaves_is_given_back_uncounted(world: World) -> None:
    async def story() -> None:
        engine = world.new_engine("a")
        await engine.register()
        instance = await world.new(owner_id=A)
        register_owner = world.storage.register_owner

        async def register_behind_the_claim(owner: Owner) -> None:
            await world.must_lease(world.new_execution(A))
            await register_owner(owner)

        with patch.object(world.storage, "register_owner", register_behind_the_claim):
            left_behind = await engine.leave()
        assert [tree.root_id for tree in left_behind] == [instance.root_id]
        assert not await world.storage.leases_of(A)
        assert (await world.now(instance.instance_id)).phases["one"].lost == 0

    run(story())


def test_it_is_idle_when_other_living_processes_drive_whatever_is_unfinished(world: World) -> None:
    async def story() -> None:
        engine, other = world.new_engine("a"), world.new_engine("b")
        await engine.register()
        await other.register()
        assert await engine.is_idle()
        instance = await world.new()
        assert not await engine.is_idle()
        await other.adopt(LOCAL_TENANT, instance.root_id)
        assert await engine.is_idle()
        world.living.discard(B)
        assert not await engine.is_idle()

    run(story())


def test_of_what_is_unfinished_the_foreground_leaves_what_it_drove_and_the_background_everything(
    world: World,
) -> None:
    async def story() -> None:
        async def hand_over() -> None:
            """Not called when leaving: whoever holds the engine decides."""

        foreground, background = world.new_engine("a", hand_over=hand_over), world.new_engine("b")
        driven, orphan = await world.new(), await world.new()
        await foreground.register()
        await background.register()
        assert await foreground.adopt(LOCAL_TENANT, driven.root_id) == "ours"
        assert [tree.root_id for tree in await foreground.leave()] == [driven.root_id]
        assert {tree.root_id for tree in await background.leave()} == {driven.root_id, orphan.root_id}

    run(story())


def test_the_background_adopts_orphans_by_itself_and_goes_on_after_a_fault(world: World) -> None:
    async def story() -> None:
        engine = world.new_engine("a")
        await engine.register()
        owners, faults = world.storage.owners, iter([HomeInUse("locked"), StorageFull("no room")])

        async def owners_at_last() -> Sequence[Owner]:
            for fault in faults:
                raise fault
            return await owners()

        async def adopted(instance: Instance) -> None:
            while await world.storage.owner_of(LOCAL_TENANT, instance.root_id) != A:
                await world.storage.wait_for_change(world.storage.change_token(), 0.05)

        with (
            patch.object(world.storage, "owners", owners_at_last),
            patch("chatflow_jupyter.services.engine.LOOK_EVERY_SEC", 0.01),
        ):
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(engine.watch())
                await adopted(await world.new())
                await adopted(await world.new())
                watching.cancel()

    run(story())


def test_whether_a_living_process_drives_a_tree_and_whether_one_is_needed(world: World) -> None:
    async def story() -> None:
        engine = world.new_engine("a")
        await engine.register()
        instance = await world.new()

        async def driven() -> bool | None:
            return await is_driven(
                world.storage, lambda owner: owner.owner_id in world.living, LOCAL_TENANT, instance.root_id
            )

        assert await driven() is False
        await engine.adopt(LOCAL_TENANT, instance.root_id)
        assert await driven() is True
        world.living.discard(A)
        assert await driven() is False
        await world.work_on(instance.instance_id)
        assert await driven() is None

    run(story())
