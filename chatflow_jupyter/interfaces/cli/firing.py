"""`schedules run`: the process that is there when something is due."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass

from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.schedule_wording import entry_line
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.services.schedule_news import ScheduleNews

LOOK_EVERY_SEC = 1.0
PAUSE_BETWEEN_LOOKS_SEC = 0.2
MOST_TOLD = 20


def run(options: argparse.Namespace) -> int:
    """Start and drive what is due until interrupted; a line on standard output for each that is."""

    async def drive(session: Session) -> int:
        app, engine = session.app, session.app.engine
        assert engine is not None
        telling = Telling(news=ScheduleNews(app.schedules, session.tenant_id, app.clock.now()))
        say("starting what is due, until interrupted")
        while True:
            seen = app.storage.change_token()
            app.check_home()
            for tree in await engine.orphans():  # what another process left, when nobody else is here
                await engine.adopt(tree.tenant_id, tree.root_id)
            trees = await app.storage.unfinished_trees()
            ours = [tree.root_id for tree in trees if tree.owner_id == engine.owner_id]
            session.followed[:] = ours[:MOST_TOLD]  # what an interruption leaves behind
            await telling.tell()
            await app.storage.wait_for_change(seen, LOOK_EVERY_SEC)
            await asyncio.sleep(PAUSE_BETWEEN_LOOKS_SEC)

    return in_session(options, "foreground", drive)


@dataclass(kw_only=True)
class Telling:
    """Prints what became of the times of each schedule since that was told last."""

    news: ScheduleNews
    fault: str = ""

    async def tell(self) -> None:
        """Print what is new; a schedule that cannot be read ends nothing, and is named once."""
        try:
            async for schedule, entry in self.news.all():
                print(f"{safe_line(schedule.name)}  {entry_line(schedule, entry)}", flush=True)
            self.fault = ""
        except StoreDamaged as error:
            if error.message != self.fault:
                say(f"{error.message}; what is started is not told, but goes on")
            self.fault = error.message
