"""Running one random history by its seed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

from chatflow_jupyter.domain import fan_out
from tests.engine.both_engines import TurnedClock
from tests.engine.histories import History
from tests.engine.model_rules import BATCH

Open = Callable[[TurnedClock], Awaitable[Any]]


def walk(
    seed: int, steps: int, opened: Open, *, undoes: bool | None = None, among: tuple[str, ...] = ()
) -> None:
    """Run the history of that seed; a failure shows the seed and the last steps.

    Every fourth is one in which much is undone, unless `undoes` says so or not; with `among`, it has no
    other roots. A commit holds one child only, so that fan-out over several commits happens all the time.
    """
    log: list[str] = []
    try:
        with mock.patch.object(fan_out, "BATCH_SIZE", BATCH):
            undoing = seed % 4 == 3 if undoes is None else undoes
            asyncio.run(_walk(seed, steps, opened, log, undoing, among))
    except BaseException as error:
        error.add_note(f"seed {seed}, {len(log)} steps, the last ones:")
        error.add_note("\n".join(log[-25:]))
        raise


async def _walk(
    seed: int, steps: int, opened: Open, log: list[str], undoes: bool, among: tuple[str, ...]
) -> None:
    clock = TurnedClock()
    storage = await opened(clock)
    try:
        history = History(storage, clock, seed, undoes=undoes, among=among)
        history.both.log = log
        await history.run(steps)
    finally:
        await storage.close()
