"""`trigger`, `pause`, `resume`, `terminate`, `retry`: what people do to an instance."""

from __future__ import annotations

import argparse

from chatflow_jupyter.interfaces.cli.arguments import (
    Subparsers,
    add_command,
    add_detach,
    add_force,
    add_instance,
    add_json,
    add_key,
    add_place,
    text,
)


def add_commands(commands: Subparsers) -> None:
    """Declare the five commands."""
    _add_trigger(commands)
    pause = add_command(
        commands, "pause", _pause, "let what runs finish and start nothing new, in the whole subtree"
    )
    add_instance(pause)
    add_place(pause)
    add_json(pause)
    resume = add_command(
        commands,
        "resume",
        _resume,
        "go on after a pause, a failure or a killed process",
        "Go on after a pause, a failure or a killed process, and follow.\n"
        "Finished phases are kept, not run again.",
    )
    retry = add_command(
        commands,
        "retry",
        _retry,
        "try a failed phase again, now",
        "Run a failed phase, or one whose retry is scheduled, again now, and follow. Where undoing failed,\n"
        "go on with that.",
    )
    for command in (resume, retry):
        add_instance(command)
        if command is retry:
            add_force(command, "every phase from here on")
        add_detach(command)
        add_place(command)
        add_json(command)
    _add_terminate(commands)


def _add_terminate(commands: Subparsers) -> None:
    terminate = add_command(
        commands,
        "terminate",
        _terminate,
        "end an instance and its subtree for good",
        "End an instance and its subtree for good. With --compensate what was done is undone first, by the\n"
        "notebooks the phases name for that, the latest phase first; it goes on in the background.",
    )
    add_instance(terminate)
    terminate.add_argument("--compensate", action="store_true", help="undo first what was done")
    terminate.add_argument("--reason", metavar="TEXT", type=text, help="why, kept with the end")
    add_place(terminate)
    add_json(terminate)


def _add_trigger(commands: Subparsers) -> None:
    trigger = add_command(
        commands,
        "trigger",
        _trigger,
        "start, approve, reject, hand in data or go on",
        "Advance an instance: start it, answer its gate, hand in data, retry now, or resume a failure.\n"
        "Then follow it.",
    )
    add_instance(trigger)
    trigger.add_argument(
        "--data", metavar="JSON", help="trigger data, a JSON object; @FILE reads it from a file"
    )
    _add_answer(trigger)
    trigger.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would happen, as far as it is determined; change nothing",
    )
    add_force(trigger, "every phase from here on")
    add_key(trigger)
    add_detach(trigger)
    add_place(trigger)
    add_json(trigger)


def _add_answer(trigger: argparse.ArgumentParser) -> None:
    answer = trigger.add_mutually_exclusive_group()
    answer.add_argument(
        "--approve", dest="decision", action="store_const", const="approve", help="open the gate it waits at"
    )
    answer.add_argument(
        "--reject", dest="decision", action="store_const", const="reject", help="close the gate it waits at"
    )
    trigger.add_argument("--reason", metavar="TEXT", type=text, help="why, kept with the answer")
    trigger.add_argument(
        "--as",
        dest="answer_as",
        metavar="NAME",
        help="answer for somebody else; kept as claimed, since nobody checks names on this machine",
    )
    trigger.add_argument(
        "--seen",
        metavar="SHA256",
        help="answer only if the artifacts are those you looked at: `gate.shown` of `status --json`, or "
        "its first 12 digits or more",
    )


def _trigger(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advancing import trigger

    return trigger(options)


def _pause(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advancing import pause

    return pause(options)


def _resume(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advancing import resume

    return resume(options)


def _retry(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advancing import retry

    return retry(options)


def _terminate(options: argparse.Namespace) -> int:
    from chatflow_jupyter.interfaces.cli.advancing import terminate

    return terminate(options)
