"""`audit`: who did what."""

from __future__ import annotations

import argparse

from chatflow_jupyter.domain.audit import VERBS
from chatflow_jupyter.interfaces.cli.arguments import (
    INSTANCE_HELP,
    Subparsers,
    add_command,
    add_json,
    add_place,
    text,
)


def add_commands(commands: Subparsers) -> None:
    """Declare `audit` and its verbs."""
    audit = commands.add_parser(
        "audit",
        help="who did what: list, verify",
        description="What people did in this home, one row each, written together with the change itself.\n"
        "Every row is chained to the one before by a hash.",
    )
    verbs = audit.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    _add_list(verbs)
    verify = add_command(
        verbs,
        "verify",
        _verify,
        "see that no row was changed, removed or put in",
        "Follow the rows from the first to the last and see that each is what was recorded. Ends with 1\n"
        "and names the first fault when there is one. What it prints can be noted elsewhere and given\n"
        "to --seen later, which shows also that the whole was not written anew, or cut.",
    )
    verify.add_argument(
        "--seen", metavar="POSITION:SHA256", help="a row as an earlier `verify` printed it; it must be there"
    )
    add_place(verify)
    add_json(verify)


def _add_list(verbs: Subparsers) -> None:
    listing = add_command(verbs, "list", _list, "what people did, the latest first")
    listing.add_argument("--instance", metavar="ID", type=text, help=f"only to this one: {INSTANCE_HELP}")
    listing.add_argument("--principal", metavar="NAME", type=text, help="only by this one")
    listing.add_argument(
        "--verb", dest="did", metavar="VERB", choices=VERBS, help=f"only this: {', '.join(VERBS)}"
    )
    listing.add_argument(
        "--since", metavar="WHEN", help="2026-12-31, a moment as 2026-12-31T18:00, or 30d, 12h ago"
    )
    listing.add_argument(
        "--before", metavar="N", type=int, help="only rows before this position: the next page"
    )
    listing.add_argument("--limit", metavar="N", type=int, default=50, help="at most so many (default: 50)")
    add_place(listing)
    add_json(listing, "a JSON list")


def _list(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.audits import listing

    return listing(options)


def _verify(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.audits import verify

    return verify(options)
