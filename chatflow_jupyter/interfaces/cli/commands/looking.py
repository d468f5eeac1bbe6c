"""`status`, `tree`, `list`, `history`, `artifacts`, `recommend`, `feature`: questions.

Their exit status is 0 whatever the answer.
"""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_instance,
    add_json,
    add_place,
    text,
)

STATUSES = ("created", "running", "waiting", "compensating", "paused", "completed", "failed", "terminated")


def add_commands(commands: Subparsers) -> None:
    """Declare the commands."""
    status = add_command(commands, "status", _status, "where an instance stands and what it waits for")
    tree = add_command(commands, "tree", _tree, "an instance with its phases and children")
    history = add_command(commands, "history", _history, "every event of an instance, in order")
    artifacts = add_command(commands, "artifacts", _artifacts, "what its phases stored; --save writes it out")
    for command in (status, tree, artifacts):
        add_instance(command)
        add_place(command)
        add_json(command)
    status.add_argument(
        "--brief", action="store_true", help="only status, phase, id and number of transitions: for polling"
    )
    add_instance(history)
    add_place(history)
    add_json(history, "a JSON list of events")
    history.add_argument("--tree", action="store_true", dest="whole_tree", help="of its children as well")
    artifacts.add_argument(
        "--save", metavar="DIR", help="write the latest of each to DIR/<phase>/<name>; nothing is overwritten"
    )
    artifacts.add_argument(
        "--all-attempts",
        action="store_true",
        help="with --save: those of earlier attempts as well, to DIR/<phase>/attempt-N/<name>",
    )
    recommend = add_command(commands, "recommend", _recommend, "what to do next with an instance, and why")
    add_instance(recommend)
    add_place(recommend)
    add_json(recommend)
    feature = add_command(commands, "feature", _feature, "where all instances of a label stand")
    feature.add_argument("feature", metavar="LABEL", type=text, help="what they were started with: --feature")
    add_place(feature)
    add_json(feature)
    listing = add_command(commands, "list", _list, "instances, the newest first")
    listing.add_argument("--status", choices=STATUSES, help="only those in this status")
    listing.add_argument("--feature", metavar="ID", type=text, help="only those with this label")
    listing.add_argument("--name", metavar="NAME", type=text, help="only those of this definition")
    listing.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many (default: 20)")
    add_place(listing)
    add_json(listing, "a JSON list")


def _status(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.asking import status

    return status(options)


def _tree(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.asking import tree

    return tree(options)


def _history(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.asking import history

    return history(options)


def _list(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.asking import listing

    return listing(options)


def _recommend(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advising import recommend

    return recommend(options)


def _feature(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advising import feature

    return feature(options)


def _artifacts(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.stored import artifacts

    return artifacts(options)
