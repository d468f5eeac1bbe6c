"""Save the notebook while it runs, often enough to be useful and seldom enough to be cheap."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from nbformat import NotebookNode

log = logging.getLogger(__name__)

SHORTEST_PAUSE_SEC = 0.2
CHANGE_PAUSE_SEC = 5.0
COST_FACTOR = 10
"""A save is followed by a pause of this many times its own duration, so saving takes at most 10 % of time."""


class PartialSaves:
    """Writes snapshots in a thread: soon after a cell boundary, every 5 seconds while outputs change.

    `snapshot` is called on the event loop and must return what no longer changes; `write` runs in a thread.
    """

    def __init__(self, snapshot: Callable[[], NotebookNode], write: Callable[[NotebookNode], None]) -> None:
        self._snapshot = snapshot
        self._write = write
        self._boundary = asyncio.Event()
        self._changed = False
        self._one_at_a_time = threading.Lock()
        self._complained = False

    def boundary(self) -> None:
        """Ask for a save soon: a cell has started or ended."""
        self._boundary.set()

    def changed(self) -> None:
        """Note that an output was added."""
        self._changed = True

    async def keep_saving(self) -> None:
        """Save as asked until cancelled; a save that fails is logged once, and tried again later."""
        while True:
            try:
                async with asyncio.timeout(CHANGE_PAUSE_SEC):
                    await self._boundary.wait()
            except TimeoutError:
                if not self._changed:
                    continue
            self._boundary.clear()
            self._changed = False
            began = time.monotonic()
            try:
                await self.save()
            except OSError as error:
                if not self._complained:
                    log.warning("the partial notebook cannot be saved: %s", error)
                self._complained = True
            await asyncio.sleep(max(SHORTEST_PAUSE_SEC, COST_FACTOR * (time.monotonic() - began)))

    async def save(self) -> None:
        """Save now, after any save that is under way. Raises `OSError`."""
        await asyncio.to_thread(self._save_alone, self._snapshot())

    def _save_alone(self, snapshot: NotebookNode) -> None:
        with self._one_at_a_time:
            self._write(snapshot)
