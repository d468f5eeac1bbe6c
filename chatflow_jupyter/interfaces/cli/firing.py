"""`schedules run`: the process that is there when something is due."""

from __future__ import annotations

import argparse
from datetime import datetime

from chatflow_jupyter.domain.ids import ScheduleId
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.schedule_wording import entry_line
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.terminal import safe_line

LOOK_EVERY_SEC = 1.0
MOST_TOLD = 20


def run(options: argparse.Namespace) -> int:
    """Start and drive what is due until interrupted; a line on standard output for each that is."""

    async def drive(session: Session) -> int:
        app, engine = session.app, session.app.engine
        assert engine is not None
        began, told = app.clock.now(), dict[ScheduleId, datetime]()
        count = len(await app.schedules.all(session.tenant_id))
        say(f"starting what is due, until interrupted; {count} schedules are there")
        while True:
            seen = app.storage.change_token()
            app.check_home()
            for tree in await engine.orphans():  # what another process left, when nobody else is here
                await engine.adopt(tree.tenant_id, tree.root_id)
            await _tell(session, told, began)
            await app.storage.wait_for_change(seen, LOOK_EVERY_SEC)

    return in_session(options, "foreground", drive)


async def _tell(session: Session, told: dict[ScheduleId, datetime], began: datetime) -> None:
    """Print what became of the times of each schedule since that was told last."""
    schedules = session.app.schedules
    for schedule in await schedules.all(session.tenant_id, removed=True):
        since = told.get(schedule.schedule_id, began)
        log = await schedules.log(schedule, MOST_TOLD)
        for entry in reversed([one for one in log if one.at > since]):
            told[schedule.schedule_id] = entry.at
            print(f"{safe_line(schedule.name)}  {entry_line(schedule, entry)}", flush=True)
