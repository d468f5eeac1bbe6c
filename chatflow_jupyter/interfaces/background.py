"""The background runner: drives whatever nobody else does, and ends when there is nothing left.

Started as `python -m chatflow_jupyter.interfaces.background` by `--detach` and by whoever finds orphans.
"""

import asyncio
import signal

from chatflow_jupyter.bootstrap import ChatFlow, has_background, open_chatflow
from chatflow_jupyter.quick_start import leave_out_costly_imports
from chatflow_jupyter.settings import Settings, load_settings


async def run(settings: Settings) -> None:
    """Adopt and drive orphans until none has been left for `background.idle_sec`; one a home is enough."""
    if await has_background(settings):
        return
    async with open_chatflow(settings, "background") as app:
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        idling = asyncio.ensure_future(_until_idle(app))
        told = asyncio.ensure_future(ending.wait())
        await asyncio.wait({idling, told}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (idling, told):
            waiting.cancel()


async def _until_idle(app: ChatFlow) -> None:
    assert app.engine is not None
    idle_since = app.clock.monotonic()
    while True:
        seen = app.storage.change_token()
        await app.engine.look_after_orphans()
        if not await app.engine.is_idle():
            idle_since = app.clock.monotonic()
        elif app.clock.monotonic() - idle_since >= app.settings.background_idle_sec:
            return
        await app.storage.wait_for_change(seen, 0.5)


if __name__ == "__main__":
    leave_out_costly_imports()
    asyncio.run(run(load_settings()))
