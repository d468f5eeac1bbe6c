"""`watch`: follow an instance that somebody drives, without touching it."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_instance,
    add_json,
    add_place,
)


def add_commands(commands: Subparsers) -> None:
    """Declare `watch`."""
    watch = add_command(
        commands,
        "watch",
        _watch,
        "follow an instance until it ends or waits, without driving it",
        "Follow an instance until it ends or waits. Drives nothing: Ctrl-C ends the watching only.",
    )
    add_instance(watch)
    add_place(watch)
    add_json(watch, "one JSON object at the end")


def _watch(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.watching import watch

    return watch(options)
