"""Random histories: the product and an independent model agree at every step, crash or no crash."""

import asyncio
from collections.abc import Callable, Iterator
from unittest import mock

import pytest

from chatflow_jupyter.adapters.memory.storage import MemoryStateStorage
from chatflow_jupyter.domain import fan_out
from tests.engine.both_engines import TurnedClock
from tests.engine.histories import History
from tests.engine.model_rules import BATCH
from tests.limits import LIMITS


@pytest.fixture(autouse=True)
def small_batches() -> Iterator[None]:
    """Let a commit hold one child, so that fan-out over several commits happens all the time."""
    with mock.patch.object(fan_out, "BATCH_SIZE", BATCH):
        yield


def walk(seed: int, steps: int, storage: Callable[[TurnedClock], object] = MemoryStateStorage) -> History:
    """Run the history of that seed; a failure shows the seed and the last steps."""
    clock = TurnedClock()
    history = History(storage(clock), clock, seed)
    try:
        asyncio.run(history.run(steps))
    except BaseException as error:
        error.add_note(f"seed {seed}, {len(history.both.log)} steps, the last ones:")
        error.add_note("\n".join(history.both.log[-25:]))
        raise
    return history


@pytest.mark.parametrize("seed", range(LIMITS.examples))
def test_both_engines_agree_in_memory(seed: int) -> None:
    walk(seed, LIMITS.steps * 2)
