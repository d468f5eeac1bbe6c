"""`IAudit`: what people did, each in a row of its tenant's chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chatflow_jupyter.domain.audit import Act, AuditEnd, AuditRow, Verb
from chatflow_jupyter.domain.ids import Principal, TenantId


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which rows to list; every given field must match. `before` continues a page at that position."""

    subject: str | None = None
    principal: Principal | None = None
    verb: Verb | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int = 50


class IAudit(Protocol):
    """The record of acts. Each is written in the transaction that makes the change, or not at all.

    Where a method takes an `act`, it is recorded behind the last row of the tenant exactly when the method
    changes something, with reasons cut to a thousand characters. Of many at once, no two share a position.
    """

    async def note_refusal(self, tenant_id: TenantId, act: Act) -> None:
        """Record an act that was refused, unless the same principal's same verb came to that there before."""

    async def audit(self, tenant_id: TenantId, wanted: AuditFilter) -> Sequence[AuditRow]:
        """Return matching rows, the latest first, at most `limit`."""

    async def audit_chain(
        self, tenant_id: TenantId, *, after: int = 0, limit: int = 1000
    ) -> Sequence[AuditRow]:
        """Return the rows above position `after`, in order, at most `limit`."""

    async def audit_end(self, tenant_id: TenantId) -> AuditEnd:
        """Return where the chain ends, as it was left by the last who recorded something."""
