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
    seed: int,
    steps: int,
    opened: Open,
    *,
    undoes: bool | None = None,
    hooked: bool | None = None,
    among: tuple[str, ...] = (),
) -> None:
    """Run the history of that seed; a failure shows the seed and the last steps.

    Every fourth is one in which much is undone, and in every third hooks are in force, unless `undoes` and
    `hooked` say which kind it is; with `among`, it has no other roots. A commit holds one child only, so that
    fan-out over several commits happens all the time.
    """
    log: list[str] = []
    try:
        with mock.patch.object(fan_out, "BATCH_SIZE", BATCH):
            kind = {
                "undoes": seed % 4 == 3 if undoes is None else undoes,
                "hooked": seed % 3 == 2 if hooked is None else hooked,
                "among": among,
            }
            asyncio.run(_walk(seed, steps, opened, log, kind))
    except BaseException as error:
        error.add_note(f"seed {seed}, {len(log)} steps, the last ones:")
        error.add_note("\n".join(log[-25:]))
        raise


async def _walk(seed: int, steps: int, opened: Open, log: list[str], kind: dict[str, Any]) -> None:
    clock = TurnedClock()
    storage = await opened(clock)
    try:
        history = History(storage, clock, seed, **kind)
        history.both.log = log
        await history.run(steps)
    finally:
        await storage.close()
