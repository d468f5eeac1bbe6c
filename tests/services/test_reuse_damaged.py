"""Rows that cannot be read, or do not fit, beside phases that look for an earlier outcome."""

from pathlib import Path

import pytest

from chatflow_jupyter.domain.ids import LOCAL_TENANT
from chatflow_jupyter.domain.instance import Status, WaitingReason
from tests.services.damage import harm, on_disk
from tests.services.reusing import SUM, ReuseWorld
from tests.services.world import run

BOTH = ["collect", "count"]


@pytest.fixture
def world(tmp_path: Path) -> ReuseWorld:
    return ReuseWorld(folder=tmp_path)


@pytest.mark.parametrize(
    "damaged",
    [
        "UPDATE attempts SET parameters = '{' WHERE attempt_id = ?",
        "UPDATE attempts SET status = 'failed' WHERE attempt_id = ?",
        "DELETE FROM attempts WHERE attempt_id = ?",
    ],
)
def test_an_attempt_that_cannot_be_taken_over_is_made_anew(world: ReuseWorld, damaged: str) -> None:
    async def story() -> None:
        file = await on_disk(world)
        first, _ = await world.once()
        harm(file, damaged, f"{first.instance_id}.count.1")
        again, made = await world.once()
        assert made == BOTH
        assert again.status is Status.COMPLETED
        rows = await world.storage.attempts(LOCAL_TENANT, again.instance_id)
        assert [(row.phase, row.number) for row in rows] == [("collect", 1), ("count", 1)]
        await world.storage.close()

    run(story())


@pytest.mark.parametrize(
    "damaged",
    [
        "UPDATE definitions SET content_hash = 'other' WHERE name = ?",
        "UPDATE definitions SET pins = '{' WHERE name = ?",
        "DELETE FROM definitions WHERE name = ?",
    ],
)
def test_a_definition_that_is_not_the_pinned_one_holds_up_nobody_else(
    world: ReuseWorld, damaged: str
) -> None:
    async def story() -> None:
        file = await on_disk(world)
        ill = await world.start(SUM.replace("name: sum", "name: ill"))
        await world.collect()
        well = await world.start()
        await world.collect()
        harm(file, damaged, "ill")
        world.wire(world.storage)
        await world.dispatcher.step()
        assert (await world.now(ill.instance_id)).waiting_reason is WaitingReason.CACHE
        assert (await world.now(well.instance_id)).status is Status.RUNNING
        await world.storage.close()

    run(story())
