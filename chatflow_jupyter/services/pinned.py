"""The definitions instances are pinned to, kept in memory: they never change."""

from chatflow_jupyter.domain.errors import InternalError
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.domain.instance import DefinitionRef
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.ports.state_storage import IDefinitions

MAX_KEPT = 256


class PinnedDefinitions:
    """Looks definitions up by their exact reference."""

    def __init__(self, storage: IDefinitions) -> None:
        """Read from `storage` what is not in memory yet."""
        self._storage = storage
        self._kept: dict[tuple[TenantId, str, str], DefinitionRecord] = {}

    async def of(self, tenant_id: TenantId, reference: DefinitionRef) -> DefinitionRecord:
        """Return the definition of exactly that reference; raises `NotFound`."""
        key = (tenant_id, reference.name, reference.version)
        record = self._kept.get(key)
        if record is None:
            record = await self._storage.definition(tenant_id, reference.name, reference.version)
            if len(self._kept) >= MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = record
        if record.reference.content_hash != reference.content_hash:
            raise InternalError(f"{reference.schema_id}: the stored definition is not the pinned one")
        return record

    async def child_of(self, record: DefinitionRecord, schema_ref: str) -> DefinitionRecord:
        """Return the definition that `record` was pinned to for its children."""
        return await self.of(record.tenant_id, record.pins[schema_ref])
