"""`run` and `start`: create instances from a template, a published definition or a bare notebook."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_detach,
    add_force,
    add_json,
    add_key,
    add_place,
    text,
)

_WHAT = """\
WHAT is the name or alias of a template or published definition (code-review, code-review@1.0.0), the path
of a template folder, or a notebook, which runs as a workflow of one phase.

-p is typed by the declared parameters, then by the notebook's own, then as JSON, else it is a string.
"""


def add_commands(commands: Subparsers) -> None:
    """Declare `run` and `start`."""
    run = add_command(
        commands,
        "run",
        _run,
        "create an instance, start it and follow it",
        f"Create, start and follow.\n\n{_WHAT}",
    )
    add_creation(run)
    add_key(run)
    add_place(run)
    add_json(run)
    run.add_argument(
        "--matrix",
        metavar="NAME=A,B",
        action="append",
        default=[],
        help="one instance per value; repeated: per combination",
    )
    add_detach(run)
    start = add_command(
        commands,
        "start",
        _start,
        "create an instance without starting it; `trigger` starts it",
        f"Create an instance in status `created`; the first `chatflow trigger` starts it.\n\n{_WHAT}",
    )
    add_creation(start)
    add_key(start)
    add_place(start)
    add_json(start)


def add_creation(command: argparse.ArgumentParser) -> None:
    """Declare what is created, and with which parameters."""
    command.add_argument("what", metavar="WHAT", help="schema id, template folder or NOTEBOOK.ipynb")
    command.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter; NAME=@FILE reads the value from a file",
    )
    command.add_argument(
        "-y", "--parameters-yaml", metavar="YAML", action="append", default=[], help="parameters as YAML text"
    )
    command.add_argument(
        "-f",
        "--parameters-file",
        metavar="FILE",
        action="append",
        default=[],
        help="parameters from YAML or JSON",
    )
    command.add_argument("--context", metavar="FILE.json", help="the whole initial context from a JSON file")
    add_force(command, "every phase")
    command.add_argument("--feature", metavar="ID", type=text, help="label that groups instances")
    command.add_argument(
        "--automation-level",
        metavar="N",
        type=int,
        help="0 asks before every phase, 100 only at explicit gates (default: the definition's)",
    )


def _run(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.launching import run

    return run(options)


def _start(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.launching import start

    return start(options)
