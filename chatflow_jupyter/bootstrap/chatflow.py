"""The product without an interface: its services over an open store."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chatflow_jupyter.adapters.inprocess.bus import InProcessBus
from chatflow_jupyter.adapters.processes import is_alive
from chatflow_jupyter.domain.errors import Unreachable
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.state_storage import IStateStorage
from chatflow_jupyter.services.advice import Advice
from chatflow_jupyter.services.artifacts import Artifacts
from chatflow_jupyter.services.audits import Audits
from chatflow_jupyter.services.comparisons import Comparisons
from chatflow_jupyter.services.definitions import Definitions
from chatflow_jupyter.services.forks import Forks
from chatflow_jupyter.services.hook_calls import Hooks
from chatflow_jupyter.services.orchestrator import Orchestrator
from chatflow_jupyter.services.processing import Processing
from chatflow_jupyter.services.queries import Queries
from chatflow_jupyter.services.schedules import Schedules
from chatflow_jupyter.services.templates import Templates
from chatflow_jupyter.services.upkeep import Upkeep
from chatflow_jupyter.services.versions import Versions
from chatflow_jupyter.services.waivers import Waivers
from chatflow_jupyter.settings import Settings

if TYPE_CHECKING:
    from chatflow_jupyter.services.engine import Engine


@dataclass(frozen=True, kw_only=True)
class ChatFlow:
    """The product without an interface: what every client calls."""

    settings: Settings
    clock: Clock
    storage: IStateStorage
    artifacts: Artifacts
    templates: Templates
    definitions: Definitions
    orchestrator: Orchestrator
    queries: Queries
    advice: Advice
    waivers: Waivers
    schedules: Schedules
    comparisons: Comparisons
    forks: Forks
    versions: Versions
    audits: Audits
    upkeep: Upkeep
    bus: InProcessBus
    store_file: int
    hooks: Hooks
    processing: Processing
    engine: "Engine | None" = None

    def check_home(self) -> None:
        """Raise `Unreachable` when the home was removed, or replaced, since it was opened.

        SQLite would go on with a file that has no name any more, and lose it with the last process.
        """
        if number_of(self.settings.database) != self.store_file:
            home = self.settings.home
            message = f"{home} was removed or replaced while it was in use; what was running in it is ended"
            raise Unreachable(message, code="home_gone")

    async def is_attended(self) -> bool:
        """Whether any living process drives this home, and so starts what its schedules say."""
        return any(is_alive(owner) for owner in await self.storage.owners())

    async def is_driven(self, tenant_id: TenantId, root_id: InstanceId) -> bool | None:
        """Return whether a living process drives that tree; None when none does and none is needed."""
        from chatflow_jupyter.services.engine import is_driven

        return await is_driven(self.storage, is_alive, tenant_id, root_id)


def number_of(file: Path) -> int:
    """Return the number of the file in its file system, 0 when it is not there."""
    try:
        return file.stat().st_ino
    except OSError:
        return 0
