"""The relay: moves committed events from the outbox to the bus, at least once and in order."""

import logging

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.ports.event_bus import IEventBus
from chatflow_jupyter.ports.state_storage import IEvents

log = logging.getLogger(__name__)

BATCH = 200
PAUSE_AFTER_FAILURE_SEC = 1.0


class Relay:
    """Publishes, then deletes from the outbox; a crash between the two publishes again."""

    def __init__(self, storage: IEvents, bus: IEventBus) -> None:
        """Move messages from `storage` to `bus`."""
        self._storage = storage
        self._bus = bus

    async def run(self) -> None:
        """Relay for ever; everything else goes on while the bus is away or the store is full."""
        while True:
            seen = self._storage.change_token()
            try:
                moved = await self.step()
            except ChatFlowError as error:
                log.warning("events wait in the outbox: %s", error.message)
                await self._storage.wait_for_change(seen, PAUSE_AFTER_FAILURE_SEC)
                continue
            if not moved:
                await self._storage.wait_for_change(seen, 5.0)

    async def step(self) -> int:
        """Relay one batch; returns how many messages it had."""
        batch = await self._storage.outbox(BATCH)
        if batch:
            await self._bus.publish(batch)
            await self._storage.outbox_published([row.outbox_id for row in batch])
        return len(batch)
