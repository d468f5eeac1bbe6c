"""`db`: the store of a home."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_home


def add_commands(commands: Subparsers) -> None:
    """Declare `db` and its verbs."""
    db = commands.add_parser(
        "db", help="the store: upgrade, check, backup, gc, path", description="The store of a home."
    )
    verbs = db.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    upgrade = add_command(
        verbs, "upgrade", _upgrade, "bring an older store up to this version, after a backup"
    )
    check = add_command(
        verbs, "check", _check, "read the database and all stored bytes, and say whether they are sound"
    )
    check.add_argument(
        "--quick", action="store_true", help="see that stored bytes are there, without reading"
    )
    backup = add_command(verbs, "backup", _backup, "copy the database to a file while it is in use")
    backup.add_argument("file", metavar="FILE", nargs="?", help="a new file (default: beside the database)")
    gc = add_command(
        verbs, "gc", _gc, "remove stored bytes that nothing refers to, and expired idempotency keys"
    )
    path = add_command(verbs, "path", _path, "print where the database is")
    for verb in (upgrade, check, backup, gc, path):
        add_home(verb)


def _upgrade(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.upkeep import upgrade

    return upgrade(options)


def _check(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.upkeep import check

    return check(options)


def _backup(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.upkeep import backup

    return backup(options)


def _gc(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.upkeep import collect

    return collect(options)


def _path(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.upkeep import path

    return path(options)
