"""`schemas` and `validate`: what can be run, and whether a template is sound."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_json,
    add_place,
    add_verbs,
    text,
)


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
    _add_versions(add_verbs(schemas))
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


def _add_versions(verbs: Subparsers) -> None:
    publish = add_command(
        verbs,
        "publish",
        _publish,
        "publish a template for good, under its version",
        "Publish a template folder under the `version` in its definition.yaml. Every fault of it is\n"
        "told. The same content again changes nothing; other content under that version is a conflict.",
    )
    publish.add_argument("folder", metavar="FOLDER", help="template folder, or its definition.yaml")
    versions = add_command(
        verbs,
        "versions",
        _versions,
        "published versions, and how many instances each has",
        "List published versions, of one definition or of all, the newest first: when each was published,\n"
        "whether it is deprecated, and how many instances are pinned to it.",
    )
    versions.add_argument("name", metavar="NAME", nargs="?", help="name or alias of a published definition")
    deprecate = add_command(
        verbs,
        "deprecate",
        _deprecate,
        "let nobody new start a version",
        "Say that a version is not to be started any more. Its bare name then means another version; who\n"
        "names this one exactly is warned. Instances of it, and definitions whose children it is, go on.",
    )
    deprecate.add_argument("version", metavar="NAME@VERSION", type=text, help="the version, as report@1.2.0")
    deprecate.add_argument(
        "--reason", metavar="TEXT", type=text, required=True, help="why; told to whoever names it"
    )
    undeprecate = add_command(verbs, "undeprecate", _undeprecate, "take the deprecation of a version back")
    undeprecate.add_argument("version", metavar="NAME@VERSION", type=text, help="the version")
    for verb in (publish, versions, deprecate, undeprecate):
        add_place(verb)
        add_json(verb, "a JSON list") if verb is versions else add_json(verb)


def _publish(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import publish

    return publish(options)


def _versions(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import listing

    return listing(options)


def _deprecate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import deprecate

    return deprecate(options)


def _undeprecate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import undeprecate

    return undeprecate(options)


def _schemas(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.offering import schemas

    return schemas(options)


def _validate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.offering import validate

    return validate(options)
