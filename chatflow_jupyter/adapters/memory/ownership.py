"""Which process drives which tree."""

from collections.abc import Sequence

from chatflow_jupyter.adapters.unfinished_work import is_busy
from chatflow_jupyter.domain.decision import TimerKind
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, TenantId
from chatflow_jupyter.ports.records import Owner, UnfinishedTree

from .tables import Tables


class MemoryOwnership:
    """`IOwnership` in memory."""

    _tables: Tables

    async def register_owner(self, owner: Owner) -> None:
        """See the port."""
        self._tables.owners[owner.owner_id] = owner
        self._tables.changes.announce()

    async def remove_owner(self, owner_id: OwnerId) -> None:
        """See the port."""
        self._tables.owners.pop(owner_id, None)
        for tree, owner in self._tables.tree_owners.items():
            if owner == owner_id:
                self._tables.tree_owners[tree] = None
        self._tables.changes.announce()

    async def owners(self) -> Sequence[Owner]:
        """See the port."""
        return tuple(self._tables.owners.values())

    async def owner_of(self, tenant_id: TenantId, root_id: InstanceId) -> OwnerId | None:
        """See the port."""
        if (tenant_id, root_id) not in self._tables.tree_owners:
            raise NotFound(f"no instance {root_id}")
        return self._tables.tree_owners[(tenant_id, root_id)]

    async def adopt(
        self, tenant_id: TenantId, root_id: InstanceId, owner_id: OwnerId, *, instead_of: OwnerId | None
    ) -> bool:
        """See the port."""
        tree = (tenant_id, root_id)
        if tree not in self._tables.tree_owners:
            return False
        if self._tables.tree_owners[tree] == instead_of:
            self._tables.tree_owners[tree] = owner_id
            self._tables.changes.announce()
        return self._tables.tree_owners[tree] == owner_id

    async def unfinished_trees(self) -> Sequence[UnfinishedTree]:
        """See the port."""
        tables = self._tables
        due = {(t.tenant_id, t.instance_id) for t in tables.timers.values() if t.kind is TimerKind.RETRY}
        due |= {(c.tenant_id, c.continuation.instance_id) for c in tables.continuations.values()}
        open_trees = {
            (node.tenant_id, node.root_id)
            for key, node in tables.instances.items()
            if key in due or is_busy(node)
        }
        return tuple(
            UnfinishedTree(tenant_id=tenant_id, root_id=root_id, owner_id=owner_id)
            for (tenant_id, root_id), owner_id in tables.tree_owners.items()
            if (tenant_id, root_id) in open_trees
        )
