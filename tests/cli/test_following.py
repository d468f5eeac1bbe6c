"""What somebody who follows is shown, whatever happens between two looks."""

import argparse
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from chatflow_jupyter.domain.ids import LOCAL_TENANT, InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.interfaces.cli.displays import PlainDisplay
from chatflow_jupyter.interfaces.cli.following import Follower
from chatflow_jupyter.interfaces.cli.session import Session
from chatflow_jupyter.interfaces.cli.snapshot import Snapshot, take_snapshot
from chatflow_jupyter.services.engine import is_driven
from chatflow_jupyter.services.queries import Queries
from chatflow_jupyter.settings import load_settings
from tests.services.world import World, run

FOLLOWING = "chatflow_jupyter.interfaces.cli.following"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Services without a runner: nobody drives what is started."""
    return World(folder=tmp_path)


def _follower(world: World, instance: Instance, shown: io.StringIO) -> Follower:
    async def driven(tenant_id: TenantId, root_id: InstanceId) -> bool | None:
        return await is_driven(world.storage, lambda _: True, tenant_id, root_id)

    app: Any = SimpleNamespace(
        queries=world.queries,
        storage=world.storage,
        engine=None,
        is_driven=driven,
        check_home=lambda: None,  # in memory there is none that could go
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
