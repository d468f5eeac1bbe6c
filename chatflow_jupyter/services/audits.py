"""What people did: listed, and followed from the first row on to see that nothing was changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatflow_jupyter.domain.audit import AuditEnd, AuditRow, Chain
from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.audit import AuditFilter, IAudit

PAGE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """How far a tenant's chain is what was recorded, and the first fault, if there is one."""

    end: AuditEnd
    fault: str | None = None


class Audits:
    """Questions about the record of acts. It is written by those who make the changes."""

    def __init__(self, storage: IAudit) -> None:
        """Ask `storage`."""
        self._storage = storage

    async def listed(self, tenant_id: TenantId, wanted: AuditFilter) -> Sequence[AuditRow]:
        """Return matching rows, the latest first."""
        return await self._storage.audit(tenant_id, wanted)

    async def verify(self, tenant_id: TenantId, seen: AuditEnd | None = None) -> Verified:
        """Follow the tenant's chain, a page at a time; it may grow meanwhile.

        With `seen`, an end that was noted earlier, that row must still be there as it was.
        """
        chain = Chain(tenant_id, seen)
        try:
            while True:
                left = await self._storage.audit_end(tenant_id)
                while rows := await self._page(tenant_id, chain.end.position):
                    fault = chain.follow(rows)
                    if fault is not None:
                        return Verified(end=chain.end, fault=fault)
                if chain.end.position <= left.position or await self._is_left(tenant_id, left):
                    return Verified(end=chain.end, fault=chain.finish(left))
        except StoreDamaged as error:
            return Verified(end=chain.end, fault=error.message)

    async def _page(self, tenant_id: TenantId, after: int) -> Sequence[AuditRow]:
        return await self._storage.audit_chain(tenant_id, after=after, limit=PAGE)

    async def _is_left(self, tenant_id: TenantId, left: AuditEnd) -> bool:
        """Whether nobody has recorded anything since: then rows past that end are nobody's."""
        return await self._storage.audit_end(tenant_id) == left
