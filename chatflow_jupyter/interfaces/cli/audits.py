"""What `audit list` and `audit verify` do."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

from chatflow_jupyter.domain.audit import AuditEnd, AuditRow, told
from chatflow_jupyter.domain.errors import InternalError, InvalidInput
from chatflow_jupyter.domain.ids import Principal, Sha256, TenantId
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import print_json, shown_time
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.ports.audit import AuditFilter
from chatflow_jupyter.services.audits import Verified

HEAD = ["ROW", "WHEN", "WHO", "DID", "TO", "ABOUT", "OUTCOME", "REASON"]
MAX_LISTED = 1000
MAX_SHOWN = 200
_AGO = re.compile(r"(\d{1,5})([hd])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(_DAY.pattern + r"[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_SEEN = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)


def listing(options: argparse.Namespace) -> int:
    """Print rows, the latest first."""
    if not 1 <= options.limit <= MAX_LISTED:
        raise InvalidInput(f"--limit {options.limit}: a number from 1 to {MAX_LISTED}")
    since = None if options.since is None else moment_of(options.since, datetime.now(UTC))
    if options.before is not None and not 1 <= options.before < 2**63:
        raise InvalidInput(f"--before {options.before}: the position of a row, from 1 on")

    async def answer(session: Session) -> int:
        queries, subject = session.app.queries, None
        if options.instance is not None:
            subject = await queries.find(session.tenant_id, options.instance)
        wanted = AuditFilter(
            subject=subject,
            principal=None if options.principal is None else Principal(options.principal),
            verb=options.did,
            since=since,
            before=options.before,
            limit=options.limit,
        )
        found = await session.app.audits.listed(session.tenant_id, wanted)
        if options.json:
            print_json([audit_object(row) for row in found])
        elif not found:
            print("nothing recorded that matches")
        else:
            print(shown_table([_row(row) for row in found], HEAD, sys.stdout))
            if len(found) == options.limit and found[-1].position > 1:
                say(f"there may be more: the same with --before {found[-1].position}")
        return 0

    return in_session(options, "query", answer)


def verify(options: argparse.Namespace) -> int:
    """Follow the chain and say whether it is whole; returns 1 when it is not."""
    seen = None if options.seen is None else _seen(options.seen)

    async def follow(session: Session) -> int:
        found = await session.app.audits.verify(session.tenant_id, seen)
        if options.json:
            print_json(verified_object(session.tenant_id, found))
        elif found.fault is None:
            rows = "1 row" if found.end.position == 1 else f"{found.end.position} rows"
            print(f"intact: {rows}")
            print(f"the end, to note elsewhere: {found.end.position}:{found.end.sha256}")
        if found.fault is None:
            return 0
        say(
            f"audit of tenant {session.tenant_id}: {safe_line(found.fault)}; compare with a backup or an "
            "earlier `audit verify`, and find out who could write to the home"
        )
        return InternalError.exit_status

    return in_session(options, "query", follow)


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment typed: some time ago, or on this machine's calendar, from where a day begins."""
    ago = _AGO.fullmatch(text)
    with suppress(ValueError, OverflowError):
        if ago:
            number = int(ago[1])
            return now - (timedelta(hours=number) if ago[2] == "h" else timedelta(days=number))
        if _DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time()).astimezone(UTC)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    raise InvalidInput(
        f"--since {text[:80]!r}: a day as 2026-12-31, a moment as 2026-12-31T18:00, 30d or 12h ago"
    )


def audit_object(row: AuditRow) -> JsonObject:
    """Return a row as `--json` prints it."""
    act = row.act
    return {
        "position": row.position,
        "at": shown_time(act.at),
        **told(act),
        "idempotency_key": act.key,
        "request_sha256": act.request_sha256,
        "sha256": row.sha256,
    }


def verified_object(tenant_id: TenantId, found: Verified) -> JsonObject:
    """Return what following the chain found as `--json` prints it."""
    return {
        "tenant_id": tenant_id,
        "intact": found.fault is None,
        "rows": found.end.position,
        "sha256": found.end.sha256,
        "fault": found.fault,
    }


def _seen(text: str) -> AuditEnd:
    match = _SEEN.fullmatch(text)
    if match is None:
        raise InvalidInput(f"--seen {text[:100]!r}: POSITION:SHA256 as `audit verify` prints it")
    return AuditEnd(position=int(match[1]), sha256=Sha256(match[2]))


def _row(row: AuditRow) -> list[str]:
    act = row.act
    cells = (
        str(row.position),
        act.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        f"{act.principal} (claimed)" if act.claimed else act.principal,
        act.verb,
        act.subject,
        (act.about or "")[: 12 if act.kind == "definition" else None],
        act.outcome,
        act.reason or "",
    )
    return [safe_line(cell, MAX_SHOWN) for cell in cells]
