"""The port's methods about outcomes that may be reused."""

from datetime import datetime

from chatflow_jupyter.domain.ids import Sha256, TenantId
from chatflow_jupyter.ports.records import KeptRow

from . import outcomes
from .database import Transactions


class SqlKeptOutcomes:
    """`IKeptOutcomes` in SQL."""

    _database: Transactions

    async def kept_outcome(self, tenant_id: TenantId, key: Sha256, now: datetime) -> KeptRow | None:
        """See the port."""
        return await self._database.read(lambda c: outcomes.kept(c, tenant_id, key, now))

    async def drop_expired_outcomes(self, now: datetime, limit: int = 500) -> int:
        """See the port."""
        return await self._database.write(lambda c: outcomes.drop_expired(c, now, limit))
