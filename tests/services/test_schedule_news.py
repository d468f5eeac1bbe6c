"""What is told of schedules while somebody looks: every entry once, and no log is read for nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import StoreDamaged
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry
from chatflow_jupyter.services.schedule_news import ScheduleNews
from chatflow_jupyter.services.schedules import Schedules
from tests.services.plans import Plans
from tests.services.world import CountedIds, run


def looking(plans: Plans, began: datetime | None = None) -> ScheduleNews:
    return ScheduleNews(plans.schedules, LOCAL_TENANT, began or plans.world.clock.now())


async def told(news: ScheduleNews) -> list[tuple[str, str]]:
    return [(schedule.name, entry.kind) async for schedule, entry in news.all()]


def test_what_happened_before_is_not_told_and_what_happens_is_told_once(plans: Plans) -> None:
    async def story() -> None:
        await plans.add("a", overlap="allow")
        await plans.add("b", overlap="allow")
        await plans.turn(hours=1)
        news = looking(plans)
        assert await told(news) == []
        await plans.turn(hours=1)
        await plans.schedules.pause(LOCAL_TENANT, "b", LOCAL_PRINCIPAL)
        assert await told(news) == [("a", "fired"), ("b", "fired"), ("b", "paused")]
        await plans.schedules.remove(LOCAL_TENANT, "b", LOCAL_PRINCIPAL)
        await plans.add("c", overlap="allow")
        await plans.turn(hours=1)
        assert await told(news) == [("a", "fired"), ("b", "removed"), ("c", "fired")]
        assert await told(news) == []

    run(story())


def test_however_many_there_were_between_two_looks_all_are_told(plans: Plans) -> None:
    async def story() -> None:
        await plans.add(catch_up="all", overlap="allow")
        news = looking(plans)
        assert await told(news) == []
        await plans.turn(hours=150)
        assert [kind for _, kind in await told(news)] == ["missed"] + ["fired"] * 100

    run(story())


def test_what_changes_while_it_is_read_is_told_at_the_next_look_and_not_twice(plans: Plans) -> None:
    async def story() -> None:
        one = await plans.add(overlap="allow")
        news = looking(plans)
        assert await told(news) == []
        await plans.turn(hours=1)
        seen = await plans.schedules.all(LOCAL_TENANT)
        plans.world.clock.turn(3600)

        async def all_(*_: Any, **__: Any) -> list[Schedule]:
            await plans.firing.step()  # another process fires between the two reads
            return list(seen)

        plans.schedules.all = all_  # type: ignore[method-assign]
        assert [entry.due_at async for _, entry in news.all()] == [one.next_due_at]
        del plans.schedules.all
        assert [kind for _, kind in await told(news)] == ["fired"]
        assert await told(news) == []

    run(story())


class Watched(Schedules):
    """Notes whose log is read."""

    def __init__(self, plans: Plans) -> None:
        super().__init__(plans.world.storage, plans.world.clock, CountedIds())
        self.read: list[str] = []

    async def log_since(self, schedule: Schedule, seq: int) -> Sequence[ScheduleEntry]:
        self.read.append(schedule.name)
        return await super().log_since(schedule, seq)


def test_only_the_log_of_a_schedule_that_changed_is_read(plans: Plans) -> None:
    async def story() -> None:
        await plans.add("a", overlap="allow")
        await plans.add("b", cron="0 0 1 6 *")
        watched = Watched(plans)
        news = ScheduleNews(watched, LOCAL_TENANT, plans.world.clock.now())
        assert await told(news) == []
        watched.read.clear()
        for _ in range(3):
            assert await told(news) == []
        assert watched.read == []
        await plans.turn(hours=1)
        assert await told(news) == [("a", "fired")]
        assert watched.read == ["a"]

    run(story())


def test_a_log_that_cannot_be_read_hides_nothing_of_the_schedules_behind_it(plans: Plans) -> None:
    async def story() -> None:
        for name in "abc":
            await plans.add(name, overlap="allow")
        news = looking(plans)
        assert await told(news) == []
        read = plans.schedules.log_since

        async def log_since(schedule: Schedule, seq: int) -> Sequence[ScheduleEntry]:
            if schedule.name in damaged:
                raise StoreDamaged(f"the log of {schedule.name} is damaged")
            return await read(schedule, seq)

        plans.schedules.log_since = log_since  # type: ignore[method-assign]
        damaged = "ab"
        await plans.turn(hours=1)
        heard: list[str] = []
        for _ in range(2):
            with pytest.raises(StoreDamaged, match="log of a"):
                await _hear(news, heard)
        assert heard == ["c"]
        damaged = ""
        assert await told(news) == [("a", "fired"), ("b", "fired")]

    run(story())


async def _hear(news: ScheduleNews, heard: list[str]) -> None:
    async for schedule, _ in news.all():
        heard.append(schedule.name)
