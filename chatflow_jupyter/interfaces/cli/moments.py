"""Moments as people type them for a schedule, and the time zone they mean by it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.services.cron_times import zone_of

_FROM_NOW = re.compile(r"\+(\d{1,6})([smhd])", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LINK = Path("/etc/localtime")


def local_zone() -> str:
    """Return the IANA name of this machine's time zone, as far as it says one; else UTC."""
    named = [os.environ.get("TZ", "").removeprefix(":")]
    with suppress(OSError):
        named.append(str(_LINK.resolve()).partition("zoneinfo/")[2])
    for name in named:
        with suppress(InvalidInput):
            if name:
                zone_of(name)
                return name
    return "UTC"


def moment_of(text: str, zone: str, now: datetime) -> datetime:
    """Return the moment that was typed, of the clock of `zone`; where that comes twice, the first.

    Raises `InvalidInput`, also for a time that this clock jumps over.
    """
    from_now = _FROM_NOW.fullmatch(text)
    with suppress(ValueError, OverflowError):
        if from_now:
            return now + timedelta(**{_UNITS[from_now[2]]: int(from_now[1])})
        if _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
            there = moment.replace(tzinfo=zone_of(zone)).astimezone(UTC)
            if there.astimezone(zone_of(zone)).replace(tzinfo=None) != moment:
                raise InvalidInput(f"--at {text!r}: the clock of {zone} jumps over that; name another time")
            return there
    raise InvalidInput(f"--at {text[:80]!r}: a moment as '2026-12-01 09:00', or +90s, +30m, +2h, +1d")
