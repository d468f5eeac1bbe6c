"""What somebody who follows is shown, whatever happens between two looks."""

import argparse
import io
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.interfaces.cli.displays import PlainDisplay
from chatflow_jupyter.interfaces.cli.following import Follower
from chatflow_jupyter.interfaces.cli.session import Session
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot, take_snapshot
from chatflow_jupyter.services.engine import Engine, is_driven
from chatflow_jupyter.services.queries import Queries
from chatflow_jupyter.services.waivers import NewWaiver
from chatflow_jupyter.settings import load_settings
from tests.services.world import World, run

FOLLOWING = "chatflow_jupyter.interfaces.cli.following"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Services without a runner: nobody drives what is started."""
    return World(folder=tmp_path)


def _follower(world: World, instance: Instance, shown: io.StringIO, engine: Engine | None = None) -> Follower:
    async def driven(tenant_id: TenantId, root_id: InstanceId) -> bool | None:
        return await is_driven(world.storage, lambda _: True, tenant_id, root_id)

    app: Any = SimpleNamespace(
        queries=world.queries,
        storage=world.storage,
        engine=engine,
        is_driven=driven,
        check_home=lambda: None,  # in memory there is none that could go
        clock=world.clock,
    )
    session = Session(options=argparse.Namespace(), settings=load_settings(), app=app, tenant_id=LOCAL_TENANT)
    return Follower(session=session, instance=instance, display=PlainDisplay(shown))


def test_what_happens_after_the_last_look_at_events_is_shown_too(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        shown = io.StringIO()

        async def ended_meanwhile(queries: Queries, root: Instance) -> Snapshot:
            await world.work_on(instance.instance_id)
            return await take_snapshot(queries, root)

        with patch(f"{FOLLOWING}.take_snapshot", ended_meanwhile):
            assert (await _follower(world, instance, shown).follow()).ended
        assert shown.getvalue().splitlines()[-1].split()[2] == "InstanceCompleted"

    run(story())


def test_who_looks_on_does_not_wait_for_ever_for_what_nobody_drives(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> str:
        instance = await world.new()
        with patch(f"{FOLLOWING}.PATIENCE_SEC", 0.1):
            assert not (await _follower(world, instance, io.StringIO()).follow()).ended
        return instance.instance_id

    ident = run(story())
    assert f"no process drives {ident}" in capsys.readouterr().err


def _dispatched_after_a_look(world: World) -> Any:
    """A snapshot that is taken just before the dispatcher does what is due."""

    async def look(queries: Queries, root: Instance) -> Snapshot:
        snapshot = await take_snapshot(queries, root)
        looks.append(snapshot.root.status)
        if len(looks) > 1:
            await world.dispatcher.step()
        return snapshot

    looks: list[str] = []
    return look


GATED = """\
name: gated
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb, gate: {GATE}}
"""


def test_a_gate_that_may_be_waived_is_not_the_end_before_that_was_looked_up(world: World) -> None:
    async def story() -> None:
        await world.new(GATED.replace("GATE", "waivable: true"))
        until = world.clock.now() + timedelta(days=1)
        new = NewWaiver(schema="gated", phase="one", until=until, reason="known", principal=LOCAL_PRINCIPAL)
        await world.waivers.add(LOCAL_TENANT, new)
        instance = await world.new(GATED.replace("GATE", "waivable: true"))
        follower = _follower(world, instance, io.StringIO(), world.new_engine("own"))
        with patch(f"{FOLLOWING}.take_snapshot", _dispatched_after_a_look(world)):
            followed = await follower.follow(until=lambda each: each.status is Status.RUNNING)
        assert followed.status is Status.RUNNING

    run(story())


def test_a_gate_whose_time_is_over_is_not_the_end_before_that_was_acted_on(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED.replace("GATE", "expires_sec: 60, on_reject: fail"))
        assert (await _follower(world, instance, io.StringIO(), world.new_engine("a")).follow()) == instance
        world.clock.turn(61)
        engine = world.new_engine("own")
        with patch(f"{FOLLOWING}.take_snapshot", _dispatched_after_a_look(world)):
            followed = await _follower(world, instance, io.StringIO(), engine).follow()
        assert followed.status is Status.FAILED

    run(story())
