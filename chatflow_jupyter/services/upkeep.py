"""Upkeep: what nobody needs any more is removed, all of it on request or little by little."""

import asyncio
import logging
from dataclasses import dataclass

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.state_storage import IStateStorage

from .artifacts import Artifacts

log = logging.getLogger(__name__)

BATCH = 500
PAUSE_SEC = 1.0
EVERY_SEC = 600.0


@dataclass(frozen=True, kw_only=True)
class Removed:
    """How much was removed: stored objects, what was left of uploads, idempotency keys, kept outcomes."""

    objects: int
    uploads: int
    keys: int
    outcomes: int


class Upkeep:
    """Removes what nobody needs any more, of every tenant. Any number may do so on one store."""

    def __init__(
        self,
        storage: IStateStorage,
        artifacts: Artifacts,
        clock: Clock,
        *,
        batch: int = BATCH,
        pause_sec: float = PAUSE_SEC,
        every_sec: float = EVERY_SEC,
    ) -> None:
        """Remove at most `batch` rows at once, so that no transition waits long; `run` keeps these pauses."""
        self._storage = storage
        self._artifacts = artifacts
        self._clock = clock
        self._batch = batch
        self._pause_sec = pause_sec
        self._every_sec = every_sec

    async def run(self) -> None:
        """Remove what has expired, a batch and after a pause the next, and what is left of uploads, for ever.

        With nothing left it looks again later. Stored objects are left to `remove_all`.
        """
        while True:
            more = False
            try:
                dropped = (await self._drop_keys(), await self._drop_outcomes())
                more = self._batch in dropped
                if not more:
                    await self._artifacts.collect_uploads()
            except ChatFlowError as error:
                log.warning("what nobody needs any more is not removed this time: %s", error.message)
            except Exception:
                log.exception("cleaning up failed; trying again in %s s", self._every_sec)
            await asyncio.sleep(self._pause_sec if more else self._every_sec)

    async def remove_all(self) -> Removed:
        """Remove everything that can be: the objects nothing refers to as well."""
        objects = keys = outcomes = 0
        for tenant_id in await self._artifacts.tenants():
            while count := await self._artifacts.collect(tenant_id):
                objects += count
        uploads = await self._artifacts.collect_uploads()
        while count := await self._drop_keys():
            keys += count
        while count := await self._drop_outcomes():
            outcomes += count
        return Removed(objects=objects, uploads=uploads, keys=keys, outcomes=outcomes)

    async def _drop_keys(self) -> int:
        return await self._storage.drop_expired_keys(self._clock.now(), self._batch)

    async def _drop_outcomes(self) -> int:
        return await self._storage.drop_expired_outcomes(self._clock.now(), self._batch)
