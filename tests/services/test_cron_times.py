"""When a schedule is due, compared with a recount minute by minute that was written from the page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.services.cron_times import check_cron, latest_times, next_after, times_after
from tests.limits import LIMITS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)
ZONES = (BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC")
CHANGES = (
    *(datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),  # Berlin
    *(datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)),  # New York
    *(datetime(2026, 4, 4, 14, tzinfo=UTC), datetime(2026, 10, 3, 14, tzinfo=UTC)),  # Lord Howe, half an hour
    *(datetime(2018, 11, 4, 2, tzinfo=UTC), datetime(2018, 2, 18, 1, tzinfo=UTC)),  # Sao Paulo, at midnight
    *(datetime(2028, 2, 29, tzinfo=UTC), datetime(2026, 12, 31, 22, tzinfo=UTC)),
)
MINUTES = st.sampled_from(["*", "0", "30", "59", "*/20", "15,45", "10-12", "7/17"])
HOURS = st.sampled_from(["*", "0", "1", "2", "3", "23", "*/5", "1-3", "0,2"])
DAYS = st.sampled_from(["*", "*", "1", "29", "31", "*/7", "L", "4,5"])
MONTHS = st.sampled_from(["*", "*", "*", "2-4", "10,11", "MAR"])
WEEKDAYS = st.sampled_from(["*", "*", "0", "7", "MON-FRI", "SUN", "6,3"])
NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@lru_cache
def numbers(field: str, low: int, high: int) -> frozenset[int]:
    """What a field of a cron expression allows."""
    for names, first in ((NAMES, 0), (MONTH_NAMES, 1)):
        for number, name in enumerate(names, first):
            field = field.replace(name, str(number))
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        begin, _, end = span.partition("-")
        first, last = (low, high) if span == "*" else (int(begin), int(end or begin))
        if step and not end and span != "*":
            last = high
        found |= set(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def allows(cron: str, local: datetime) -> bool:
    """Whether that minute of a wall clock is one of the expression's."""
    minute, hour, day, month, weekday = cron.split()
    if local.minute not in numbers(minute, 0, 59) or local.hour not in numbers(hour, 0, 23):
        return False
    if local.month not in numbers(month, 1, 12):
        return False
    is_last = (local + timedelta(days=1)).month != local.month
    by_day = is_last if day == "L" else local.day in numbers(day, 1, 31)
    by_weekday = local.isoweekday() % 7 in {number % 7 for number in numbers(weekday, 0, 7)}
    either = not day.startswith("*") and not weekday.startswith("*")
    return by_day or by_weekday if either else by_day and by_weekday


def recount(cron: str, zone: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """Look at every minute; at a fixed time, skip its second pass, and make up for what a gap swallowed."""
    minute, hour = cron.split()[:2]
    fixed = zone != "UTC" and not minute.startswith("*") and not hour.startswith("*")
    there = ZoneInfo(zone)
    moment = start.replace(second=0, microsecond=0)
    clock = moment.astimezone(there).replace(tzinfo=None)
    while moment < end:
        moment += MINUTE
        local = moment.astimezone(there)
        before, clock = clock, local.replace(tzinfo=None)
        swallowed = any(
            allows(cron, before + n * MINUTE) for n in range(1, max(0, int((clock - before) / MINUTE)))
        )
        is_due = allows(cron, clock) and not (fixed and local.fold)
        if start < moment <= end and (is_due or (fixed and swallowed)):
            yield moment


@settings(max_examples=max(LIMITS.examples, 50))
@given(
    st.tuples(MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS).map(" ".join),
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(-40 * 60, 20 * 60),
    st.integers(0, 59),
)
def test_times_are_those_of_a_recount_minute_by_minute(
    cron: str, zone: str, change: datetime, minutes: int, seconds: int
) -> None:
    start = change + timedelta(minutes=minutes, seconds=seconds)
    end = start + timedelta(hours=30)
    expected = list(recount(cron, zone, start, end))
    try:
        told = []
        for due in times_after(cron, zone, start):
            if due > end:
                break
            told.append(due)
    except InvalidInput:
        assert not expected
        return
    assert told == expected
    for one, following in zip([start, *told], told, strict=False):
        assert next_after(cron, zone, one) == following, "it depends on where the counting began"
    if told:
        assert latest_times(cron, zone, told[0], end, 3) == told[-3:]
        assert latest_times(cron, zone, told[0], told[-1], 10_000) == told


def local_times(cron: str, zone: str, start: datetime, count: int) -> list[str]:
    """The next times on the clock of the zone."""
    times = times_after(cron, zone, start)
    return [next(times).astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for _ in range(count)]


def test_a_time_the_clock_jumps_over_is_due_behind_the_gap() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert local_times("30 2 * * *", BERLIN, start, 2) == ["03-29 03:00+0200", "03-30 02:30+0200"]


def test_a_time_that_comes_twice_is_due_the_first_time_only() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert local_times("30 2 * * *", BERLIN, start, 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_what_is_due_every_hour_follows_the_clock_through_both_passes() -> None:
    start = datetime(2026, 10, 24, 23, 45, tzinfo=UTC)
    assert local_times("30 * * * *", BERLIN, start, 3) == [
        "10-25 02:30+0200",
        "10-25 02:30+0100",
        "10-25 03:30+0100",
    ]


def test_leap_days_and_days_that_few_months_have() -> None:
    assert next_after("0 0 29 2 *", "UTC", NOW) == datetime(2028, 2, 29, tzinfo=UTC)
    assert local_times("0 0 31 * *", "UTC", NOW, 3) == [
        "03-31 00:00+0000",
        "05-31 00:00+0000",
        "07-31 00:00+0000",
    ]
    assert local_times("0 6 L * *", "UTC", NOW, 2) == ["03-31 06:00+0000", "04-30 06:00+0000"]


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("30 2 31 2 *", "a month has to have the day"),
        ("0 0 30 2 *", "a month has to have the day"),
        ("60 0 * * *", "minutes are 0-59"),
        ("0 0 * * FOO", "weekdays"),
        ("0 0 * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("", "five fields"),
        ("*/0 * * * *", "minute"),
        ("* * */20 * 1L", "never be due"),
        ("0 " * 200, "more than 255"),
        ("0 0 \x00 * *", "day-of-month"),
    ],
)
def test_an_expression_that_cannot_be_is_refused_with_what_to_do(cron: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_cron(cron, "UTC", NOW)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "Europe", "x\0y", "a" * 300])
def test_a_zone_there_is_none_of_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput, match="there is none of that name"):
        check_cron("0 0 * * *", zone, NOW)


def test_a_year_of_minutes_is_not_counted_through() -> None:
    ever = datetime(1990, 1, 1, tzinfo=UTC)
    times = latest_times("* * * * *", BERLIN, ever, NOW, 100)
    assert times[-1] == NOW
    assert times[0] == NOW - 99 * MINUTE
