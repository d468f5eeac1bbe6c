"""`MemoryStateStorage`: the facets over one set of tables."""

from chatflow_jupyter.adapters.system_clock import SystemClock
from chatflow_jupyter.ports.clock import Clock

from .artifacts import MemoryArtifactRows
from .attempts import MemoryAttempts
from .audit import MemoryAudit
from .commits import MemoryCommits
from .continuations import MemoryContinuations
from .definitions import MemoryDefinitions
from .events import MemoryEvents
from .gates import MemoryGates
from .instances import MemoryInstances
from .outcomes import MemoryKeptOutcomes
from .ownership import MemoryOwnership
from .schedules import MemorySchedules
from .tables import Tables


class MemoryStateStorage(
    MemoryDefinitions,
    MemoryCommits,
    MemoryInstances,
    MemoryGates,
    MemoryAttempts,
    MemoryContinuations,
    MemoryEvents,
    MemoryArtifactRows,
    MemoryOwnership,
    MemorySchedules,
    MemoryAudit,
    MemoryKeptOutcomes,
):
    """`IStateStorage` for one event loop; no method awaits, so each is one transaction."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Start empty. The clock only says whether an idempotency key has expired."""
        self._tables = Tables(clock=clock or SystemClock())

    async def close(self) -> None:
        """Nothing to release."""
