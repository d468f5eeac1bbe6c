"""`completion`: a script for the shell."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command

_DESCRIPTION = """\
Print a completion script, for instance:
  chatflow completion bash > ~/.local/share/bash-completion/completions/chatflow
"""


def add_commands(commands: Subparsers) -> None:
    """Declare `completion`."""
    completion = add_command(
        commands,
        "completion",
        _completion,
        "print a completion script for your shell",
        _DESCRIPTION,
    )
    completion.add_argument(
        "shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish"
    )


def _completion(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.completion import completion

    return completion(options)
