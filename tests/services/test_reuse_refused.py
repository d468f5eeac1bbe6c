"""Where an unchanged phase is made all the same, and what stands in nobody else's way."""

from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import Unreachable
from chatflow_jupyter.domain.hooks import Accept
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.domain.requests import Trigger
from tests.services.hooked import hook
from tests.services.reusing import SUM, ReuseWorld
from tests.services.world import run

BOTH = ["collect", "count"]


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
