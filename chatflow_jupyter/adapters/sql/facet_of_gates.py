"""The port's methods about answers to gates and waivers."""

from collections.abc import Sequence
from datetime import datetime

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.ids import InstanceId, TenantId, WaiverId
from chatflow_jupyter.domain.instance import Vote
from chatflow_jupyter.ports.records import Waiver

from . import gates
from .database import Transactions


class SqlGates:
    """`IGates` in SQL."""

    _database: Transactions

    async def votes(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[Vote]:
        """See the port."""
        return await self._database.read(lambda c: gates.votes(c, tenant_id, instance_id))

    async def save_waiver(self, waiver: Waiver, act: Act | None = None) -> None:
        """See the port."""
        await self._database.write(lambda c: gates.save(c, waiver, act))

    async def revoke_waiver(
        self, tenant_id: TenantId, waiver_id: WaiverId, now: datetime, act: Act | None = None
    ) -> Waiver:
        """See the port."""
        return await self._database.write(lambda c: gates.revoke(c, tenant_id, waiver_id, now, act))

    async def waivers(self, tenant_id: TenantId) -> Sequence[Waiver]:
        """See the port."""
        return await self._database.read(lambda c: gates.waivers_of(c, tenant_id))

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
        return await self._database.read(
            lambda c: gates.waiver_for(c, tenant_id, name, phase, feature_id, now, given_by)
        )
