"""`demo`: three acts on a small repository it makes, or on yours."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_home


def add_commands(commands: Subparsers) -> None:
    """Declare `demo`."""
    demo = add_command(
        commands,
        "demo",
        _demo,
        "a review that runs, is killed, resumes and waits for you",
        "Review a small repository: its checks pass, the review finds what they miss, survives kill -9,\n"
        "and stops at a gate. About a minute. With --here it reviews the repository you are in.",
    )
    demo.add_argument("--here", action="store_true", help="review the change in the current folder instead")
    add_home(demo)


def _demo(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.demo.acts import demo

    return demo(options)
