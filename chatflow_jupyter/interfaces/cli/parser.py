"""The grammar of the command line. Building it imports nothing but argparse and small modules."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from typing import Any, NoReturn

from chatflow_jupyter import __version__
from chatflow_jupyter.interfaces.cli.arguments import Subparsers, subcommands
from chatflow_jupyter.interfaces.cli.commands import (
    auditing,
    completing,
    configuring,
    database,
    demonstrating,
    diagnosing,
    forking,
    looking,
    scheduling,
    starting,
    steering,
    templates,
    waiving,
    watching,
)

DESCRIPTION = "Durable workflows whose phases are Jupyter notebooks."
EPILOG = """\
start here:
  chatflow demo                              a review that runs, is killed, resumes, waits for you
  chatflow run code-review -p path=.         review the change in this folder
  chatflow run report.ipynb -p month=5       run one notebook, durably

exit status: 0 completed (queries: always 0), 1 internal error, 2 usage or invalid input, 3 waiting,
4 failed, 5 terminated, 6 not found or not allowed, 7 conflict, 8 unreachable, 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that says what to do."""

    def __init__(self, **options: object) -> None:
        """Take argparse's own options; the layout of help is ours."""
        self._typed: list[str] = []
        self.verbs: dict[str, argparse.ArgumentParser] = {}
        super().__init__(**{"formatter_class": Layout, "allow_abbrev": False, **options})  # type: ignore[arg-type]  # argparse types each option apart

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Remember what was typed, to tell of which command an error is; a first word may be a verb."""
        self._typed = list(sys.argv[1:] if args is None else args)
        if self._typed and self._typed[0] in self.verbs:
            return self.verbs[self._typed[0]].parse_known_args(self._typed[1:], namespace)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and end with status 2."""
        from chatflow_jupyter.interfaces.cli.terminal import safe_line

        unknown = re.match(r"argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if unknown:
            known = re.findall(r"[\w-]+", unknown[3])
            close = difflib.get_close_matches(unknown[2], known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
            message = f"unknown {unknown[1].lower()} {unknown[2]!r}; {hint}"
        whose = self
        if message.startswith("unrecognized arguments: "):
            whose = self.command_typed()
            message += whose.hint_for(message.removeprefix("unrecognized arguments: ").split())
        self.exit(2, f"chatflow: {safe_line(message)}; see `{whose.prog} --help`\n")

    def command_typed(self) -> Parser:
        """Return the parser of the command that was typed; what it does not know is told by this one."""
        for action in self._actions:
            named = action.choices if isinstance(action.choices, dict) else {}
            for word in self._typed:
                if word in named:
                    found: Parser = named[word]
                    return found.command_typed()
        return self

    def hint_for(self, words: list[str]) -> str:
        """Return what may have been meant by words that this command does not know."""
        close = difflib.get_close_matches(words[0].partition("=")[0], self._option_string_actions, 1)
        if words[0].startswith("-"):
            return f"; did you mean {close[0]}?" if close else ""
        if self.prog.endswith(" run"):
            return "; parameters are -p NAME=VALUE, and `artifacts ID --save DIR` saves what ran"
        return ""


class Layout(argparse.RawDescriptionHelpFormatter):
    """Help at a fixed indentation; options as `-p, --parameter NAME=VALUE` on every Python version."""

    def __init__(self, prog: str, **_: object) -> None:
        """Fit the terminal, at most 100 columns."""
        columns = os.environ.get("COLUMNS", "")
        width = int(columns) if columns.isdecimal() else _terminal_columns()
        super().__init__(prog, max_help_position=32, width=max(min(width, 100), 40))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"

    def _format_action(self, action: argparse.Action) -> str:
        entries = subcommands(action)
        if entries:
            return "".join(f"  {name:<12}{summary}\n" for name, summary in entries)
        return super()._format_action(action)


def build_parser(program: str = "chatflow") -> argparse.ArgumentParser:
    """Return the whole grammar; `options.handler(options)` then runs the command."""
    parser = Parser(prog=program, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"chatflow {__version__}")
    commands: Subparsers = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for family in (
        starting,
        forking,
        steering,
        watching,
        looking,
        templates,
        waiving,
        scheduling,
        auditing,
        database,
        diagnosing,
        configuring,
        demonstrating,
        completing,
    ):
        family.add_commands(commands)
    return parser


def _terminal_columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns - 2
    except (OSError, ValueError, AttributeError):
        return 100
