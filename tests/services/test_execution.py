"""What a runner may do under its fence, and what it may not any more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from chatflow_jupyter.domain.errors import InvalidInput, NotFound, StaleFence
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, OwnerId, RunnerId
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.ports.records import AttemptReport, Lease, Progress
from chatflow_jupyter.services.execution import Execution
from tests.services.world import LEASE_SEC, ProcessDied, World, run

TIMED = "name: timed\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb, timeout_sec: 5}\n"


def held(lease: Lease) -> tuple[str, int]:
    return lease.attempt.attempt_id, lease.attempt.fence


Call: TypeAlias = Callable[[World, Lease, Path], Awaitable[object]]
WRITES: dict[str, Call] = {
    "heartbeat": lambda world, lease, _: world.execution.heartbeat(*held(lease), None),
    "put_artifact": lambda world, lease, file: world.execution.put_artifact(
        *held(lease), name="late.txt", kind="data", source=file
    ),
    "once_put": lambda world, lease, _: world.execution.once_put(*held(lease), "late", 1),
    "once_put_file": lambda world, lease, file: world.execution.once_put_file(*held(lease), "late", file),
    "complete": lambda world, lease, _: world.execution.complete(
        *held(lease), AttemptReport(duration_sec=1.0)
    ),
}


async def refused_everywhere(world: World, lease: Lease, file: Path) -> None:
    """Every call under a stale fence is refused."""
    file.write_text("late")  # noqa: ASYNC240 - a few bytes
    for write in WRITES.values():
        with pytest.raises(StaleFence):
            await write(world, lease, file)


def test_an_instance_runs_phase_after_phase(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        assert (lease.attempt.phase, lease.notebook, lease.attempt.fence) == ("one", "one.ipynb", 1)
        await world.end(lease, high=3)
        lease = await world.must_lease()
        assert lease.variables["one"] == {"high": 3, "status": "succeeded"}
        await world.end(lease)
        assert (await world.now(instance.instance_id)).status is Status.COMPLETED
        assert await world.lease() is None

    run(story())


def test_the_start_is_recorded_before_the_runner_hears_of_the_lease(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        await world.must_lease()
        assert (await world.types(instance.instance_id))[-1] == "PhaseStarted"

    run(story())


def test_a_runner_whose_lease_expired_is_refused_everywhere(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await world.new()
        zombie = await world.must_lease()
        world.clock.turn(LEASE_SEC + 1)
        assert await world.dispatcher.step()
        successor = await world.must_lease()
        assert successor.attempt.number == 2
        await refused_everywhere(world, zombie, tmp_path / "late.txt")
        await world.end(successor, high=1)
        assert (await world.now(instance.instance_id)).variables["one"] == {"high": 1}

    run(story())


def test_a_late_result_before_the_sweep_counts(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        world.clock.turn(10 * LEASE_SEC)
        await world.end(lease, high=1)
        assert not await world.dispatcher._sweep()
        assert (await world.now(instance.instance_id)).phase == "two"

    run(story())


def test_a_cancelled_attempt_is_refused_everywhere(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        await world.orchestrator.terminate(LOCAL_TENANT, instance.instance_id, LOCAL_PRINCIPAL)
        await refused_everywhere(world, lease, tmp_path / "late.txt")

    run(story())


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_once_any_call_was_refused_nothing_can_be_read_either(
    world: World, tmp_path: Path, write: Call
) -> None:
    file = tmp_path / "late.txt"
    file.write_text("late")

    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        await world.orchestrator.terminate(LOCAL_TENANT, instance.instance_id, LOCAL_PRINCIPAL)
        with pytest.raises(StaleFence):
            await write(world, lease, file)
        with pytest.raises(StaleFence):
            await world.execution.once_get(*held(lease), "kept")
        with pytest.raises(StaleFence):
            await world.execution.fetch_bundle(*held(lease), tmp_path / "bundle")

    run(story())


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_a_call_under_another_fence_ends_no_lease(world: World, tmp_path: Path, write: Call) -> None:
    file = tmp_path / "late.txt"
    file.write_text("late")

    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        other = replace(lease, attempt=replace(lease.attempt, fence=lease.attempt.fence + 1))
        with pytest.raises(StaleFence):
            await write(world, other, file)
        await world.execution.heartbeat(*held(lease), None)
        await world.end(lease, high=1)

    run(story())


def test_a_report_sent_twice_counts_once(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        await world.end(lease, high=1)
        with pytest.raises(StaleFence):
            await world.end(lease, high=2)
        assert (await world.now(instance.instance_id)).variables["one"] == {"high": 1}

    run(story())


def test_a_report_is_kept_when_the_process_dies_before_it_is_acknowledged(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await world.end(lease, high=1)
        with pytest.raises(StaleFence):
            await world.end(lease, high=2)
        ended = await world.work_on(instance.instance_id)
        assert ended.variables["one"] == {"high": 1}
        assert (await world.types(instance.instance_id)).count("PhaseStarted") == 2

    run(story())


def test_heartbeats_hold_a_lease_and_tell_how_far_it_is(world: World) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        for cell in range(4):
            world.clock.turn(LEASE_SEC * 0.9)
            await world.execution.heartbeat(*held(lease), Progress(cell_index=cell, cells_total=4))
        assert not await world.dispatcher._sweep()
        row = await world.storage.attempt(LOCAL_TENANT, lease.attempt.attempt_id)
        assert row.progress == Progress(cell_index=3, cells_total=4)

    run(story())


def test_an_attempt_far_beyond_its_time_is_failed_whatever_its_runner_says(world: World) -> None:
    async def story() -> None:
        instance = await world.new(TIMED)
        lease = await world.must_lease()
        world.clock.turn(20)
        await world.execution.heartbeat(*held(lease), None)
        world.clock.turn(20)
        with pytest.raises(StaleFence, match="the limit is 5 s"):
            await world.execution.heartbeat(*held(lease), None)
        failure = (await world.now(instance.instance_id)).failure
        assert failure is not None
        assert failure.code == "timeout"

    run(story())


def test_an_owners_runner_leases_only_what_its_owner_drives(world: World) -> None:
    async def story() -> None:
        await world.new(owner_id=OwnerId("a"))
        assert await world.lease(world.new_execution(OwnerId("b"))) is None
        assert await world.lease(world.new_execution(OwnerId("a"))) is not None

    run(story())


def test_once_keeps_the_first_value_for_every_later_attempt(world: World) -> None:
    async def story() -> None:
        await world.new()
        first = await world.must_lease()
        assert await world.execution.once_get(*held(first), "charge") is None
        stored = await world.execution.once_put(*held(first), "charge", {"paid": 5})
        assert stored.value == {"paid": 5}
        world.clock.turn(LEASE_SEC + 1)
        await world.dispatcher.step()
        second = await world.must_lease()
        found = await world.execution.once_get(*held(second), "charge")
        assert found is not None
        assert found.value == {"paid": 5}
        assert (await world.execution.once_put(*held(second), "charge", {"paid": 9})).value == {"paid": 5}

    run(story())


@pytest.mark.parametrize(
    ("name", "value"), [("charge", "x" * 70_000), ("", 1), ("a\nb", 1), ("charge", float("nan"))]
)
def test_once_refuses_what_it_cannot_keep(world: World, name: str, value: object) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        with pytest.raises(InvalidInput, match="once"):
            await world.execution.once_put(*held(lease), name, value)

    run(story())


def test_once_keeps_files_too(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        source, target = tmp_path / "df.bin", tmp_path / "restored.bin"
        assert not await world.execution.once_get_file(*held(lease), "df", target)
        source.write_bytes(b"numbers")
        await world.execution.once_put_file(*held(lease), "df", source)
        source.write_bytes(b"other numbers")
        await world.execution.once_put_file(*held(lease), "df", source)
        assert await world.execution.once_get_file(*held(lease), "df", target)
        assert target.read_bytes() == b"numbers"

    run(story())


def test_an_earlier_phases_artifact_is_input_and_a_failed_attempts_is_not(
    world: World, tmp_path: Path
) -> None:
    retried = (
        "name: retried\nautomation_level: 100\nphases:\n"
        "  - {name: one, notebook: one.ipynb, retries: {max_attempts: 2}}\n"
        "  - {name: two, notebook: one.ipynb}\n"
    )

    async def story() -> None:
        await world.new(retried)
        for text, failure in (("partial", "cell_error"), ("whole", None)):
            lease = await world.must_lease()
            (tmp_path / "d.txt").write_text(text)
            await world.execution.put_artifact(
                *held(lease), name="d.txt", kind="data", source=tmp_path / "d.txt"
            )
            await world.end(lease, failure=failure)
        lease = await world.must_lease()
        got = tmp_path / "got.txt"
        wanted = {"parent": False, "target": got}
        await world.execution.fetch_artifact(*held(lease), phase="one", name="d.txt", **wanted)
        assert got.read_text() == "whole"
        with pytest.raises(NotFound, match=r"there are: one/d\.txt"):
            await world.execution.fetch_artifact(*held(lease), phase="one", name="nope", **wanted)

    run(story())


def test_the_bundle_of_the_pinned_version_is_what_an_attempt_gets(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await world.new()
        (world.folder / "templates" / "made" / "one.ipynb").write_text("edited since")
        lease = await world.must_lease()
        await world.execution.fetch_bundle(*held(lease), tmp_path / "bundle")
        assert "nbformat" in (tmp_path / "bundle" / "one.ipynb").read_text()
        assert (await world.now(instance.instance_id)).definition == instance.definition

    run(story())


def test_while_attempts_are_held_back_none_is_leased_and_then_at_once(world: World) -> None:
    async def story() -> None:
        await world.new()
        may_start = asyncio.Event()
        held = Execution(
            world.storage,
            world.artifacts,
            world.orchestrator,
            world.pinned,
            world.clock,
            owner_id=None,
            lease_sec=LEASE_SEC,
            may_start=may_start,
        )
        assert await held.lease(RunnerId("run_1"), wait_sec=0) is None
        waiting = asyncio.create_task(held.lease(RunnerId("run_1"), wait_sec=60))
        await asyncio.sleep(0)
        may_start.set()
        lease = await waiting
        assert lease is not None
        assert lease.attempt.number == 1

    run(story())
