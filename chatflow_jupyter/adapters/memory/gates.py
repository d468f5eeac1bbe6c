"""Answers to gates, and waivers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import InstanceId, TenantId, WaiverId
from chatflow_jupyter.domain.instance import Vote
from chatflow_jupyter.ports.records import Waiver

from . import audit
from .tables import Tables


class MemoryGates:
    """`IGates` in memory."""

    _tables: Tables

    async def votes(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[Vote]:
        """See the port."""
        return tuple(vote for *of, vote in self._tables.votes if of == [tenant_id, instance_id])

    async def save_waiver(self, waiver: Waiver, act: Act | None = None) -> None:
        """See the port."""
        self._tables.waivers[waiver.tenant_id, waiver.waiver_id] = waiver
        audit.record(self._tables, waiver.tenant_id, act)

    async def revoke_waiver(
        self, tenant_id: TenantId, waiver_id: WaiverId, now: datetime, act: Act | None = None
    ) -> Waiver:
        """See the port."""
        waiver = self._tables.waivers.get((tenant_id, waiver_id))
        if waiver is None:
            raise NotFound(f"no waiver {waiver_id}")
        if waiver.revoked_at is not None:
            return waiver
        revoked = replace(waiver, revoked_at=now)
        audit.record(self._tables, tenant_id, act)
        self._tables.waivers[tenant_id, waiver_id] = revoked
        return revoked

    async def waivers(self, tenant_id: TenantId) -> Sequence[Waiver]:
        """See the port."""
        found = [waiver for waiver in self._tables.waivers.values() if waiver.tenant_id == tenant_id]
        return tuple(sorted(found, key=lambda waiver: (waiver.created_at, waiver.waiver_id), reverse=True))

    async def waiver_for(
        self,
        tenant_id: TenantId,
        name: str,
        phase: str,
        feature_id: str | None,
        now: datetime,
        *,
        given_by: datetime,
    ) -> Waiver | None:
        """See the port."""
        found = [
            waiver
            for waiver in await self.waivers(tenant_id)
            if (waiver.name, waiver.phase) == (name, phase)
            and waiver.feature_id in (None, feature_id)
            and waiver.revoked_at is None
            and waiver.expires_at > now
            and waiver.created_at <= given_by
        ]
        return max(found, key=lambda waiver: (waiver.expires_at, waiver.waiver_id), default=None)
