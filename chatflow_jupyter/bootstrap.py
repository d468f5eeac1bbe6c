"""`open_chatflow`: the only place that knows every adapter. It owns start and stop of everything."""

import asyncio
import errno
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .adapters.files.storage import LocalArtifactStorage
from .adapters.inprocess.bus import InProcessBus
from .adapters.processes import is_alive, this_process
from .adapters.system_clock import SystemClock, UuidFactory
from .domain.errors import HomeInUse, StorageFull, Unreachable
from .domain.hooks import EnabledHook
from .domain.ids import InstanceId, OwnerId, RunnerId, TenantId
from .log_files import log_to, rotated
from .ports.clock import Clock
from .ports.records import AttemptRow, ContinuationRow, Soundness
from .ports.state_storage import IStateStorage
from .services.advice import Advice
from .services.artifacts import Artifacts
from .services.audits import Audits
from .services.comparisons import Comparisons
from .services.definitions import Definitions
from .services.forks import Forks
from .services.hook_calls import Hooks
from .services.orchestrator import Orchestrator
from .services.pinned import PinnedDefinitions
from .services.processing import Processing
from .services.queries import Queries
from .services.schedules import Schedules
from .services.templates import Templates
from .services.upkeep import Upkeep
from .services.versions import Versions
from .services.waivers import Waivers
from .settings import Settings, enabled_hooks

if TYPE_CHECKING:
    from .runner.child import RunnerChild
    from .services.dispatcher import Dispatcher
    from .services.engine import Engine
    from .services.execution import Execution
    from .services.recovery import Recovery

log = logging.getLogger(__name__)

Role = Literal["query", "foreground", "background"]


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
        if _number_of(self.settings.database) != self.store_file:
            home = self.settings.home
            message = f"{home} was removed or replaced while it was in use; what was running in it is ended"
            raise Unreachable(message, code="home_gone")

    async def is_attended(self) -> bool:
        """Whether any living process drives this home, and so starts what its schedules say."""
        return any(is_alive(owner) for owner in await self.storage.owners())

    async def is_driven(self, tenant_id: TenantId, root_id: InstanceId) -> bool | None:
        """Return whether a living process drives that tree; None when none does and none is needed."""
        from .services.engine import is_driven

        return await is_driven(self.storage, is_alive, tenant_id, root_id)


@asynccontextmanager
async def open_chatflow(settings: Settings, role: Role = "query") -> AsyncIterator[ChatFlow]:
    """Open the home and, in the roles `foreground` and `background`, drive its instances until closed.

    Raises `HomeInUse` when the home cannot be opened.
    """
    async with AsyncExitStack() as stack:
        _make_home(settings, role)
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
            yield await stack.enter_async_context(_driving(app, pinned, role, owner_id, child))


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
        store_file=_number_of(settings.database),
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
        from .adapters.plugins import load_plugins

        return load_plugins(wanted, settings.hook_options)

    return Hooks(load, timeout_sec=settings.hooks_timeout_sec)


def _number_of(file: Path) -> int:
    """Return the number of the file in its file system, 0 when it is not there."""
    try:
        return file.stat().st_ino
    except OSError:
        return 0


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
    from .runner.child import RunnerChild
    from .runner.configuration import RunnerConfiguration

    configuration = RunnerConfiguration(
        log_file=str(settings.logs / "runner.log"),
        runner_id=RunnerId(f"run_{owner_id.removeprefix('own_')}"),
        work=str(settings.work),
        slots=settings.runner_slots,
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
    from .adapters.sql.sqlite_file import open_sqlite

    synchronous: Literal["normal", "full"] = "full" if settings.sqlite_sync == "full" else "normal"
    return await open_sqlite(
        settings.database,
        synchronous=synchronous,
        clock=clock,
        only_reads=role == "query",
        filled_later=settings.artifacts,
    )


async def examine_home(settings: Settings, *, read: bool, most: int) -> Soundness:
    """Look for what is damaged in a home, without changing it; with `read`, in the bytes of artifacts too."""
    from .adapters.sql.soundness import examine

    return await examine(settings.database, LocalArtifactStorage(settings.artifacts), read=read, most=most)


def copy_database(settings: Settings, target: Path) -> None:
    """Copy the database, in use or not, over the empty file `target`; raises `Unreachable`."""
    from .adapters.sql.read_only import copy_store

    copy_store(settings.database, target)


def _make_home(settings: Settings, role: Role) -> None:
    """Make the folders of the home; raises `StorageFull`, or `HomeInUse` when it cannot be written.

    Who only asks can do without.
    """
    for folder in (settings.home, settings.logs):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            if role == "query" and settings.database.is_file():
                return
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"{folder}: no room is left on the device") from None
            reason = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
            raise HomeInUse(f"{folder} cannot be made: {reason}; choose another CHATFLOW_HOME") from None


def _dispatcher_for(
    app: ChatFlow,
    pinned: PinnedDefinitions,
    recovery: "Recovery",
    on_expired: Callable[[AttemptRow], None],
    on_hooks: Callable[[ContinuationRow], None],
) -> "Dispatcher":
    from .services.dispatcher import Dispatcher
    from .services.reuse import Reuse

    reuse = Reuse(app.storage, app.artifacts, pinned, app.hooks, app.clock, app.settings.hook_options)
    through = (app.storage, app.orchestrator, recovery, app.clock)
    return Dispatcher(
        *through,
        lease_sec=app.settings.runner_lease_sec,
        on_expired=on_expired,
        on_hooks=on_hooks,
        look_up=reuse.answer,
    )


@asynccontextmanager
async def _driving(
    app: ChatFlow,
    pinned: PinnedDefinitions,
    role: Literal["foreground", "background"],
    owner_id: OwnerId,
    child: "RunnerChild",
) -> AsyncIterator[ChatFlow]:
    from .runner.leftovers import end_attempt
    from .services.engine import Engine
    from .services.hook_runs import HookRuns
    from .services.recovery import Recovery
    from .services.relay import Relay

    settings, storage = app.settings, app.storage
    recovery = Recovery(storage, app.artifacts, settings.work, end_attempt)
    runs = HookRuns(storage, app.hooks, app.artifacts, pinned, owner_id=owner_id)
    dispatcher = _dispatcher_for(app, pinned, recovery, _ender_of(owner_id, child), runs.take)
    owner = this_process(owner_id, role, app.clock.now())

    async def hand_over() -> None:
        await see_to_background(settings, storage)

    engine = Engine(storage, dispatcher, owner, is_alive, hand_over if role == "foreground" else None)
    await engine.register()
    await recovery.sweep()
    serving = child.run(_execution_for(app, pinned, engine), engine.runner_gone)
    relaying, calling = Relay(storage, app.bus).run(), runs.run(dispatcher.apply_note)
    try:
        working = (dispatcher.run(), engine.watch(), _firing(app, owner_id))
        async with _meanwhile(serving, calling, relaying, *working):
            yield replace(app, engine=engine)
    finally:
        left_behind = await engine.leave()
        await recovery.sweep()
        if engine.hands_on and left_behind:
            await hand_over()


def _execution_for(app: ChatFlow, pinned: PinnedDefinitions, engine: "Engine") -> "Execution":
    """Return what this process's runner may ask."""
    from .services.execution import Execution

    return Execution(
        *(app.storage, app.artifacts, app.orchestrator, pinned, app.clock),
        owner_id=engine.owner_id,
        lease_sec=app.settings.runner_lease_sec,
        processing=app.processing,
        may_start=engine.may_start,
    )


async def _firing(app: ChatFlow, owner_id: OwnerId) -> None:
    """Start what schedules say, for ever."""
    from .services.firing import Firing

    await Firing(app.storage, app.orchestrator, app.definitions, app.clock, owner_id).run()


def _ender_of(owner_id: OwnerId, child: "RunnerChild") -> Callable[[AttemptRow], None]:
    """Return what ends our runner when it let a lease expire: it may be stopped or stuck."""

    def end_wedged_runner(row: AttemptRow) -> None:
        if row.owner_id == owner_id:
            child.kill()

    return end_wedged_runner


@asynccontextmanager
async def _meanwhile(*works: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Have all of them done for as long as the body lasts; when one fails, the others and the body end."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in running:
                task.cancel()


async def has_background(storage: IStateStorage) -> bool:
    """Whether a living background runner sees to this home."""
    return any(owner.kind == "background" and is_alive(owner) for owner in await storage.owners())


async def see_to_background(settings: Settings, storage: IStateStorage) -> None:
    """Have what is to be done, and was committed before, done in the background.

    A living one is enough even when it is about to end because it is idle: it is seen here, so it has yet to
    leave, and after it has left it looks once more for orphans and calls this (`Engine.leave`). Only when it
    was told to end, or is killed, is nothing started in its place.
    """
    if not await has_background(storage):
        spawn_background(settings)


def spawn_background(settings: Settings) -> int:
    """Start the background runner of this home, apart from this terminal; returns its pid."""
    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    with rotated(settings.logs / "background.out").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chatflow_jupyter.interfaces.background"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=settings.for_child(),
        )
    return process.pid
