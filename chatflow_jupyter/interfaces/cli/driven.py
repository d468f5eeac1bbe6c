"""Whether anybody drives what a question is about; if nobody does, that has to be said."""

from __future__ import annotations

import asyncio

from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session

STARTING_SEC = 2.0
"""How long a background runner that has just been started may take until it is seen."""


async def is_driven(session: Session, instance: Instance) -> bool | None:
    """Return whether a living process drives the instance's tree; None when none does and none is needed.

    Before it returns False it gives a process that is just starting a moment.
    """
    app = session.app
    patience = asyncio.get_running_loop().time() + STARTING_SEC
    while True:
        seen = app.storage.change_token()
        driven = await app.is_driven(instance.tenant_id, instance.root_id)
        left_sec = patience - asyncio.get_running_loop().time()
        if driven is not False or left_sec <= 0:
            return driven
        await app.storage.wait_for_change(seen, left_sec)


def say_that_nobody_drives(session: Session, instance: Instance) -> None:
    """Say on standard error that nothing goes on now, and the command with which it does."""
    go_on = session.command("resume", instance.root_id)
    until = "until a command runs something in this home"
    say(f"no process drives {instance.root_id} {until}; go on with: {go_on}")
