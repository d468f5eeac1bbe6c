"""One suite per port over every adapter. Tests may be coroutines; each gets an event loop of its own."""

import asyncio
import inspect
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from chatflow_jupyter.adapters.files import LocalArtifactStorage
from chatflow_jupyter.adapters.memory import MemoryStateStorage
from chatflow_jupyter.adapters.sql import open_sqlite
from chatflow_jupyter.ports.artifact_storage import IArtifactStorage
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import NOW


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


class StillClock:
    """A clock that stands at `NOW` until it is set."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture(params=["memory", "sqlite"])
def state_storage(
    request: pytest.FixtureRequest, tmp_path: Path, clock: StillClock
) -> Iterator[IStateStorage]:
    storage: IStateStorage
    if request.param == "memory":
        storage = MemoryStateStorage(clock)
    else:
        storage = asyncio.run(open_sqlite(tmp_path / "home" / "chatflow.db", clock=clock))
    yield storage
    asyncio.run(storage.close())


@pytest.fixture
def sqlite_storage(tmp_path: Path, clock: StillClock) -> Iterator[IStateStorage]:
    storage = asyncio.run(open_sqlite(tmp_path / "home" / "chatflow.db", clock=clock))
    yield storage
    asyncio.run(storage.close())


@pytest.fixture(params=["local"])
def artifact_storage(request: pytest.FixtureRequest, tmp_path: Path) -> IArtifactStorage:
    del request
    return LocalArtifactStorage(tmp_path / "artifacts")
