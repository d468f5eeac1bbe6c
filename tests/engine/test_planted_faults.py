"""The histories notice every planted fault, within a bounded number of steps, and nothing without one."""

from typing import Any

import pytest

from chatflow_jupyter.adapters.memory.storage import MemoryStateStorage
from tests.engine import (  # noqa: F401 - each adds its own
    planted_cache_faults,
    planted_deadline_faults,
    planted_fork_faults,
    planted_gate_faults,
    planted_hook_faults,
    planted_quota_faults,
    planted_spawn_faults,
    planted_undo_faults,
)
from tests.engine.both_engines import TurnedClock
from tests.engine.planted_faults import FAULTS, Fault
from tests.engine.walks import walk
from tests.limits import LIMITS

SEEDS = range(max(LIMITS.examples, 800))
STEPS = LIMITS.steps * 2


async def opened(clock: TurnedClock) -> MemoryStateStorage:
    """Open an empty store in memory."""
    return MemoryStateStorage(clock)


def first_noticed(seeds: range, **kind: Any) -> int | None:
    """Return the first seed whose history, of one of these kinds, goes wrong."""
    for seed in seeds:
        try:
            walk(seed, STEPS, opened, **kind)
        except Exception:
            return seed
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_planted_fault_is_noticed(fault: Fault) -> None:
    with fault.planted():
        kind = {"undoes": fault.undoes, "hooked": fault.hooked, "among": fault.among}
        noticed = first_noticed(SEEDS, **kind)
        assert noticed is not None, f"{fault.name}: {len(SEEDS)} histories did not notice"


def test_there_are_faults_enough_and_none_without_planting() -> None:
    assert len(FAULTS) >= 10
    assert first_noticed(range(10), undoes=False) is None
    assert first_noticed(range(10), undoes=True) is None
    assert first_noticed(range(10), undoes=False, hooked=True) is None
    assert first_noticed(range(10), undoes=True, hooked=True) is None
    assert first_noticed(range(10), undoes=True, hooked=True, among=("tally",)) is None
