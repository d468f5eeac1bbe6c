"""`DatabaseStateStorage`: the facets over one database."""

from chatflow_jupyter.ports.clock import Clock

from .database import Transactions
from .facet_of_audit import SqlAudit
from .facet_of_gates import SqlGates
from .facet_of_outcomes import SqlKeptOutcomes
from .facet_of_schedules import SqlSchedules
from .facets import SqlAttempts, SqlContinuations, SqlDefinitions, SqlEvents, SqlInstances
from .facets_of_files import SqlArtifactRows, SqlOwnership
from .pages import DamageLog
from .recent import RecentInstances


class DatabaseStateStorage(
    SqlDefinitions,
    SqlInstances,
    SqlGates,
    SqlAttempts,
    SqlContinuations,
    SqlEvents,
    SqlArtifactRows,
    SqlOwnership,
    SqlSchedules,
    SqlAudit,
    SqlKeptOutcomes,
):
    """`IStateStorage` on a relational database; every method is one transaction."""

    def __init__(self, database: Transactions, clock: Clock) -> None:
        """Use `database`, which has today's schema. The clock says whether an idempotency key has expired."""
        self._database = database
        self._clock = clock
        self._recent = RecentInstances()
        self._damage = DamageLog()

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()
