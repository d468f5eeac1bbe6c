"""What drives the instances of a home, beside the services; who only asks does not load it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

from chatflow_jupyter.adapters.processes import is_alive, this_process
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.ports.records import AttemptRow, ContinuationRow
from chatflow_jupyter.runner.child import RunnerChild
from chatflow_jupyter.runner.leftovers import end_attempt
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.engine import Engine
from chatflow_jupyter.services.execution import Execution
from chatflow_jupyter.services.firing import Firing
from chatflow_jupyter.services.hook_runs import HookRuns
from chatflow_jupyter.services.pinned import PinnedDefinitions
from chatflow_jupyter.services.recovery import Recovery
from chatflow_jupyter.services.relay import Relay
from chatflow_jupyter.services.reuse import Reuse

from .background import see_to_background
from .chatflow import ChatFlow


@asynccontextmanager
async def driving(
    app: ChatFlow,
    pinned: PinnedDefinitions,
    role: Literal["foreground", "background"],
    owner_id: OwnerId,
    child: RunnerChild,
) -> AsyncIterator[ChatFlow]:
    """Drive the instances of the home until closed: give `app` with its engine, at work."""
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


def _dispatcher_for(
    app: ChatFlow,
    pinned: PinnedDefinitions,
    recovery: Recovery,
    on_expired: Callable[[AttemptRow], None],
    on_hooks: Callable[[ContinuationRow], None],
) -> Dispatcher:
    """Return what sees to continuations, timers and leases."""
    reuse = Reuse(app.storage, app.artifacts, pinned, app.hooks, app.clock)
    return Dispatcher(
        app.storage,
        app.orchestrator,
        recovery,
        app.clock,
        lease_sec=app.settings.runner_lease_sec,
        on_expired=on_expired,
        on_hooks=on_hooks,
        look_up=reuse.answer,
    )


def _execution_for(app: ChatFlow, pinned: PinnedDefinitions, engine: Engine) -> Execution:
    """Return what this process's runner may ask."""
    return Execution(
        app.storage,
        app.artifacts,
        app.orchestrator,
        pinned,
        app.clock,
        owner_id=engine.owner_id,
        lease_sec=app.settings.runner_lease_sec,
        processing=app.processing,
        may_start=engine.may_start,
    )


async def _firing(app: ChatFlow, owner_id: OwnerId) -> None:
    """Start what schedules say, for ever."""
    await Firing(app.storage, app.orchestrator, app.definitions, app.clock, owner_id).run()


def _ender_of(owner_id: OwnerId, child: RunnerChild) -> Callable[[AttemptRow], None]:
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
