"""What `waivers list`, `add` and `revoke` do."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import print_json, waiver_object
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.ports.records import Waiver
from chatflow_jupyter.services.waivers import NewWaiver, check_new

HEAD = ["ID", "STATE", "GATE", "FEATURE", "UNTIL", "BY", "REASON"]
MAX_REASON_SHOWN = 200
_FROM_NOW = re.compile(r"\+(\d{1,5})([hd])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(_DAY.pattern + r"[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def listing(options: argparse.Namespace) -> int:
    """Print waivers, the newest first."""

    async def answer(session: Session) -> int:
        waivers, state = session.app.waivers, session.app.waivers.state
        found = await waivers.all(session.tenant_id)
        if session.options.json:
            print_json([waiver_object(waiver, state(waiver)) for waiver in found])
        elif not found:
            print("no waivers")
        else:
            print(shown_table([_row(waiver, state(waiver)) for waiver in found], HEAD, sys.stdout))
        return 0

    return in_session(options, "query", answer)


def add(options: argparse.Namespace) -> int:
    """Let a gate open by itself for some time."""
    now = datetime.now(UTC)
    new = NewWaiver(
        schema=options.schema,
        phase=options.phase,
        until=moment_of(options.until, now),
        reason=options.reason,
        principal=Session.principal,
        feature_id=options.feature,
    )
    check_new(new, now)

    async def store(session: Session) -> int:
        _print(session, await session.app.waivers.add(session.tenant_id, new))
        return 0

    return in_session(options, "query", store)


def revoke(options: argparse.Namespace) -> int:
    """End a waiver."""

    async def end(session: Session) -> int:
        _print(
            session, await session.app.waivers.revoke(session.tenant_id, options.waiver, session.principal)
        )
        return 0

    return in_session(options, "query", end)


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment that was typed: from now on, or on this machine's calendar; a day counts whole."""
    from_now = _FROM_NOW.fullmatch(text)
    with suppress(ValueError, OverflowError):
        if from_now:
            number = int(from_now[1])
            return now + (timedelta(hours=number) if from_now[2] == "h" else timedelta(days=number))
        if _DAY.fullmatch(text):
            moment = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time())
            return moment.astimezone(UTC)
        if _MOMENT.fullmatch(text):  # not all that Python reads: `20261231` is no day to it but a moment
            return datetime.fromisoformat(text).astimezone(UTC)
    raise InvalidInput(
        f"--until {text[:80]!r}: a day as 2026-12-31, a moment as 2026-12-31T18:00, or +30d, +12h"
    )


def _print(session: Session, waiver: Waiver) -> None:
    state = session.app.waivers.state(waiver)
    if session.options.json:
        print_json(waiver_object(waiver, state))
        return
    feature = f" for feature {waiver.feature_id}" if waiver.feature_id is not None else ""
    if state == "active":
        words = f"holds until {_moment(waiver.expires_at)}"
    else:
        words = f"{state} at {_moment(waiver.revoked_at or waiver.expires_at)}"
    print(safe_line(f"{waiver.waiver_id}  {waiver.name}/{waiver.phase}{feature}  {words}"))


def _row(waiver: Waiver, state: str) -> list[str]:
    cells = (
        waiver.waiver_id,
        state,
        f"{waiver.name}/{waiver.phase}",
        waiver.feature_id or "",
        _moment(waiver.expires_at),
        waiver.principal,
        waiver.reason,
    )
    return [safe_line(cell, MAX_REASON_SHOWN) for cell in cells]


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
