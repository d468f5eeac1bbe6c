"""What people did, in memory."""

from collections.abc import Sequence

from chatflow_jupyter.domain.audit import Act, AuditEnd, AuditRow, next_row
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.audit import AuditFilter

from .tables import Tables


class MemoryAudit:
    """`IAudit` in memory."""

    _tables: Tables

    async def note_refusal(self, tenant_id: TenantId, act: Act) -> None:
        """See the port."""
        wanted = AuditFilter(subject=act.subject, principal=act.principal, verb=act.verb, limit=2**31)
        known = await self.audit(tenant_id, wanted)
        if all(row.act.outcome != act.outcome for row in known):
            record(self._tables, tenant_id, act)
            self._tables.changes.announce()

    async def audit(self, tenant_id: TenantId, wanted: AuditFilter) -> Sequence[AuditRow]:
        """See the port."""
        found = [
            row
            for row in reversed(self._tables.audit[tenant_id])
            if wanted.subject in (None, row.act.subject)
            and wanted.principal in (None, row.act.principal)
            and wanted.verb in (None, row.act.verb)
            and (wanted.since is None or row.act.at >= wanted.since)
            and (wanted.before is None or row.position < wanted.before)
        ]
        return tuple(found[: wanted.limit])

    async def audit_chain(
        self, tenant_id: TenantId, *, after: int = 0, limit: int = 1000
    ) -> Sequence[AuditRow]:
        """See the port."""
        return tuple(self._tables.audit[tenant_id][after : after + limit])

    async def audit_end(self, tenant_id: TenantId) -> AuditEnd:
        """See the port."""
        return _end(self._tables, tenant_id)


def record(tables: Tables, tenant_id: TenantId, act: Act | None) -> None:
    """Keep the act, if any, as the next row of the tenant's chain."""
    if act is not None:
        tables.audit[tenant_id].append(next_row(_end(tables, tenant_id), tenant_id, act))


def _end(tables: Tables, tenant_id: TenantId) -> AuditEnd:
    rows = tables.audit[tenant_id]
    return AuditEnd(position=rows[-1].position, sha256=rows[-1].sha256) if rows else AuditEnd()
