"""Published definitions."""

from collections.abc import Sequence

from chatflow_jupyter.domain.errors import Conflict, NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.records import DefinitionRecord

from .tables import Tables


class MemoryDefinitions:
    """`IDefinitions` in memory."""

    _tables: Tables

    async def save_definition(self, record: DefinitionRecord) -> None:
        """See the port."""
        key = (record.tenant_id, record.reference.name, record.reference.version)
        stored = self._tables.definitions.setdefault(key, record)
        if stored.reference.content_hash != record.reference.content_hash:
            message = f"{record.reference.schema_id} exists with other content; publish under a new version"
            raise Conflict(message, code="version_exists")
        if stored is record:
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
