"""What attempts leave behind when nobody reports them."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.ports.records import Lease
from tests.services.world import LEASE_SEC, World, run


def left_behind(world: World, lease: Lease, notebook: str | None = '{"cells": []}') -> Path:
    """A work folder as a killed runner leaves it."""
    folder = world.work / lease.attempt.attempt_id
    (folder / "run").mkdir(parents=True)
    owner = {"tenant_id": lease.attempt.tenant_id, "attempt_id": lease.attempt.attempt_id}
    (folder / "attempt.json").write_text(json.dumps(owner))
    if notebook is not None:
        (folder / "notebook.ipynb").write_text(notebook)
    return folder


async def names(world: World, lease: Lease) -> list[tuple[str, int]]:
    stored = await world.storage.artifacts(LOCAL_TENANT, lease.attempt.instance_id)
    return [(record.name, record.attempt) for record in stored]


def test_the_partial_notebook_of_a_lost_attempt_is_kept(world: World) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        folder = left_behind(world, lease)
        world.clock.turn(LEASE_SEC + 1)
        await world.dispatcher.step()
        assert await names(world, lease) == [("one.ipynb", 1)]
        assert not folder.exists()

    run(story())


def test_a_sweep_keeps_what_an_attempt_left_that_was_lost_by_a_process_that_died_itself(world: World) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        world.clock.turn(LEASE_SEC + 1)
        await world.dispatcher.step()
        folder = left_behind(world, lease)
        await world.recovery.sweep()
        assert await names(world, lease) == [("one.ipynb", 1)]
        assert not folder.exists()

    run(story())


def test_the_notebook_of_a_cancelled_attempt_is_kept_too(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        lease = await world.must_lease()
        left_behind(world, lease)
        await world.orchestrator.terminate(LOCAL_TENANT, instance.instance_id, LOCAL_PRINCIPAL)
        await world.recovery.sweep()
        assert await names(world, lease) == [("one.ipynb", 1)]

    run(story())


def test_the_folder_of_a_running_attempt_is_left_alone(world: World) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        folder = left_behind(world, lease)
        await world.recovery.sweep()
        assert folder.exists()
        await world.end(lease)
        await world.recovery.sweep()
        assert not folder.exists()
        assert await names(world, lease) == []

    run(story())


def test_folders_of_unknown_attempts_go_and_what_is_no_attempts_folder_stays(world: World) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        unknown = left_behind(world, lease).rename(world.work / "wfi_gone.one.1")
        mine = world.work / "my notes"
        mine.mkdir()
        (mine / "attempt.json").write_text("no JSON")
        await world.recovery.sweep()
        assert not unknown.exists()
        assert mine.exists()

    run(story())


def huge(path: Path) -> None:
    """A file of a tebibyte, none of which is on the disk."""
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    "plant",
    [
        os.mkfifo,
        Path.mkdir,
        lambda note: note.symlink_to("/dev/zero"),
        lambda note: note.write_text("[" * 60_000),
        lambda note: note.write_text('{"tenant_id": ["local"]}'),
        huge,
    ],
    ids=["pipe", "folder", "endless", "deep", "no text", "huge"],
)
def test_whatever_a_notebook_put_in_place_of_the_note_holds_up_nobody(
    world: World, plant: Callable[[Path], object]
) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        world.clock.turn(LEASE_SEC + 1)
        await world.dispatcher.step()
        hostile = world.work / "att_hostile"
        hostile.mkdir()
        plant(hostile / "attempt.json")
        folder = left_behind(world, lease)
        await asyncio.wait_for(world.recovery.sweep(), 10)
        assert await names(world, lease) == [("one.ipynb", 1)]
        assert not folder.exists()

    run(story())


@pytest.mark.parametrize("plant", [os.mkfifo, lambda notebook: notebook.symlink_to("/etc/passwd")])
def test_nothing_but_a_file_is_kept_as_the_notebook(world: World, plant: Callable[[Path], object]) -> None:
    async def story() -> None:
        await world.new()
        lease = await world.must_lease()
        folder = left_behind(world, lease, notebook=None)
        plant(folder / "notebook.ipynb")
        world.clock.turn(LEASE_SEC + 1)
        await asyncio.wait_for(world.dispatcher.step(), 10)
        assert await names(world, lease) == []
        assert not folder.exists()

    run(story())
