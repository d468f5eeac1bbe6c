"""The engine of an embedded home: which process drives which tree, and what happens when one dies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Set
from typing import Literal

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, TenantId
from chatflow_jupyter.domain.requests import LossKind
from chatflow_jupyter.ports.records import Owner, UnfinishedTree
from chatflow_jupyter.ports.state_storage import IStateStorage

from .dispatcher import Dispatcher

log = logging.getLogger(__name__)

LOOK_EVERY_SEC = 1.0
PAUSE_BETWEEN_LOOKS_SEC = 0.2


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
        self._driven: set[InstanceId] = set()
        self._hands_on = False
        self._may_start = asyncio.Event()
        self._may_start.set()

    @property
    def may_start(self) -> asyncio.Event:
        """Set while attempts may be started here."""
        return self._may_start

    def hold_attempts(self) -> None:
        """Start no attempt until `start_attempts`: this process may end before it could see one through."""
        self._may_start.clear()

    def start_attempts(self) -> None:
        """Start what is queued in the trees driven here, and what comes."""
        self._may_start.set()

    @property
    def owner_id(self) -> OwnerId:
        """Who this process is."""
        return self._owner.owner_id

    @property
    def hands_on(self) -> bool:
        """Whether others are to go on with what this process leaves unfinished."""
        return self._hands_on

    def hand_on(self) -> None:
        """Leave what is unfinished to others: this process ends in order, nobody told it to stop."""
        self._hands_on = True

    async def register(self) -> None:
        """Become an owner."""
        await self._storage.register_owner(self._owner)

    async def bury_the_dead(self) -> Collection[OwnerId]:
        """Take their attempts from owners whose process is gone; returns those owners.

        Whoever was stopped for a while may have been buried meanwhile, and becomes an owner again.
        """
        owners = await self._storage.owners()
        if self.owner_id not in {owner.owner_id for owner in owners}:
            await self.register()
        dead = [owner for owner in owners if not self._is_alive(owner)]
        for owner in dead:
            booted = owner.boot_id != self._owner.boot_id
            cause = "the machine was started anew" if booted else "its process is gone"
            for row in await self._storage.leases_of(owner.owner_id):
                counts_as: LossKind = "nothing" if booted else "process"
                await self._dispatcher.lose(row, cause=cause, counts_as=counts_as)
            await self._storage.remove_owner(owner.owner_id)
        return [owner.owner_id for owner in dead]

    async def adopt(self, tenant_id: TenantId, root_id: InstanceId) -> Literal["ours", "theirs"]:
        """Drive that tree from now on, unless a living process does."""
        await self.bury_the_dead()
        holder = await self._storage.owner_of(tenant_id, root_id)
        if holder not in await self._registered() and await self._storage.adopt(
            tenant_id, root_id, self.owner_id, instead_of=holder
        ):
            holder = self.owner_id
        if holder != self.owner_id:
            return "theirs"
        self._driven.add(root_id)
        return "ours"

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
        """Return unfinished trees that no registered process drives."""
        trees = await self._storage.unfinished_trees()
        registered = await self._registered()
        return [tree for tree in trees if tree.owner_id not in registered]

    async def _registered(self) -> Set[OwnerId | None]:
        """Return all owners. Read after what they own: who owns something had registered before."""
        return {owner.owner_id for owner in await self._storage.owners()}

    async def is_idle(self) -> bool:
        """Whether nothing is left to do here: other living processes drive whatever is unfinished."""
        others = await living(self._storage, self._is_alive) - {self.owner_id}
        return all(tree.owner_id in others for tree in await self._storage.unfinished_trees())

    async def runner_gone(self) -> None:
        """Take back every attempt this process's runner held."""
        await self._take_back(cause="its runner process ended", counts_as="runner")

    async def leave(self) -> Collection[UnfinishedTree]:
        """Stop being an owner: what still ran here is queued again for whoever comes next.

        Returns the unfinished trees without an owner that this process was to see to: in the foreground those
        it drove, in the background all. It looks for them after it has left: whoever saw it registered, and
        therefore started no other process, had committed what is to be done before this look.
        """
        counts_as: LossKind = "nothing" if self._hands_on else "process"
        await self._take_back(cause="its process was ended", counts_as=counts_as)
        await self._storage.remove_owner(self.owner_id)
        orphans = await self.orphans()
        if self._hand_over is None:
            return orphans
        return [tree for tree in orphans if tree.root_id in self._driven]

    async def _take_back(self, *, cause: str, counts_as: LossKind) -> None:
        await self.register()  # a write, so any claim cut short comes before it or never
        for row in await self._storage.leases_of(self.owner_id):
            await self._dispatcher.lose(row, cause=cause, counts_as=counts_as)

    async def watch(self) -> None:
        """Bury the dead, and in the background adopt orphans as soon as there are any, for ever."""
        told = ""
        while True:
            seen = self._storage.change_token()
            try:
                if self._hand_over is None:
                    await self.look_after_orphans()
                else:
                    await self.bury_the_dead()
                told = ""
            except ChatFlowError as error:
                if error.message != told:
                    log.warning("looking after other processes failed, trying again: %s", error.message)
                told = error.message
            if told or self._hand_over is not None:
                await asyncio.sleep(LOOK_EVERY_SEC)
            else:
                await self._storage.wait_for_change(seen, LOOK_EVERY_SEC)
                await asyncio.sleep(PAUSE_BETWEEN_LOOKS_SEC)


async def living(storage: IStateStorage, is_alive: Callable[[Owner], bool]) -> Set[OwnerId]:
    """Return the registered processes that live."""
    return {owner.owner_id for owner in await storage.owners() if is_alive(owner)}


async def is_driven(
    storage: IStateStorage, is_alive: Callable[[Owner], bool], tenant_id: TenantId, root_id: InstanceId
) -> bool | None:
    """Return whether a living process drives that tree; None when none does and none is needed.

    Raises `NotFound`.
    """
    if await storage.owner_of(tenant_id, root_id) in await living(storage, is_alive):
        return True
    unfinished = await storage.unfinished_trees()
    return False if any(tree.root_id == root_id for tree in unfinished) else None
