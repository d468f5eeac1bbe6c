"""The background runner: drives whatever nobody else does, and ends when there is nothing left.

Started as `python -P -m chatflow_jupyter.interfaces.background` by `--detach` and by whoever finds orphans.
"""

import asyncio
import logging
import signal
from datetime import timedelta

from chatflow_jupyter.bootstrap import ChatFlow, has_background, open_chatflow
from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.quick_start import leave_out_costly_imports
from chatflow_jupyter.services.engine import Engine
from chatflow_jupyter.settings import Settings, load_settings

log = logging.getLogger(__name__)

LOOK_EVERY_SEC = 0.5


async def run(settings: Settings) -> None:
    """Adopt and drive orphans until none has been left for `background.idle_sec`; one a home is enough.

    Meanwhile it removes what nobody needs any more, some at a time.
    Told to end by a signal, it ends; what it leaves unfinished waits for the next command.
    """
    async with open_chatflow(settings) as app:
        if await has_background(app.storage):
            return
    async with open_chatflow(settings, "background") as app:
        assert app.engine is not None
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        async with asyncio.TaskGroup() as tasks:
            works = (_end_when_idle(app, app.engine, ending), app.upkeep.run())
            running = [tasks.create_task(work) for work in works]
            await ending.wait()
            for task in running:
                task.cancel()


async def _end_when_idle(app: ChatFlow, engine: Engine, ending: asyncio.Event) -> None:
    """Set `ending` once nothing has been left to do for long enough; adopting is the engine's own concern."""
    idle_since = app.clock.monotonic()
    while True:
        app.check_home()
        seen = app.storage.change_token()
        if not await _is_idle(app, engine):
            idle_since = app.clock.monotonic()
        elif app.clock.monotonic() - idle_since >= app.settings.background_idle_sec:
            break
        await app.storage.wait_for_change(seen, LOOK_EVERY_SEC)
    engine.hand_on()
    ending.set()


async def _is_idle(app: ChatFlow, engine: Engine) -> bool:
    """Whether nothing is left to do, nor will be as soon as a process that ends now would have waited."""
    try:
        due = await app.storage.next_schedule_due()
        soon = app.clock.now() + timedelta(seconds=app.settings.background_idle_sec)
        return (due is None or due > soon) and await engine.is_idle()
    except ChatFlowError as error:
        log.warning("whether anything is left to do cannot be seen at the moment: %s", error.message)
        return False


if __name__ == "__main__":
    leave_out_costly_imports()
    asyncio.run(run(load_settings()))
