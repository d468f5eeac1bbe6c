"""The world the services live in."""

from pathlib import Path

import pytest

from tests.services.plans import Plans
from tests.services.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A new world."""
    return World(folder=tmp_path)


@pytest.fixture
def plans(world: World) -> Plans:
    """A new world with schedules."""
    return Plans(world)
