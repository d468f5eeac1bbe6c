"""The engine of an embedded home: which process drives which tree, and what happens when one dies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Literal

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, TenantId
from chatflow_jupyter.ports.records import Owner, UnfinishedTree
from chatflow_jupyter.ports.state_storage import IStateStorage

from .dispatcher import Dispatcher

log = logging.getLogger(__name__)

LOOK_EVERY_SEC = 1.0


class Engine:
    """Drives the trees this process owns, and gives those of dead processes away."""

    def __init__(
        self,
        storage: IStateStorage,
        dispatcher: Dispatcher,
        owner: Owner,
        is_alive: Callable[[Owner], bool],
        hand_over: Callable[[], Awaitable[None]] | None,
    ) -> None:
        """Act as `owner`. `hand_over` starts a background runner; None means: adopt everything here."""
        self._storage = storage
        self._dispatcher = dispatcher
        self._owner = owner
        self._is_alive = is_alive
        self._hand_over = hand_over

    @property
    def owner_id(self) -> OwnerId:
        """Who this process is."""
        return self._owner.owner_id

    async def register(self) -> None:
        """Become an owner."""
        await self._storage.register_owner(self._owner)

    async def bury_the_dead(self) -> Collection[OwnerId]:
        """Take their attempts from owners whose process is gone; returns those owners."""
        dead = [owner for owner in await self._storage.owners() if not self._is_alive(owner)]
        for owner in dead:
            for row in await self._storage.leases_of(owner.owner_id):
                await self._dispatcher.lose(row, cause="its process is gone", counted=False)
            await self._storage.remove_owner(owner.owner_id)
        return [owner.owner_id for owner in dead]

    async def adopt(self, tenant_id: TenantId, root_id: InstanceId) -> Literal["ours", "theirs"]:
        """Drive that tree from now on, unless a living process does."""
        await self.bury_the_dead()
        holder = await self._storage.owner_of(tenant_id, root_id)
        if holder == self.owner_id:
            return "ours"
        if holder is not None:
            return "theirs"
        adopted = await self._storage.adopt(tenant_id, root_id, self.owner_id, instead_of=None)
        return "ours" if adopted else "theirs"

    async def look_after_orphans(self, *, but: Collection[InstanceId] = ()) -> Collection[UnfinishedTree]:
        """See that unfinished trees without an owner go on, here or in the background; returns them."""
        await self.bury_the_dead()
        orphans = [tree for tree in await self.orphans() if tree.root_id not in but]
        if self._hand_over is not None:
            if orphans:
                await self._hand_over()
            return orphans
        for tree in orphans:
            await self.adopt(tree.tenant_id, tree.root_id)
        return orphans

    async def orphans(self) -> Collection[UnfinishedTree]:
        """Return unfinished trees that no process drives."""
        return [tree for tree in await self._storage.unfinished_trees() if tree.owner_id is None]

    async def is_idle(self) -> bool:
        """Whether none of the trees this process owns has anything left to do."""
        return not any(tree.owner_id == self.owner_id for tree in await self._storage.unfinished_trees())

    async def runner_gone(self) -> None:
        """Take back every attempt this process's runner held."""
        await self._take_back(cause="its runner process ended", counted=True)

    async def leave(self) -> None:
        """Stop being an owner: what still ran here is queued again, uncounted, for whoever comes next."""
        await self._take_back(cause="its process was ended", counted=False)
        await self._storage.remove_owner(self.owner_id)

    async def _take_back(self, *, cause: str, counted: bool) -> None:
        await self.register()  # a write, so any claim cut short comes before it or never
        for row in await self._storage.leases_of(self.owner_id):
            await self._dispatcher.lose(row, cause=cause, counted=counted)

    async def watch(self) -> None:
        """Bury the dead, and in the background adopt orphans, for ever."""
        while True:
            try:
                if self._hand_over is None:
                    await self.look_after_orphans()
                else:
                    await self.bury_the_dead()
            except ChatFlowError as error:
                log.warning("looking after other processes failed: %s", error.message)
            await asyncio.sleep(LOOK_EVERY_SEC)
