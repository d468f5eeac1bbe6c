"""Polling with a deadline: what a test does instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.limits import LIMITS

T = TypeVar("T")


def until(
    probe: Callable[[], T], *, what: str, deadline_sec: float = LIMITS.deadline_sec, every_sec: float = 0.02
) -> T:
    """Call `probe` until it answers something true, and return that; fail naming `what` at the deadline."""
    ends = time.monotonic() + deadline_sec
    while not (answer := probe()):
        if time.monotonic() > ends:
            message = f"not within {deadline_sec:g} s: {what} (last answer: {answer!r})"
            raise AssertionError(message)
        time.sleep(every_sec)
    return answer


async def until_async(
    probe: Callable[[], Awaitable[T]],
    *,
    what: str,
    deadline_sec: float = LIMITS.deadline_sec,
    every_sec: float = 0.02,
) -> T:
    """`until` for a probe that has to be awaited."""
    ends = time.monotonic() + deadline_sec
    while not (answer := await probe()):
        if time.monotonic() > ends:
            message = f"not within {deadline_sec:g} s: {what} (last answer: {answer!r})"
            raise AssertionError(message)
        await asyncio.sleep(every_sec)
    return answer
