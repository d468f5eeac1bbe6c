"""Notes, clocks and lost leases become transitions, whoever finds them and however often."""

import logging

import pytest

from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.services.dispatcher import Dispatcher
from tests.services.damage import damage, rests
from tests.services.world import LEASE_SEC, TREE, ProcessDied, World, run

RETRIED = """\
name: retried
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb, retries: {max_attempts: 2, backoff_sec: 60}}
"""
GATED = """\
name: gated
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb, gate: {expires_sec: 60, on_reject: fail}}
"""


def test_a_parent_ends_when_its_last_child_has(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        ended = await world.work_on(root.instance_id, high=2)
        assert ended.status is Status.COMPLETED
        children = ended.variables["children"]
        assert isinstance(children, dict)
        assert {key: child["look"] for key, child in children.items()} == {
            f"files-{n}": {"high": 2} for n in range(3)
        }
        assert not await world.storage.continuations()

    run(story())


@pytest.mark.parametrize("damaged", ["the parent", "a child"])
def test_rows_that_are_damaged_hold_up_nobody_else_and_are_told_once(
    world: World, damaged: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        first = await world.new(TREE)
        row = await world.must_lease()
        await world.end(row, high=1)
        lost = first.instance_id if damaged == "the parent" else row.attempt.instance_id
        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
            damage(world, {lost}, patched)
            second = await world.new(TREE)
            for _ in range(20):
                while await world.dispatcher.step():
                    pass
                lease = await world.lease()
                if lease is not None and lease.attempt.root_id == second.root_id:
                    await world.end(lease, high=2)
            assert (await world.now(second.instance_id)).status is Status.COMPLETED
        assert [record.message for record in caplog.records].count(
            f"the row of {lost} is damaged; what needs that waits, the others go on"
        ) == 1
        assert (await world.now(first.instance_id)).status is not Status.COMPLETED

    run(story())


def test_an_expired_lease_of_a_damaged_row_ends_our_runner_once_and_lets_the_engine_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        lost = await world.new(RETRIED)
        await world.must_lease()
        ended: list[str] = []
        dispatcher = world.new_dispatcher(on_expired=lambda row: ended.append(row.attempt_id))
        with monkeypatch.context() as patched:
            damage(world, {lost.instance_id}, patched)
            world.clock.turn(LEASE_SEC + 1)
            assert [await dispatcher.step() for _ in range(3)] == [False] * 3
            assert len(ended) == 1
            other = await world.new(RETRIED)
            assert (await world.work_on(other.instance_id)).status is Status.COMPLETED
        assert await dispatcher.step()

    run(story())


def test_a_due_timer_of_a_damaged_row_does_not_keep_the_engine_busy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        lost = await world.new(RETRIED)
        await world.end(await world.must_lease(), failure="cell_error")
        with monkeypatch.context() as patched:
            damage(world, {lost.instance_id}, patched)
            world.clock.turn(61)
            assert await rests(world, monkeypatch, world.dispatcher) == [1.0] * 3

    run(story())


def test_a_waiver_looked_for_in_vain_in_a_damaged_row_holds_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        lost = await world.new(GATED.replace("gate: {", "gate: {waivable: true, "))
        with monkeypatch.context() as patched:
            damage(world, {lost.instance_id}, patched)
            other = await world.new(RETRIED)
            assert (await world.work_on(other.instance_id)).status is Status.COMPLETED
        assert await world.dispatcher.step()

    run(story())


def test_no_more_children_live_at_once_than_allowed(world: World) -> None:
    async def story() -> None:
        await world.new(TREE)
        assert await world.lease() is not None
        assert await world.lease() is not None
        assert await world.lease() is None

    run(story())


def test_two_children_ending_together_wake_their_parent(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        one, two = await world.must_lease(), await world.must_lease()
        await world.end(one)
        await world.end(two)
        assert len(await world.storage.continuations()) == 2
        await world.dispatcher.step()
        await world.end(await world.must_lease())
        await world.dispatcher.step()
        assert (await world.now(root.instance_id)).status is Status.COMPLETED
        assert (await world.types(root.instance_id)).count("ChildEnded") == 3

    run(story())


def test_a_note_handled_by_two_dispatchers_counts_once(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        await world.end(await world.must_lease())
        world.storage.before_commit = world.new_dispatcher().step
        await world.dispatcher.step()
        assert (await world.types(root.instance_id)).count("ChildEnded") == 1
        assert not await world.storage.continuations()

    run(story())


def test_a_note_whose_handler_died_after_its_commit_is_gone_with_it(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        await world.end(await world.must_lease())
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await world.dispatcher.step()
        ended = await world.work_on(root.instance_id)
        assert ended.status is Status.COMPLETED
        assert (await world.types(root.instance_id)).count("ChildEnded") == 3

    run(story())


def test_a_failed_child_fails_its_parent_and_resuming_runs_only_that_child_again(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        bad, good = await world.must_lease(), await world.must_lease()
        await world.end(bad, failure="cell_error")
        await world.end(good, high=1)
        failed = await world.work_on(root.instance_id)
        assert failed.status is Status.FAILED
        assert failed.failure is not None
        assert failed.failure.code == "child_failed"
        await world.trigger(root.instance_id)
        ended = await world.work_on(root.instance_id, high=2)
        assert ended.status is Status.COMPLETED
        counts = {
            child.parent.index: (await world.types(child.instance_id)).count("PhaseStarted")
            for child in await world.storage.tree(LOCAL_TENANT, root.instance_id)
            if child.parent is not None
        }
        assert counts == {0: 2, 1: 1, 2: 1}

    run(story())


def test_ending_a_parent_ends_its_children_also_those_that_run(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        await world.must_lease()
        await world.orchestrator.terminate(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        while await world.dispatcher.step():
            pass
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert {node.status for node in nodes} == {Status.TERMINATED}
        assert await world.lease() is None
        assert not await world.storage.unfinished_trees()

    run(story())


def test_a_paused_tree_lets_attempts_finish_queues_nothing_and_goes_on_when_resumed(world: World) -> None:
    async def story() -> None:
        root = await world.new(TREE)
        running = await world.must_lease()
        await world.orchestrator.pause(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        while await world.dispatcher.step():
            pass
        await world.end(running, high=1)
        while await world.dispatcher.step():
            pass
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert len(nodes) == 3
        await world.orchestrator.resume(LOCAL_TENANT, root.instance_id, LOCAL_PRINCIPAL)
        assert (await world.work_on(root.instance_id)).status is Status.COMPLETED

    run(story())


def test_a_retry_comes_when_it_is_due_and_not_before(world: World) -> None:
    async def story() -> None:
        instance = await world.new(RETRIED)
        await world.end(await world.must_lease(), failure="cell_error")
        assert not await world.dispatcher.step()
        world.clock.turn(61)
        await world.dispatcher.step()
        assert (await world.must_lease()).attempt.number == 2
        assert (await world.now(instance.instance_id)).status is Status.RUNNING

    run(story())


def test_a_timer_of_no_consequence_is_dropped(world: World) -> None:
    async def story() -> None:
        instance = await world.new(RETRIED)
        await world.end(await world.must_lease(), failure="cell_error")
        due = await world.storage.due_timers(world.clock.now().replace(year=2027))
        await world.trigger(instance.instance_id)
        world.storage._tables.timers[LOCAL_TENANT, instance.instance_id, due[0].kind] = due[0]
        world.clock.turn(61)
        await world.dispatcher.step()
        assert await world.storage.next_due() is None

    run(story())


def test_a_gate_that_nobody_answers_expires(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)
        world.clock.turn(61)
        await world.dispatcher.step()
        failed = await world.now(instance.instance_id)
        assert failed.status is Status.FAILED
        assert failed.failure is not None
        assert "expired" in failed.failure.message

    run(story())


def test_three_lost_attempts_fail_the_instance(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        for _ in range(3):
            await world.must_lease()
            world.clock.turn(LEASE_SEC + 1)
            await world.dispatcher.step()
        failed = await world.now(instance.instance_id)
        assert failed.failure is not None
        assert failed.failure.code == "runner_lost"
        assert await world.lease() is None

    run(story())


def test_after_the_machine_slept_runners_get_a_lease_to_report(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        world.clock.sleep_of_the_machine(3600)
        assert not await world.dispatcher.step()
        await world.execution.heartbeat(lease.attempt.attempt_id, lease.attempt.fence, None)
        world.clock.turn(LEASE_SEC - 1)
        assert not await world.dispatcher.step()
        await world.end(lease)
        assert (await world.types(instance.instance_id)).count("AttemptLost") == 0

    run(story())


@pytest.mark.parametrize("jumps", [(86_400, -86_400), (-86_400, 86_400), (86_400, -172_800, 86_400)])
def test_a_clock_that_jumps_by_days_loses_nobody_who_gives_signs_of_life(
    world: World, jumps: tuple[int, ...]
) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        for jump in jumps:
            world.clock.sleep_of_the_machine(jump)
            for _ in range(4):
                await world.dispatcher.step()
                await world.execution.heartbeat(lease.attempt.attempt_id, lease.attempt.fence, None)
                world.clock.turn(LEASE_SEC / 2)
        await world.end(lease)
        assert (await world.types(instance.instance_id)).count("AttemptLost") == 0
        assert (await world.work_on(instance.instance_id)).status is Status.COMPLETED

    run(story())


@pytest.mark.parametrize("jumps", [(86_400, -86_400), (-86_400, 86_400)])
def test_who_gives_no_sign_of_life_is_lost_whatever_the_clock_did_meanwhile(
    world: World, jumps: tuple[int, ...]
) -> None:
    async def story() -> None:
        instance = await world.new()
        await world.must_lease()
        for jump in jumps:
            world.clock.sleep_of_the_machine(jump)
            await world.dispatcher.step()
        for _ in range(4):
            world.clock.turn(LEASE_SEC)
            await world.dispatcher.step()
        assert (await world.types(instance.instance_id)).count("AttemptLost") == 1

    run(story())


def test_whoever_watches_the_runner_hears_of_an_expired_lease_first(world: World) -> None:
    async def story() -> None:
        heard: list[str] = []
        await world.new()
        lease = await world.must_lease()
        watching = Dispatcher(
            world.storage,
            world.orchestrator,
            world.recovery,
            world.clock,
            lease_sec=LEASE_SEC,
            on_expired=lambda row: heard.append(row.attempt_id),
        )
        world.clock.turn(LEASE_SEC + 1)
        await watching.step()
        assert heard == [lease.attempt.attempt_id]
        assert (await world.storage.attempt(LOCAL_TENANT, lease.attempt.attempt_id)).status == "lost"

    run(story())
