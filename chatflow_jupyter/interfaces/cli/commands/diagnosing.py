"""`doctor`: whether this machine and home can run workflows."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_home, add_json


def add_commands(commands: Subparsers) -> None:
    """Declare `doctor`."""
    doctor = add_command(
        commands,
        "doctor",
        _doctor,
        "check this machine and home, and say what to do about each problem",
        "Check Python, kernels, home, disk, SQLite, the tools of templates, leftovers.\n"
        "Exit status 1 when a check failed.",
    )
    add_home(doctor)
    add_json(doctor)


def _doctor(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.doctor import doctor

    return doctor(options)
