"""`waivers`: gates that need not ask for some time."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_json, add_place, text


def add_commands(commands: Subparsers) -> None:
    """Declare `waivers` and its verbs."""
    waivers = commands.add_parser(
        "waivers",
        help="open gates beforehand: list, add, revoke",
        description="A waiver opens a gate beforehand: it does not ask when it is reached while the waiver "
        "holds.\nThe definition has to say `waivable: true` for it.",
    )
    verbs = waivers.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing = add_command(verbs, "list", _list, "waivers, the newest first, those that ended included")
    add = add_command(verbs, "add", _add, "let a gate open by itself until a day")
    add.add_argument("schema", metavar="SCHEMA", help="a definition's name or alias, or a template folder")
    add.add_argument("phase", metavar="PHASE", help="the phase behind the gate")
    add.add_argument(
        "--until",
        metavar="WHEN",
        required=True,
        help="2026-12-31 (that day included), a moment as 2026-12-31T18:00, or +30d, +12h; at most a year",
    )
    add.add_argument(
        "--reason", metavar="TEXT", type=text, required=True, help="why; kept with every gate it opens"
    )
    add.add_argument("--feature", metavar="ID", type=text, help="only for instances with this label")
    revoke = add_command(verbs, "revoke", _revoke, "end a waiver; gates it opened stay open")
    revoke.add_argument("waiver", metavar="ID", help="its id, or a unique beginning of it")
    for verb in (listing, add, revoke):
        add_place(verb)
    add_json(listing, "a JSON list")
    for verb in (add, revoke):
        add_json(verb)


def _list(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.waivers import listing

    return listing(options)


def _add(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.waivers import add

    return add(options)


def _revoke(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.waivers import revoke

    return revoke(options)
