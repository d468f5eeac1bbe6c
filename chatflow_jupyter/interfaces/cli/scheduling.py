"""What the verbs of `schedules` do, except driving them."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.domain.schedules import Schedule
from chatflow_jupyter.interfaces.cli.ending import print_accepted
from chatflow_jupyter.interfaces.cli.launching import order_of
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.moments import local_zone, moment_of
from chatflow_jupyter.interfaces.cli.schedule_wording import (
    HEAD,
    entry_object,
    schedule_lines,
    schedule_object,
    schedule_row,
)
from chatflow_jupyter.interfaces.cli.session import Session, go_on_in_background, in_session, settings_of
from chatflow_jupyter.interfaces.cli.shapes import print_json, shown_time
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.services.cron_times import zone_of
from chatflow_jupyter.services.firing import Firing
from chatflow_jupyter.services.schedules import (
    NewSchedule,
    When,
    check_name,
    check_plan,
    unknown_schedule,
    upcoming,
)

SHOWN_AFTER_ADDING = 3
MOST = 1000


def listing(options: argparse.Namespace) -> int:
    """Print schedules by name."""

    async def answer(session: Session) -> int:
        found = await session.app.schedules.all(session.tenant_id, removed=options.removed)
        driven = await session.app.is_attended()
        if options.json:
            print_json([schedule_object(one, driven=driven) for one in found])
        elif not found:
            print("no schedules")
        else:
            print(shown_table([schedule_row(one) for one in found], HEAD, sys.stdout))
        if not driven and any(one.looks_at is not None for one in found):
            _say_that_nobody_starts(session)
        return 0

    return in_session(options, "query", answer)


def add(options: argparse.Namespace) -> int:
    """Keep a new schedule."""
    check_name(options.name)
    check_plan(_when(options, datetime.now(UTC)), datetime.now(UTC))
    order = order_of(options)
    what = str(Path(order.what).absolute()) if order.what.endswith(".ipynb") else order.what

    async def store(session: Session) -> int:
        record = await session.app.definitions.resolve(what, session.tenant_id)
        new = NewSchedule(
            name=options.name,
            what=what,
            record=record,
            context=order.contexts[0],
            principal=session.principal,
            when=_when(options, session.app.clock.now()),  # what is from now on is from this now
            follow=options.follow,
            feature_id=options.feature,
            automation_level=options.automation_level,
        )
        schedule = await session.app.schedules.add(new)
        await _print(session, schedule, SHOWN_AFTER_ADDING)
        if not await session.app.is_attended():
            _say_that_nobody_starts(session)
        return 0

    return in_session(options, "query", store)


def _when(options: argparse.Namespace, now: datetime) -> When:
    zone = options.zone or local_zone()
    zone_of(zone)
    return When(
        zone=zone,
        cron=options.cron,
        at=None if options.at is None else moment_of(options.at, zone, now),
        catch_up=options.catch_up,
        overlap=options.overlap,
    )


def show(options: argparse.Namespace) -> int:
    """Print one schedule with its next times and its log."""
    for name, count in (("--next", options.next), ("--log", options.log)):
        if not 0 <= count <= MOST:
            raise InvalidInput(f"{name} {count}: a number from 0 to {MOST}")
    _require_a_home(options)

    async def answer(session: Session) -> int:
        schedules = session.app.schedules
        schedule = await schedules.named(session.tenant_id, options.name, removed=True)
        log = await schedules.log(schedule, options.log) if options.log else ()
        times = upcoming(schedule, options.next)
        driven = await session.app.is_attended()
        if options.json:
            more: JsonObject = {
                "next": [shown_time(due) for due in times],
                "log": [entry_object(one) for one in log],
            }
            print_json({**schedule_object(schedule, driven=driven), **more})
        else:
            print("\n".join(schedule_lines(schedule, times, log)))
        if not driven and schedule.looks_at is not None:
            _say_that_nobody_starts(session)
        return 0

    return in_session(options, "query", answer)


def change(options: argparse.Namespace, verb: Literal["pause", "resume", "remove"]) -> int:
    """Pause, resume or remove a schedule."""
    _require_a_home(options)

    async def act(session: Session) -> int:
        schedules = session.app.schedules
        asked = {"pause": schedules.pause, "resume": schedules.resume, "remove": schedules.remove}[verb]
        schedule = await asked(session.tenant_id, options.name, session.principal)
        await _print(session, schedule, 1 if verb == "resume" else 0)
        return 0

    return in_session(options, "query", act)


def run_now(options: argparse.Namespace) -> int:
    """Start one instance of a schedule at once, in the background."""
    _require_a_home(options)

    async def start(session: Session) -> int:
        app = session.app
        firing = Firing(app.storage, app.orchestrator, app.definitions, app.clock, None)
        schedule = await app.schedules.named(session.tenant_id, options.name)
        instance = await firing.fire_now(schedule, session.principal)
        await go_on_in_background(session)
        await print_accepted(session, [instance])
        if not options.json and instance.waiting_reason is None:
            watch = session.command("watch", instance.instance_id)
            say(f"going on in the background; follow with: {watch}")
        return 0

    return in_session(options, "query", start)


def _require_a_home(options: argparse.Namespace) -> None:
    """Raise `NotFound` where there is no home: a question makes none."""
    if not settings_of(options).home.exists():
        raise unknown_schedule(options.name)


async def _print(session: Session, schedule: Schedule, count: int) -> None:
    if session.options.json:
        driven = await session.app.is_attended()
        print_json(schedule_object(schedule, driven=driven))
    else:
        print("\n".join(schedule_lines(schedule, upcoming(schedule, count), ())))


def _say_that_nobody_starts(session: Session) -> None:
    say(f"nothing runs in this home, so nothing is started; start: {session.command('schedules', 'run')}")
