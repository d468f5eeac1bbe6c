"""`schedules`: instances that are started by themselves."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import Subparsers, add_command, add_json, add_place, text
from chatflow_jupyter.interfaces.cli.commands.starting import add_creation

_ADD = """\
Start WHAT by cron, again and again, or once at a moment. What it is now is kept, and started each time;
with --follow what it is then.

The five fields of CRON are minute, hour, day of month, month, day of week: `0 9 * * MON-FRI`, `*/15 * * * *`,
`0 6 L * *` (the last day of the month). Something has to be there to start it: `chatflow schedules run`, or
any command that runs something in this home at that time.
"""


def add_commands(commands: Subparsers) -> None:
    """Declare `schedules` and its verbs."""
    schedules = commands.add_parser(
        "schedules",
        help="start by cron or at a moment: list, add, show, run, …",
        description="A schedule starts instances by cron, or one at a moment.",
    )
    verbs = schedules.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing = add_command(verbs, "list", _listing, "schedules with when they are due next")
    listing.add_argument("--removed", action="store_true", help="those that were removed, too")
    add = add_command(verbs, "add", _add, "start something by cron, or once at a moment", _ADD)
    _add_when(add)
    add_creation(add)
    add.set_defaults(idempotency_key=None)
    show = add_command(verbs, "show", _show, "the next times of a schedule, and what became of the last ones")
    show.add_argument("--next", metavar="N", type=int, default=5, help="how many times (default: 5)")
    show.add_argument("--log", metavar="N", type=int, default=20, help="how many entries (default: 20)")
    pause = add_command(verbs, "pause", _pause, "start nothing by itself until it is resumed")
    resume = add_command(verbs, "resume", _resume, "go on with the next time from now")
    remove = add_command(verbs, "remove", _remove, "end a schedule; its instances go on, its log is kept")
    now = add_command(verbs, "run-now", _run_now, "start one at once, beside what is due")
    driving = add_command(
        verbs, "run", _run, "start and drive what is due until interrupted, and say what is started"
    )
    for verb in (show, pause, resume, remove, now):
        verb.add_argument("name", metavar="NAME", type=text, help="its name or id")
    for verb in (listing, add, show, pause, resume, remove, now, driving):
        add_place(verb)
    add_json(listing, "a JSON list")
    for verb in (add, show, pause, resume, remove, now):
        add_json(verb)


def _add_when(add: argparse.ArgumentParser) -> None:
    add.add_argument("name", metavar="NAME", type=text, help="what the schedule is called")
    when = add.add_mutually_exclusive_group(required=True)
    when.add_argument("--cron", metavar="CRON", type=text, help="five fields, as one word")
    when.add_argument(
        "--at",
        metavar="WHEN",
        type=text,
        help="once: a moment as '2026-12-01 09:00', or from now on: +90s, +30m, +2h, +1d",
    )
    add.add_argument(
        "--zone", metavar="NAME", type=text, help="time zone, as Europe/Berlin (default: this machine's)"
    )
    add.add_argument(
        "--catch-up",
        choices=["none", "last", "all"],
        default="last",
        help="times that passed while nothing was there: none, the last one, or all, up to 100 "
        "(default: last)",
    )
    add.add_argument(
        "--overlap",
        choices=["skip", "allow", "queue"],
        default="skip",
        help="while the previous instance has not ended: skip the time, start beside it, or wait for it "
        "(default: skip)",
    )
    add.add_argument("--follow", action="store_true", help="start what WHAT is then, not what it is now")


def _listing(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import listing

    return listing(options)


def _add(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import add

    return add(options)


def _show(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import show

    return show(options)


def _pause(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import change

    return change(options, "pause")


def _resume(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import change

    return change(options, "resume")


def _remove(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import change

    return change(options, "remove")


def _run_now(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.scheduling import run_now

    return run_now(options)


def _run(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.firing import run

    return run(options)
