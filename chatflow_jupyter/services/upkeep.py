"""Upkeep: what nobody needs any more is removed, all of it on request or little by little."""

import asyncio
import logging

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.state_storage import IInstances

log = logging.getLogger(__name__)

BATCH = 500
PAUSE_SEC = 1.0
EVERY_SEC = 600.0


class Upkeep:
    """Removes idempotency keys that have expired, of every tenant. Any number may do so on one store."""

    def __init__(
        self,
        storage: IInstances,
        clock: Clock,
        *,
        batch: int = BATCH,
        pause_sec: float = PAUSE_SEC,
        every_sec: float = EVERY_SEC,
    ) -> None:
        """Remove at most `batch` at once, so that no transition waits long; `run` keeps these pauses."""
        self._storage = storage
        self._clock = clock
        self._batch = batch
        self._pause_sec = pause_sec
        self._every_sec = every_sec

    async def run(self) -> None:
        """Remove a batch, and after a pause the next, for ever; with nothing left, look again later."""
        while True:
            more = False
            try:
                more = await self.drop_some_keys() == self._batch
            except ChatFlowError as error:
                log.warning("expired idempotency keys are not deleted this time: %s", error.message)
            except Exception:
                log.exception("cleaning up failed; trying again in %s s", self._every_sec)
            await asyncio.sleep(self._pause_sec if more else self._every_sec)

    async def drop_some_keys(self) -> int:
        """Delete a batch of expired keys; returns how many, which is 0 when none is left."""
        return await self._storage.drop_expired_keys(self._clock.now(), self._batch)
