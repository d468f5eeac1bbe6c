"""The port's methods about what people did."""

from collections.abc import Sequence

from chatflow_jupyter.domain.audit import Act, AuditEnd, AuditRow
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.audit import AuditFilter

from . import audit
from .database import Transactions


class SqlAudit:
    """`IAudit` in SQL."""

    _database: Transactions

    async def note_refusal(self, tenant_id: TenantId, act: Act) -> None:
        """See the port."""
        await self._database.write(lambda c: audit.record_refusal(c, tenant_id, act))

    async def audit(self, tenant_id: TenantId, wanted: AuditFilter) -> Sequence[AuditRow]:
        """See the port."""
        return await self._database.read(lambda c: audit.listed(c, tenant_id, wanted))

    async def audit_chain(
        self, tenant_id: TenantId, *, after: int = 0, limit: int = 1000
    ) -> Sequence[AuditRow]:
        """See the port."""
        return await self._database.read(lambda c: audit.chain(c, tenant_id, after, limit))

    async def audit_end(self, tenant_id: TenantId) -> AuditEnd:
        """See the port."""
        return await self._database.read(lambda c: audit.end(c, tenant_id))
