"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

# argparse has no public name for what `add_subparsers` returns.
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
Handler: TypeAlias = Callable[[argparse.Namespace], int]

INSTANCE_HELP = "its id, a unique beginning of it, or `last` for the newest"


def add_command(
    commands: Subparsers, name: str, handler: Handler, summary: str, description: str | None = None
) -> argparse.ArgumentParser:
    """Declare a command run by `handler`; `summary` is its line in the list of commands."""
    text = description or f"{summary[0].upper()}{summary[1:]}."
    command = commands.add_parser(name, help=summary, description=text)
    command.set_defaults(handler=handler)
    return command


class _Verbs(argparse._SubParsersAction):  # type: ignore[type-arg]  # noqa: SLF001 - see `Subparsers`
    """Lists the verbs of a command in its help and takes no word itself: the parser looks at the first."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # argparse types each option apart
        self.nargs = 0

    def __call__(self, *_: object) -> None:
        """Do nothing: there is no verb."""


def add_verbs(command: argparse.ArgumentParser) -> Subparsers:
    """Let the first word behind `command` be a verb, where it has words of its own as well."""
    verbs = command.add_subparsers(
        action=_Verbs, title="commands", dest="verb", metavar="COMMAND", required=False, prog=command.prog
    )
    command.verbs = verbs.choices  # type: ignore[attr-defined]  # each command is made by our Parser
    return verbs


def subcommands(action: argparse.Action) -> list[tuple[str, str]]:
    """Return name and summary of each listed subcommand; none when `action` is no list of them."""
    listed = getattr(action, "_choices_actions", [])  # argparse has no public way to read it back
    return [(entry.dest, entry.help or "") for entry in listed]


def text(typed: str) -> str:
    """Return what was typed; refuses bytes that are no text in UTF-8, which nothing could store."""
    try:
        typed.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{typed[:80]!r} is not text in UTF-8") from None
    return typed


def add_home(command: argparse.ArgumentParser) -> None:
    """Declare where instances are kept."""
    command.add_argument(
        "--home", metavar="DIR", help="where everything is kept (default: CHATFLOW_HOME, see `config show`)"
    )


def add_place(command: argparse.ArgumentParser) -> None:
    """Declare home and tenant."""
    command.add_argument("--tenant", metavar="ID", default="local", help="tenant (default: local)")
    add_home(command)


def add_instance(command: argparse.ArgumentParser) -> None:
    """Declare the instance a command is about."""
    command.add_argument("instance", metavar="ID", type=text, help=INSTANCE_HELP)


def add_json(command: argparse.ArgumentParser, what: str = "one JSON object") -> None:
    """Declare machine-readable output."""
    command.add_argument("--json", action="store_true", help=f"print {what} instead of text")


def add_detach(command: argparse.ArgumentParser) -> None:
    """Declare going on without the terminal."""
    command.add_argument(
        "--detach",
        action="store_true",
        help="return at once; a background runner goes on without the terminal",
    )


def add_key(command: argparse.ArgumentParser) -> None:
    """Declare the idempotency key."""
    command.add_argument(
        "--idempotency-key",
        metavar="K",
        type=text,
        help="the same request again with the same key changes nothing",
    )


def add_force(command: argparse.ArgumentParser, what: str) -> None:
    """Declare that nothing is reused."""
    command.add_argument(
        "--force", action="store_true", help=f"make {what} anew, also where `cache` would reuse an outcome"
    )
