"""Published definitions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import Conflict, NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.records import DefinitionRecord, Deprecation, VersionUse

from . import audit
from .tables import Tables


class MemoryDefinitions:
    """`IDefinitions` in memory."""

    _tables: Tables

    async def save_definition(self, record: DefinitionRecord, act: Act | None = None) -> None:
        """See the port."""
        key = (record.tenant_id, record.reference.name, record.reference.version)
        stored = self._tables.definitions.setdefault(key, record)
        if stored.reference.content_hash != record.reference.content_hash:
            message = f"{record.reference.schema_id} exists with other content; publish under a new version"
            raise Conflict(message, code="version_exists")
        if stored is record:
            audit.record(self._tables, record.tenant_id, act)
            self._tables.changes.announce()

    async def definition(self, tenant_id: TenantId, name: str, version: str) -> DefinitionRecord:
        """See the port."""
        found = self._tables.definitions.get((tenant_id, name, version))
        if found is None:
            raise NotFound(f"no definition {name}@{version}")
        return found

    async def definitions(self, tenant_id: TenantId) -> Sequence[DefinitionRecord]:
        """See the port."""
        newest_first = [r for r in reversed(self._tables.definitions.values()) if r.tenant_id == tenant_id]
        newest_first.sort(key=lambda record: record.published_at, reverse=True)
        return tuple(sorted(newest_first, key=lambda record: record.reference.name))

    async def save_deprecation(self, deprecation: Deprecation, act: Act | None = None) -> None:
        """See the port."""
        of = deprecation
        await self.definition(of.tenant_id, of.name, of.version)
        self._tables.deprecations[of.tenant_id, of.name, of.version] = of
        audit.record(self._tables, of.tenant_id, act)

    async def withdraw_deprecation(
        self, tenant_id: TenantId, name: str, version: str, now: datetime, act: Act | None = None
    ) -> Deprecation:
        """See the port."""
        found = self._tables.deprecations.get((tenant_id, name, version))
        if found is None:
            raise NotFound(f"{name}@{version} is not deprecated")
        if found.withdrawn_at is not None:
            return found
        withdrawn = replace(found, withdrawn_at=now)
        audit.record(self._tables, tenant_id, act)
        self._tables.deprecations[tenant_id, name, version] = withdrawn
        return withdrawn

    async def deprecations(self, tenant_id: TenantId) -> Sequence[Deprecation]:
        """See the port."""
        found = [each for each in self._tables.deprecations.values() if each.tenant_id == tenant_id]
        return tuple(sorted(found, key=lambda each: (each.name, each.version)))

    async def versions_in_use(self, tenant_id: TenantId, name: str | None = None) -> Mapping[str, VersionUse]:
        """See the port."""
        wanted = [
            node
            for (tenant, _), node in self._tables.instances.items()
            if tenant == tenant_id and name in (None, node.definition.name)
        ]
        every = Counter(node.definition.schema_id for node in wanted)
        unfinished = Counter(node.definition.schema_id for node in wanted if not node.ended)
        return {
            named: VersionUse(instances=count, unfinished=unfinished[named]) for named, count in every.items()
        }
