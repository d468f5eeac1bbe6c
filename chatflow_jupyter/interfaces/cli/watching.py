"""`chatflow watch`: look on without driving."""

from __future__ import annotations

import argparse
import sys

from chatflow_jupyter.interfaces.cli.displays import display_for
from chatflow_jupyter.interfaces.cli.ending import print_end
from chatflow_jupyter.interfaces.cli.following import Follower
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import exit_status


def watch(options: argparse.Namespace) -> int:
    """Show an instance until it ends or waits; events are the result, so they go to standard output."""

    async def look(session: Session) -> int:
        queries = session.app.queries
        instance_id = await queries.find(session.tenant_id, options.instance)
        session.followed.append(instance_id)
        instance = await queries.instance(session.tenant_id, instance_id)
        stream = sys.stderr if options.json or sys.stderr.isatty() else sys.stdout
        with display_for(stream, session.command) as display:
            instance = await Follower(session=session, instance=instance, display=display).follow()
        await print_end(session, instance)
        return exit_status(instance)

    return in_session(options, "query", look)
