"""`fork`: begin anew in the middle of an instance."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_detach,
    add_force,
    add_instance,
    add_json,
    add_key,
    add_place,
    text,
)


def add_commands(commands: Subparsers) -> None:
    """Declare `fork`."""
    fork = add_command(
        commands,
        "fork",
        _fork,
        "begin a new instance at a phase of another one",
        "Create a new instance that begins at PHASE of another one, start it and follow it. The phases\n"
        "before stand as they did there: their outcomes, gates, children and artifacts are shared, and\n"
        "nothing of them runs again. The other instance is left as it is, whatever its status.",
    )
    add_instance(fork)
    fork.add_argument(
        "--from",
        dest="phase",
        metavar="PHASE",
        type=text,
        required=True,
        help="the phase to begin at: one it came to, or would come to next",
    )
    fork.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter from PHASE on; NAME=@FILE reads the value from a file",
    )
    fork.add_argument(
        "--schema",
        metavar="WHAT",
        type=text,
        help="go on with another version or template folder whose earlier phases are the same",
    )
    add_force(fork, "PHASE and all behind it")
    _add_labels(fork)
    add_key(fork)
    add_detach(fork)
    add_place(fork)
    add_json(fork)


def _add_labels(fork: argparse.ArgumentParser) -> None:
    fork.add_argument(
        "--feature", metavar="ID", type=text, help="label that groups instances (default: that of ID)"
    )
    fork.add_argument(
        "--automation-level",
        metavar="N",
        type=int,
        help="0 asks before every phase, 100 only at explicit gates (default: that of ID)",
    )


def _fork(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.forking import fork

    return fork(options)
