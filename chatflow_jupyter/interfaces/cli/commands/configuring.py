"""`config`: the settings in force."""

from __future__ import annotations

import argparse
import sys

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_home, add_json


def add_commands(commands: Subparsers) -> None:
    """Declare `config show`."""
    config = commands.add_parser("config", help="the settings in force", description="The settings in force.")
    verbs = config.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    show = add_command(verbs, "show", _show, "every setting, its value and where that came from")
    add_home(show)
    add_json(show)


def _show(options: argparse.Namespace) -> int:
    import json

    from chatflow_jupyter.interfaces.cli.session import settings_of
    from chatflow_jupyter.interfaces.cli.tables import shown_table
    from chatflow_jupyter.interfaces.cli.terminal import safe_line

    origins = settings_of(options).origins
    if options.json:
        print(
            json.dumps(
                {entry.name: {"value": entry.value, "origin": entry.origin} for entry in origins}, indent=2
            )
        )
    else:
        rows = [[entry.name, safe_line(entry.value), safe_line(entry.origin)] for entry in origins]
        print(shown_table(rows, ["SETTING", "VALUE", "ORIGIN"], sys.stdout))
    return 0
