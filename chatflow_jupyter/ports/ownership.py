"""`IOwnership`: which process of an embedded home drives which tree."""

from collections.abc import Sequence
from typing import Protocol

from chatflow_jupyter.domain.ids import InstanceId, OwnerId, TenantId

from .records import Owner, UnfinishedTree


class IOwnership(Protocol):
    """Which process of an embedded home drives which tree."""

    async def register_owner(self, owner: Owner) -> None:
        """Add the process."""

    async def remove_owner(self, owner_id: OwnerId) -> None:
        """Remove the process; its trees have no owner from now on."""

    async def owners(self) -> Sequence[Owner]:
        """Return all registered processes, dead ones included."""

    async def owner_of(self, tenant_id: TenantId, root_id: InstanceId) -> OwnerId | None:
        """Return who drives the tree; raises `NotFound`."""

    async def adopt(
        self, tenant_id: TenantId, root_id: InstanceId, owner_id: OwnerId, *, instead_of: OwnerId | None
    ) -> bool:
        """Make `owner_id` drive the tree if `instead_of` still does; returns whether it now does."""

    async def unfinished_trees(self) -> Sequence[UnfinishedTree]:
        """Return trees with a running node, a retry timer or a waiting continuation, the oldest first."""
