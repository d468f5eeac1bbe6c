"""Random histories: the product and an independent model agree at every step, crash or no crash."""

from pathlib import Path

import pytest

from chatflow_jupyter.adapters.memory.storage import MemoryStateStorage
from chatflow_jupyter.adapters.sql.sqlite_file import open_sqlite
from tests.engine.both_engines import TurnedClock
from tests.engine.walks import walk
from tests.limits import LIMITS


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(min(LIMITS.examples, 500)))
def test_both_engines_agree_in_memory(seed: int) -> None:
    async def opened(clock: TurnedClock) -> MemoryStateStorage:
        return MemoryStateStorage(clock)

    walk(seed, LIMITS.steps * 2, opened)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(LIMITS.kills * 4))
def test_both_engines_agree_on_sqlite(seed: int, tmp_path: Path) -> None:
    async def opened(clock: TurnedClock) -> object:
        return await open_sqlite(tmp_path / "state.db", clock=clock)

    walk(1000 + seed, LIMITS.steps, opened)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(min(LIMITS.examples, 100)))
def test_both_engines_agree_where_outcomes_are_reused(seed: int, tmp_path: Path) -> None:
    async def opened(clock: TurnedClock) -> object:
        if seed % 3:
            return MemoryStateStorage(clock)
        return await open_sqlite(tmp_path / "state.db", clock=clock)

    walk(seed, LIMITS.steps, opened, among=("tally",))
