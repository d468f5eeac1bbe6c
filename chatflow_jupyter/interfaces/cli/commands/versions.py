"""`schemas publish`, `versions`, `deprecate`, `undeprecate` and `diff`: what is published for good."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_json, add_place, text


def add_commands(verbs: Subparsers) -> None:
    """Declare the verbs of `schemas`."""
    _add_publishing(verbs)
    _add_deprecating(verbs)
    _add_diff(verbs)


def _add_publishing(verbs: Subparsers) -> None:
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
    for verb in (publish, versions):
        add_place(verb)
    add_json(publish)
    add_json(versions, "a JSON list")


def _add_deprecating(verbs: Subparsers) -> None:
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
    for verb in (deprecate, undeprecate):
        add_place(verb)
        add_json(verb)


def _add_diff(verbs: Subparsers) -> None:
    diff = add_command(
        verbs,
        "diff",
        _diff,
        "what differs between two versions, folders or instances",
        "Say what differs between A and B: the definition in words, with what breaks those who start it,\n"
        "the cells of notebooks, and the sizes of other files. Nothing is published.",
    )
    for name, metavar in (("before", "A"), ("after", "B")):
        diff.add_argument(
            name, metavar=metavar, type=text, help="NAME@VERSION, a name, a template folder, or an instance"
        )
    diff.add_argument("--exit-code", action="store_true", help="end with 1 when something differs")
    add_place(diff)
    add_json(diff)


def _publish(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import publish

    return publish(options)


def _versions(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import listing

    return listing(options)


def _deprecate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import deprecate

    return deprecate(options)


def _diff(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.comparing import diff

    return diff(options)


def _undeprecate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.versions import undeprecate

    return undeprecate(options)
