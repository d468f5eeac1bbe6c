"""`open_chatflow`: the only place that knows every adapter. It owns start and stop of everything."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Literal

from chatflow_jupyter.adapters.files.storage import LocalArtifactStorage
from chatflow_jupyter.adapters.inprocess.bus import InProcessBus
from chatflow_jupyter.adapters.system_clock import SystemClock, UuidFactory
from chatflow_jupyter.domain.hooks import EnabledHook
from chatflow_jupyter.domain.ids import OwnerId, RunnerId
from chatflow_jupyter.log_files import log_to
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
from chatflow_jupyter.services.pinned import PinnedDefinitions
from chatflow_jupyter.services.processing import Processing
from chatflow_jupyter.services.queries import Queries
from chatflow_jupyter.services.schedules import Schedules
from chatflow_jupyter.services.templates import Templates
from chatflow_jupyter.services.upkeep import Upkeep
from chatflow_jupyter.services.versions import Versions
from chatflow_jupyter.services.waivers import Waivers
from chatflow_jupyter.settings import Settings, enabled_hooks

from .background import has_background, see_to_background
from .chatflow import ChatFlow, number_of
from .homes import copy_database, examine_home, make_home

if TYPE_CHECKING:
    from chatflow_jupyter.runner.child import RunnerChild


Role = Literal["query", "foreground", "background"]


@asynccontextmanager
async def open_chatflow(settings: Settings, role: Role = "query") -> AsyncIterator[ChatFlow]:
    """Open the home and, in the roles `foreground` and `background`, drive its instances until closed.

    Raises `HomeInUse` when the home cannot be opened.
    """
    async with AsyncExitStack() as stack:
        make_home(settings, may_write=role != "query")
        if settings.logs.is_dir():
            stack.enter_context(log_to(settings.logs, role, settings.log_level))
        clock, owner_id = SystemClock(), OwnerId(f"own_{UuidFactory().token()}")
        hooks = _loaded_hooks(settings, role)
        child = None if role == "query" else _started_runner(settings, owner_id, stack)
        storage = await _open_storage(settings, clock, role)
        stack.push_async_callback(storage.close)
        app, pinned = _assembled(settings, clock, storage, hooks)
        stack.enter_context(_told_when_gone(app))
        if role == "query" or child is None:
            yield app
        else:
            from .driving import driving

            yield await stack.enter_async_context(driving(app, pinned, role, owner_id, child))


def _assembled(
    settings: Settings, clock: Clock, storage: IStateStorage, hooks: Hooks
) -> tuple[ChatFlow, PinnedDefinitions]:
    """Put the services together over an open store."""
    processing = Processing(hooks, settings.work)
    artifacts = Artifacts(storage, LocalArtifactStorage(settings.artifacts), clock, processing)
    pinned = PinnedDefinitions(storage)
    templates = Templates(settings.template_path)
    orchestrator = Orchestrator(storage, pinned, clock, UuidFactory(), hooks.plan)
    definitions = Definitions(storage, artifacts, templates, clock)
    queries = Queries(storage, artifacts, pinned, clock)
    app = ChatFlow(
        settings=settings,
        clock=clock,
        storage=storage,
        artifacts=artifacts,
        templates=templates,
        definitions=definitions,
        orchestrator=orchestrator,
        queries=queries,
        advice=Advice(storage, pinned, clock),
        comparisons=Comparisons(artifacts, pinned, definitions, templates, queries),
        waivers=Waivers(storage, definitions, clock, UuidFactory()),
        forks=Forks(storage, artifacts, pinned, orchestrator, clock, UuidFactory()),
        versions=Versions(storage, artifacts, definitions, clock),
        schedules=Schedules(storage, clock, UuidFactory()),
        audits=Audits(storage),
        upkeep=Upkeep(storage, artifacts, clock),
        bus=InProcessBus(),
        store_file=number_of(settings.database),
        hooks=hooks,
        processing=processing,
    )
    return app, pinned


def _loaded_hooks(settings: Settings, role: Role) -> Hooks:
    """Return the enabled hooks; in a role that drives, nothing is begun with hooks that cannot be loaded."""
    hooks = hooks_of(settings)
    if role != "query":
        hooks.plan()
    return hooks


def hooks_of(settings: Settings) -> Hooks:
    """Return the hooks that the settings enable; they are loaded when first needed."""

    def load() -> Sequence[EnabledHook]:
        wanted = enabled_hooks(settings.hooks_enabled)
        if not wanted:
            return ()
        from chatflow_jupyter.adapters.plugins import load_plugins

        return load_plugins(wanted, settings.hook_options)

    return Hooks(load, timeout_sec=settings.hooks_timeout_sec)


@contextmanager
def _told_when_gone(app: ChatFlow) -> Iterator[None]:
    """Say that the home is gone, instead of what somebody stumbled over because of it."""
    try:
        yield
    except Exception:
        app.check_home()
        raise


def _started_runner(settings: Settings, owner_id: OwnerId, stack: AsyncExitStack) -> "RunnerChild":
    """Start the runner first of all: it imports what it needs while its orchestrator opens the store."""
    from chatflow_jupyter.runner.child import RunnerChild
    from chatflow_jupyter.runner.configuration import RunnerConfiguration

    configuration = RunnerConfiguration(
        log_file=str(settings.logs / "runner.log"),
        runner_id=RunnerId(f"run_{owner_id.removeprefix('own_')}"),
        work=str(settings.work),
        slots=settings.runner_slots,
        kernel_start=settings.runner_kernel_start,
        cell_output_bytes=settings.runner_cell_output_bytes,
        notebook_output_bytes=settings.runner_notebook_output_bytes,
        log_level=settings.log_level,
    )
    child = RunnerChild(configuration)
    stack.push_async_callback(child.end)
    child.start()
    return child


async def _open_storage(settings: Settings, clock: Clock, role: Role) -> IStateStorage:
    # Half of a command's start, and the runner needs none of it.
    from chatflow_jupyter.adapters.sql.sqlite_file import open_sqlite

    synchronous: Literal["normal", "full"] = "full" if settings.sqlite_sync == "full" else "normal"
    return await open_sqlite(
        settings.database,
        synchronous=synchronous,
        clock=clock,
        only_reads=role == "query",
        filled_later=settings.artifacts,
    )


__all__ = [
    "ChatFlow",
    "Role",
    "copy_database",
    "examine_home",
    "has_background",
    "hooks_of",
    "open_chatflow",
    "see_to_background",
]
