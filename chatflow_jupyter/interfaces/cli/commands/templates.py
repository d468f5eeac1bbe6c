"""`schemas` and `validate`: what can be run, and whether a template is sound."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_json,
    add_place,
    add_verbs,
)
from chatflow_jupyter.interfaces.cli.commands import versions


def add_commands(commands: Subparsers) -> None:
    """Declare both commands."""
    schemas = add_command(
        commands,
        "schemas",
        _schemas,
        "templates and published definitions; with NAME: its parameters",
        "List templates found on the template path and published definitions;\n"
        "with NAME, show its phases and parameters. A first word that is a command below is that command;\n"
        "a definition called like one is shown with its version, or as a folder with a slash.",
    )
    schemas.usage = "%(prog)s [-h] [--tenant ID] [--home DIR] [--json] [NAME | COMMAND ...]"
    schemas.add_argument("name", metavar="NAME", nargs="?", help="name or alias of one of them")
    add_place(schemas)
    add_json(schemas, "JSON")
    versions.add_commands(add_verbs(schemas))
    validate = add_command(
        commands,
        "validate",
        _validate,
        "check a template: every problem with its file and line",
        "Check a template folder or definition.yaml. Every problem is one line, `file:line: what`;\n"
        "exit status 2 when there is one. A kernel that is not installed here is a warning.",
    )
    validate.add_argument("path", metavar="PATH", help="template folder or definition.yaml")
    add_json(validate)


def _schemas(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.offering import schemas

    return schemas(options)


def _validate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.offering import validate

    return validate(options)
