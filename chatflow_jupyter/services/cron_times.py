"""When a schedule is due: the times of a cron expression in a time zone.

As in Debian's cron: an expression that names its hour and minute is due once a day that has them. Where
the clock jumps over them it is due at the first moment behind the gap; where it passes them twice, the
first time.
One whose hour or minute begins with `*` follows the clock as it runs, through both passes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chatflow_jupyter.domain.errors import InvalidInput

MAX_CRON = 255
_FIELDS = (
    "minutes are 0-59, hours 0-23, days 1-31 or L (the last), months 1-12 or JAN-DEC, weekdays 0-7 or "
    "SUN-SAT, and a month has to have the day"
)
NO_END = timedelta(days=366 * 60)
_WINDOWS = (timedelta(hours=1), timedelta(days=2), timedelta(days=64), timedelta(days=800), NO_END)


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name; raises `InvalidInput`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = "an IANA name such as Europe/Berlin or UTC"
        raise InvalidInput(f"time zone {name[:80]!r}: there is none of that name; give {known}") from None


def check_cron(cron: str, zone: str, now: datetime) -> None:
    """Raise `InvalidInput` for an expression that cannot be read, or is never due."""
    if len(cron) > MAX_CRON:
        raise InvalidInput(f"cron: {len(cron)} characters are more than {MAX_CRON}")
    if len(cron.split()) != 5:
        raise InvalidInput(
            f"cron {cron[:80]!r}: needs five fields: minute, hour, day of month, month, day of week"
        )
    if next_after(cron, zone, now) is None:
        raise InvalidInput(f"cron {cron!r}: there is no such day; it would never be due")


def next_after(cron: str, zone: str, moment: datetime) -> datetime | None:
    """Return the first time after `moment`, in UTC; None when there is none for fifty years."""
    return next(times_after(cron, zone, moment), None)


def times_after(cron: str, zone: str, moment: datetime) -> Iterator[datetime]:
    """Yield the times after `moment`, each once, in UTC and in order. Raises `InvalidInput`."""
    from cronsim import CronSim, CronSimError

    latest = moment.astimezone(UTC)
    try:
        for local in CronSim(cron, moment.astimezone(zone_of(zone))):
            due = local.astimezone(UTC)
            if due > latest:  # two may lie in one gap, and of an hour that comes twice the first is told
                latest = due
                yield due
    except CronSimError as error:
        raise InvalidInput(f"cron {cron[:80]!r}: {str(error).lower()}; {_FIELDS}") from None
    except OverflowError:
        return


def latest_times(cron: str, zone: str, first: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the last times from `first` on up to `until`, at most `most`, in order.

    However long ago `first` is, only a stretch before `until` is counted through.
    """
    before_first = first - timedelta(microseconds=1)
    found: list[datetime] = []
    for window in _WINDOWS:
        start = max(before_first, until - window)
        found = []
        for due in times_after(cron, zone, start):
            if due > until:
                break
            found.append(due)
        if len(found) >= most or start == before_first:
            break
    return found[-most:]
