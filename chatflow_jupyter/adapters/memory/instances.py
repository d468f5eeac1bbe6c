"""Reading instances and trees."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.fan_out import known_children
from chatflow_jupyter.domain.ids import InstanceId, Principal, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.tree import TreeStatus, node_class, tree_status
from chatflow_jupyter.domain.usage import Used
from chatflow_jupyter.ports.records import FeatureCount, InstanceFilter, Standing, StoredAnswer

from .tables import Tables
from .usage import usage_of


class MemoryInstances:
    """The reading half of `IInstances`."""

    _tables: Tables

    async def instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        """See the port."""
        return self._tables.instance(tenant_id, instance_id)

    async def standing(self, tenant_id: TenantId, instance_id: InstanceId) -> Standing:
        """See the port."""
        node = self._tables.instance(tenant_id, instance_id)
        return Standing(
            instance_id=instance_id,
            status=node.shown_status,
            waiting_reason=str(node.waiting_reason) if node.waiting_reason else None,
            phase=node.phase,
            seq=node.seq,
        )

    def recent_instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        """See the port."""
        return self._tables.instances.get((tenant_id, instance_id))

    async def used(self, tenant_id: TenantId, root_id: InstanceId, by: Collection[InstanceId]) -> Used:
        """See the port."""
        self._tables.instance(tenant_id, root_id)
        known = {name: usage_of(self._tables, tenant_id, name) for name in by}
        in_tree = self._tables.asked_in_trees[(tenant_id, root_id)]
        return Used(of=known, in_tree=in_tree)

    async def instances(self, tenant_id: TenantId, wanted: InstanceFilter) -> Sequence[Instance]:
        """See the port."""
        siblings = [
            node
            for (tenant, _), node in self._tables.instances.items()
            if tenant == tenant_id and (node.parent.instance_id if node.parent else None) == wanted.parent_id
        ]
        if wanted.parent_id is None:
            siblings.reverse()
        else:
            siblings.sort(key=_place_among_children)
        found = [node for node in _after(siblings, wanted.before) if _matches(node, wanted)]
        listed = found[: wanted.limit]
        return tuple(listed if wanted.families else map(_without_family, listed))

    async def feature_counts(self, tenant_id: TenantId, feature_id: str) -> Sequence[FeatureCount]:
        """See the port."""
        alike: defaultdict[tuple[str, str, str], list[datetime]] = defaultdict(list)
        for (tenant, _), node in self._tables.instances.items():
            if (tenant, node.feature_id) == (tenant_id, feature_id) and node.parent is None:
                where = node.definition.name, node.shown_status, str(node.waiting_reason or "")
                alike[where].append(node.created_at)
        return tuple(
            FeatureCount(
                name=name,
                status=status,
                waiting_reason=reason or None,
                number=len(created),
                newest_at=max(created),
            )
            for (name, status, reason), created in sorted(alike.items())
        )

    async def stored_answer(self, tenant_id: TenantId, principal: Principal, key: str) -> StoredAnswer | None:
        """See the port."""
        stored = self._tables.keys.get((tenant_id, principal, key))
        if stored is None or stored.expires_at <= self._tables.clock.now():
            return None
        return StoredAnswer(request_sha256=stored.request_sha256, answer=stored.answer)

    async def drop_expired_keys(self, now: datetime, limit: int = 500) -> int:
        """See the port."""
        keys = self._tables.keys
        expired = [name for name, key in keys.items() if key.expires_at <= now][:limit]
        for name in expired:
            del keys[name]
        if expired:
            self._tables.changes.announce()
        return len(expired)

    async def tree_status(self, tenant_id: TenantId, root_id: InstanceId, now: datetime) -> TreeStatus:
        """See the port."""
        nodes = self._tables.tree(tenant_id, root_id)
        if not nodes:
            raise NotFound(f"no instance {root_id}")
        root = self._tables.instance(tenant_id, root_id)
        counts = Counter(node_class(node) for node in nodes)
        return tree_status(root_id, counts, started_at=root.started_at, ended_at=root.ended_at, now=now)

    async def tree(
        self, tenant_id: TenantId, root_id: InstanceId, *, after: InstanceId | None = None, limit: int = 1000
    ) -> Sequence[Instance]:
        """See the port."""
        return tuple(_after(self._tables.tree(tenant_id, root_id), after)[:limit])


def _matches(node: Instance, wanted: InstanceFilter) -> bool:
    return (
        wanted.phase in (None, node.parent.phase if node.parent else None)
        and wanted.feature_id in (None, node.feature_id)
        and wanted.status in (None, node.shown_status)
        and wanted.waiting_reason in (None, node.waiting_reason)
        and wanted.name in (None, node.definition.name)
    )


def _without_family(node: Instance) -> Instance:
    variables = {**node.variables, "children": {}} if known_children(node) else node.variables
    return replace(node, variables=variables, spawned=())


def _place_among_children(node: Instance) -> tuple[str, int]:
    assert node.parent is not None
    return node.parent.phase, node.parent.index


def _after(nodes: list[Instance], last: InstanceId | None) -> list[Instance]:
    """Return the nodes that come after `last`; none when it is not among them."""
    if last is None:
        return nodes
    position = next((n for n, node in enumerate(nodes) if node.instance_id == last), len(nodes))
    return nodes[position + 1 :]
