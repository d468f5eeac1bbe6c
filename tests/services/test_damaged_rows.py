"""Damaged rows beside healthy ones, in a store on disk and in numbers beyond a page: the others go on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import pytest

from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, OwnerId
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.ports.records import AttemptRow
from chatflow_jupyter.services.dispatcher import PAGE, Dispatcher
from tests.services.damage import damage, harm, on_disk, rests
from tests.services.world import LEASE_SEC, NOTEBOOK, TREE, World, run
from tests.waiting import until_async

ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb}\n"
RETRIED = ONE.replace("one.ipynb", "one.ipynb, retries: {max_attempts: 3, backoff_sec: 1}")
WAIVABLE = ONE.replace("one.ipynb", "one.ipynb, gate: {waivable: true}")
WIDE = f"""\
name: wide
automation_level: 100
phases:
  - name: files
    children: {{schema: ./leaf.yaml, items: {list(range(PAGE + 1))}, max_parallel: {PAGE + 1}}}
"""


async def dispatch(dispatcher: Dispatcher, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` while the dispatcher runs."""
    running = asyncio.create_task(dispatcher.run())
    try:
        await work()
    finally:
        running.cancel()
        await asyncio.wait([running])


NOTE = "INSERT INTO continuations (tenant_id, instance_id, root_id, kind) VALUES ('local', ?1, ?1, 'x')"
"""A note of a kind there is none of."""


async def one_damaged_row_of_each_kind(world: World, file: Path) -> Instance:
    """Damage a due timer, an expired lease, a queued attempt and a note; returns what is healthy."""
    await world.new(RETRIED)
    await world.end(await world.must_lease(), failure="cell_error")
    await world.new(RETRIED)
    await world.must_lease()
    await world.new(RETRIED)
    harm(file, "UPDATE timers SET kind = 'x'")
    harm(file, "UPDATE attempts SET parameters = '{' WHERE status != 'failed'")
    healthy = await world.new(RETRIED)
    harm(file, NOTE, healthy.instance_id)
    world.clock.turn(LEASE_SEC + 5)
    return healthy


def test_a_damaged_row_of_each_kind_is_told_once_and_the_engine_rests_between_looks(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        file = await on_disk(world)
        healthy = await one_damaged_row_of_each_kind(world, file)
        dispatcher = world.new_dispatcher()
        for _ in range(2):
            assert all(rest > 0 for rest in await rests(world, monkeypatch, dispatcher))
            assert not await dispatcher.step()
        lease = await world.must_lease()
        assert lease.attempt.instance_id == healthy.instance_id
        assert await world.lease() is None
        await world.storage.close()

    with caplog.at_level(logging.WARNING):
        run(story())
    said = [each.message for each in caplog.records]
    assert len(said) == 4, said
    assert sum("table timers, row local " in each for each in said) == 1, said
    assert sum("table continuations, row 1" in each for each in said) == 1, said
    assert sum("table attempts, row local " in each for each in said) == 2, said


def test_beside_damaged_rows_a_tree_a_retry_and_a_lost_attempt_go_on(world: World) -> None:
    async def story() -> None:
        file = await on_disk(world)
        await one_damaged_row_of_each_kind(world, file)
        retried = await world.new(RETRIED)
        await world.end(await world.must_lease(), failure="cell_error")
        lost = await world.new(RETRIED)
        await world.must_lease()
        tree = await world.new(TREE)
        world.clock.turn(LEASE_SEC + 5)

        async def work() -> None:
            for healthy in (retried, lost, tree):

                async def ended(one: InstanceId = healthy.instance_id) -> bool:
                    lease = await world.lease()
                    if lease is not None:
                        await world.end(lease)
                    return (await world.now(one)).status is Status.COMPLETED

                await until_async(ended, what="it completes")

        await dispatch(world.new_dispatcher(), work)
        await world.storage.close()

    run(story())


def test_the_end_of_a_child_that_cannot_be_read_waits_and_those_of_others_count(world: World) -> None:
    async def story() -> None:
        file = await on_disk(world)
        tree = await world.new(TREE)
        first, second = await world.must_lease(), await world.must_lease()
        for lease in (first, second):
            await world.end(lease)
        broken = first.attempt.instance_id
        harm(file, "UPDATE instances SET state = '{' WHERE instance_id = ?", broken)
        while await world.dispatcher.step():
            pass
        third = await world.must_lease()  # room was made by the one that can be read
        await world.end(third)
        while await world.dispatcher.step():
            pass
        fan_out = (await world.now(tree.instance_id)).fan_out
        assert fan_out is not None
        assert (fan_out.started, fan_out.ended) == (3, 2)
        notes = await world.storage.continuations()
        assert [note.continuation.about for note in notes] == [broken]
        await world.storage.close()

    run(story())


def test_what_a_dead_process_held_is_taken_back_and_its_damaged_attempt_left(world: World) -> None:
    async def story() -> None:
        file = await on_disk(world)
        dead, next_one = world.new_engine("dead"), world.new_engine("next")
        await dead.register()
        held = world.new_execution(OwnerId("dead"))
        first = await world.new(ONE, owner_id=OwnerId("dead"))
        second = await world.new(ONE, owner_id=OwnerId("dead"))
        for _ in range(2):
            await world.must_lease(held)
        harm(file, "UPDATE attempts SET parameters = '{' WHERE instance_id = ?", first.instance_id)
        world.living.discard(OwnerId("dead"))
        await next_one.register()
        for tree in (first, second):
            assert await next_one.adopt(tree.tenant_id, tree.instance_id) == "ours"
        lease = await world.must_lease(world.new_execution(OwnerId("next")))
        assert (lease.attempt.instance_id, lease.attempt.number) == (second.instance_id, 2)
        await next_one.runner_gone()
        await next_one.leave()
        assert [owner.owner_id for owner in await world.storage.owners()] == []
        await world.storage.close()

    run(story())


def test_the_folder_of_a_damaged_attempt_is_left_alone_and_those_of_others_are_seen_to(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        file = await on_disk(world)
        attempts = []
        for _ in range(2):
            await world.new(ONE)
            attempts.append((await world.must_lease()).attempt)
        for attempt in attempts:
            folder = world.work / attempt.attempt_id
            folder.mkdir()
            (folder / "attempt.json").write_text('{"tenant_id": "local"}')
            (folder / "notebook.ipynb").write_text(NOTEBOOK)
        harm(file, "UPDATE attempts SET status = 'lost'")
        harm(
            file,
            "UPDATE attempts SET parameters = '{' WHERE attempt_id = ?",
            min(a.attempt_id for a in attempts),
        )
        for _ in range(2):
            await world.recovery.sweep()
        assert sum("is left alone" in each.message for each in caplog.records) == 1
        assert [folder.name for folder in world.work.iterdir()] == [min(a.attempt_id for a in attempts)]
        await world.storage.close()

    run(story())


def test_a_lease_its_instance_knows_nothing_of_ends_our_runner_once_and_lets_the_engine_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        file = await on_disk(world)
        ended = await world.new(ONE)
        assert (await world.work_on(ended.instance_id)).status is Status.COMPLETED
        harm(file, "UPDATE attempts SET status = 'leased', lease_expires_at = 1")
        killed: list[AttemptRow] = []
        dispatcher = world.new_dispatcher(on_expired=killed.append)
        for _ in range(2):
            assert await rests(world, monkeypatch, dispatcher) == [1.0] * 3
        assert len(killed) == 1
        await world.storage.close()

    run(story())


@pytest.mark.parametrize("gone", ["child", "root"])
def test_a_row_that_is_gone_holds_up_only_what_needs_it(
    world: World, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    async def story() -> None:
        file = await on_disk(world)
        tree = await world.new(TREE)
        healthy = await world.new(TREE)
        lease = await world.must_lease()
        await world.end(lease)
        lost = lease.attempt.instance_id if gone == "child" else tree.instance_id
        for each in (tree, healthy):
            await world.orchestrator.pause(LOCAL_TENANT, each.instance_id, LOCAL_PRINCIPAL)
        harm(file, "DELETE FROM instances WHERE instance_id = ?", lost)
        monkeypatch.setattr(world.storage, "recent_instance", lambda *_: None)
        while await world.dispatcher.step():
            pass
        found = await world.storage.tree(LOCAL_TENANT, healthy.instance_id)
        assert [each.paused for each in found] == [True] * 3
        await world.storage.close()

    run(story())


async def _children_of_one_parent(world: World) -> list[Instance]:
    """More ended children than a page of notes holds."""
    parent = await world.new(WIDE)
    while await world.dispatcher.step():
        pass
    while (lease := await world.lease()) is not None:
        await world.end(lease)
    assert len(await world.storage.continuations(1000)) > PAGE
    return [parent]


async def _timers(world: World) -> list[Instance]:
    made = [await world.new(RETRIED) for _ in range(PAGE + 1)]
    for _ in made:
        await world.end(await world.must_lease(), failure="cell_error")
    return made


async def _leases(world: World) -> list[Instance]:
    made = [await world.new(RETRIED) for _ in range(PAGE + 1)]
    for _ in made:
        await world.must_lease()
    return made


async def _waivers_to_look_for(world: World) -> list[Instance]:
    return [await world.new(WAIVABLE) for _ in range(PAGE + 1)]


@pytest.mark.parametrize(
    "crowd", [_children_of_one_parent, _timers, _leases, _waivers_to_look_for], ids=lambda each: each.__name__
)
def test_more_than_a_page_that_has_to_wait_starves_nobody_and_lets_the_engine_rest(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    crowd: Callable[[World], Awaitable[Collection[Instance]]],
) -> None:
    async def story() -> None:
        damaged = {instance.instance_id for instance in await crowd(world)}
        killed: list[AttemptRow] = []
        dispatcher = world.new_dispatcher(on_expired=killed.append)
        with monkeypatch.context() as patched:
            damage(world, damaged, patched)
            world.clock.turn(1)
            retried, lost = await world.new(RETRIED), await world.new(RETRIED)
            await world.end(await world.must_lease(), failure="cell_error")
            await world.must_lease()
            tree = await world.new(TREE)
            world.clock.turn(LEASE_SEC + 5)
            for _ in range(20):
                assert await rests(world, monkeypatch, dispatcher) == [1.0] * 3
                while (lease := await world.lease()) is not None:
                    await world.end(lease)
                world.clock.turn(5)
            for healthy in (tree, retried, lost):
                assert (await world.now(healthy.instance_id)).status is Status.COMPLETED
        assert len(killed) == (PAGE + 2 if crowd is _leases else 1)
        assert await dispatcher.step()

    run(story())
