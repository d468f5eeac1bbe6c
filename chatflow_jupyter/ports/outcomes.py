"""`IKeptOutcomes`: which attempt handed over what may be reused. `commit` adds to it with `decision.kept`."""

from datetime import datetime
from typing import Protocol

from chatflow_jupyter.domain.ids import Sha256, TenantId

from .records import KeptRow


class IKeptOutcomes(Protocol):
    """Outcomes by the hash of the inputs they were made from; of each hash the newest one only."""

    async def kept_outcome(self, tenant_id: TenantId, key: Sha256, now: datetime) -> KeptRow | None:
        """Return what is kept under the key and has not expired, or None."""

    async def drop_expired_outcomes(self, now: datetime, limit: int = 500) -> int:
        """Forget at most `limit` outcomes of all tenants that expired at or before `now`; returns how many.

        Instances and their artifacts stay as they are.
        """
