"""Rows that cannot be read, as the services meet them, and how long an engine rests beside them."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import pytest

from chatflow_jupyter.adapters.sql import open_sqlite
from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.services.dispatcher import Dispatcher
from tests.services.world import ProcessDied, World


def harm(file: Path, statement: str, *values: str) -> None:
    """Change rows behind the back of everybody."""
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


async def on_disk(world: World) -> Path:
    """Give the world a store that can be damaged."""
    file = world.folder / "home" / "chatflow.db"
    world.wire(await open_sqlite(file, clock=world.clock))
    return file


def damage(world: World, lost: Collection[InstanceId], patched: pytest.MonkeyPatch) -> None:
    """Let the rows of these instances be damaged, as a new process finds them."""
    read = world.storage.instance

    async def instance(tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        if instance_id in lost:
            raise StoreDamaged(f"the row of {instance_id} is damaged")
        found: Instance = await read(tenant_id, instance_id)
        return found

    patched.setattr(world.storage, "instance", instance)
    patched.setattr(world.storage, "recent_instance", lambda *_: None)


async def rests(world: World, monkeypatch: pytest.MonkeyPatch, dispatcher: Dispatcher) -> list[float]:
    """Let the dispatcher run until it has rested three times; returns for how long it wanted to."""
    wanted: list[float] = []

    async def rested(seen: int, timeout_sec: float) -> int:
        wanted.append(timeout_sec)
        if len(wanted) == 3:
            raise ProcessDied
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(world.storage, "wait_for_change", rested)
        with pytest.raises(ProcessDied):
            await dispatcher.run()
    return wanted
