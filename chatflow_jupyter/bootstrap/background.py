"""The background runner of a home: whether there is one, and how it is started."""

import subprocess
import sys

from chatflow_jupyter.adapters.processes import is_alive
from chatflow_jupyter.log_files import rotated
from chatflow_jupyter.ports.state_storage import IStateStorage
from chatflow_jupyter.settings import Settings


async def has_background(storage: IStateStorage) -> bool:
    """Whether a living background runner sees to this home."""
    return any(owner.kind == "background" and is_alive(owner) for owner in await storage.owners())


async def see_to_background(settings: Settings, storage: IStateStorage) -> None:
    """Have what is to be done, and was committed before, done in the background.

    A living one is enough even when it is about to end because it is idle: it is seen here, so it has yet to
    leave, and after it has left it looks once more for orphans and calls this (`Engine.leave`). Only when it
    was told to end, or is killed, is nothing started in its place.
    """
    if not await has_background(storage):
        spawn_background(settings)


def spawn_background(settings: Settings) -> int:
    """Start the background runner of this home, apart from this terminal; returns its pid."""
    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    with rotated(settings.logs / "background.out").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chatflow_jupyter.interfaces.background"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=settings.for_child(),
        )
    return process.pid
