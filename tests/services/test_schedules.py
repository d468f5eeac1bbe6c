"""Schedules with everything around them: when they fire, what they do not, and what is said about it."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput, NotFound, SeqConflict, StoreDamaged
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, ScheduleId, TenantId
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.domain.schedules import Schedule, scheduled_at_of
from chatflow_jupyter.services.schedules import upcoming
from tests.services.plans import BEGIN, ME, Plans
from tests.services.world import LINEAR, ProcessDied, run

NEEDY = """\
name: needy
automation_level: 100
parameters: {type: object, properties: {n: {type: integer}}, required: [n]}
phases:
  - {name: one, notebook: one.ipynb}
"""


def test_each_time_starts_one_instance_that_knows_what_it_was_meant_for(plans: Plans) -> None:
    async def story() -> None:
        await plans.add(feature_id="F", automation_level=40)
        assert await plans.turn(minutes=59) == []
        assert await plans.turn(minutes=1, seconds=30) == ["fired"]
        (one,) = await plans.instances()
        assert (one.status, one.feature_id, one.automation_level) == (Status.RUNNING, "F", 40)
        assert scheduled_at_of(one) == "2026-01-01T01:00:00+00:00"
        lease = await plans.world.must_lease()
        assert lease.scheduled_at == "2026-01-01T01:00:00+00:00"
        assert await plans.world.storage.owner_of(LOCAL_TENANT, one.instance_id) == ME
        (schedule,) = await plans.all()
        assert (schedule.last_instance_id, schedule.last_due_at) == (
            one.instance_id,
            BEGIN + timedelta(hours=1),
        )
        assert schedule.next_due_at == BEGIN + timedelta(hours=2)

    run(story())


def test_of_two_processes_one_fires_and_the_other_starts_nothing(plans: Plans) -> None:
    async def story() -> None:
        await plans.add()
        plans.world.clock.turn(3600)
        other = plans.another()
        plans.world.storage.before_commit = other.step
        await plans.firing.step()
        assert await plans.hours() == [1]
        (schedule,) = await plans.all()
        assert [entry.kind for entry in await plans.log(schedule)] == ["fired"]

    run(story())


def test_a_process_that_dies_right_behind_its_commit_has_fired_once(plans: Plans) -> None:
    async def story() -> None:
        await plans.add()
        plans.world.clock.turn(3600)
        plans.world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await plans.firing.step()
        await plans.another().step()
        assert await plans.hours() == [1]

    run(story())


@pytest.mark.parametrize(
    ("catch_up", "hours", "kinds"),
    [
        ("none", [], ["missed"]),
        ("last", [5], ["missed", "fired"]),
        ("all", [1, 2, 3, 4, 5], ["fired"] * 5),
    ],
)
def test_what_passed_while_nobody_was_there(
    plans: Plans, catch_up: Any, hours: list[int], kinds: list[str]
) -> None:
    async def story() -> None:
        await plans.add(catch_up=catch_up, overlap="allow")
        assert await plans.turn(hours=5, minutes=10) == kinds
        assert await plans.hours() == hours
        await plans.turn(minutes=50)
        assert await plans.hours() == [*hours, 6]

    run(story())


def test_no_more_than_the_last_hundred_times_are_caught_up_and_the_others_are_told(plans: Plans) -> None:
    async def story() -> None:
        await plans.add(catch_up="all", overlap="allow", cron="0 * * * *")
        kinds = await plans.turn(hours=150)
        assert kinds == ["missed"] + ["fired"] * 100
        assert await plans.hours() == list(range(51, 151))

    run(story())


def test_a_time_is_skipped_while_the_previous_instance_has_not_ended_and_that_is_told(plans: Plans) -> None:
    async def story() -> None:
        await plans.add()
        assert await plans.turn(hours=1) == ["fired"]
        assert await plans.turn(hours=1) == ["skipped"]
        (schedule,) = await plans.all()
        (running,) = await plans.instances()
        assert (await plans.log(schedule))[0].detail == f"{running.instance_id} has not ended"
        await plans.finish()
        assert await plans.turn(hours=1) == ["fired"]
        assert await plans.hours() == [1, 3]

    run(story())


def test_with_allow_they_run_beside_each_other(plans: Plans) -> None:
    async def story() -> None:
        await plans.add(overlap="allow")
        for _ in range(3):
            assert await plans.turn(hours=1) == ["fired"]
        assert {one.status for one in await plans.instances()} == {Status.RUNNING}

    run(story())


@pytest.mark.parametrize(("catch_up", "hours"), [("last", [1, 4]), ("all", [1, 2])])
def test_with_queue_a_time_waits_for_the_previous_instance(
    plans: Plans, catch_up: Any, hours: list[int]
) -> None:
    async def story() -> None:
        await plans.add(overlap="queue", catch_up=catch_up)
        await plans.turn(hours=1)
        for _ in range(3):
            assert await plans.turn(hours=1) == []
        await plans.finish()
        await plans.turn(seconds=1)
        assert await plans.hours() == hours
        for number in range(1, 3):
            await plans.finish()
            await plans.turn(seconds=1)
            expected = hours if catch_up == "last" else [*hours, *range(3, 3 + number)]
            assert await plans.hours() == expected

    run(story())


def test_a_moment_is_started_once_and_then_nothing_is_due(plans: Plans) -> None:
    async def story() -> None:
        one = await plans.add(at=BEGIN + timedelta(minutes=5))
        assert upcoming(one, 3) == [BEGIN + timedelta(minutes=5)]
        assert await plans.turn(minutes=5) == ["fired"]
        await plans.finish()
        assert await plans.turn(days=400) == []
        (schedule,) = await plans.all()
        assert (schedule.next_due_at, upcoming(schedule, 3)) == (None, [])

    run(story())


def test_a_moment_that_passed_is_made_up_for_unless_nothing_is(plans: Plans) -> None:
    async def story() -> None:
        await plans.add("kept", at=BEGIN + timedelta(minutes=5))
        await plans.add("dropped", at=BEGIN + timedelta(minutes=5), catch_up="none")
        assert await plans.turn(hours=5) == ["missed", "fired"]
        assert len(await plans.instances()) == 1

    run(story())


def test_a_paused_schedule_starts_nothing_and_does_not_make_up_for_its_pause(plans: Plans) -> None:
    async def story() -> None:
        await plans.add()
        await plans.schedules.pause(LOCAL_TENANT, "hourly", LOCAL_PRINCIPAL)
        with pytest.raises(Conflict, match="paused already"):
            await plans.schedules.pause(LOCAL_TENANT, "hourly", LOCAL_PRINCIPAL)
        assert await plans.turn(hours=3, minutes=30) == []
        await plans.schedules.resume(LOCAL_TENANT, "hourly", LOCAL_PRINCIPAL)
        with pytest.raises(Conflict, match="not paused"):
            await plans.schedules.resume(LOCAL_TENANT, "hourly", LOCAL_PRINCIPAL)
        assert await plans.turn(minutes=1) == []
        assert await plans.turn(minutes=30) == ["fired"]
        assert await plans.hours() == [4]

    run(story())


def test_a_moment_that_passed_in_a_pause_is_over(plans: Plans) -> None:
    async def story() -> None:
        await plans.add("once", at=BEGIN + timedelta(minutes=5))
        await plans.schedules.pause(LOCAL_TENANT, "once", LOCAL_PRINCIPAL)
        assert await plans.turn(days=30) == []
        resumed = await plans.schedules.resume(LOCAL_TENANT, "once", LOCAL_PRINCIPAL)
        assert resumed.next_due_at is None
        assert await plans.turn(days=30) == []
        assert await plans.instances() == []

    run(story())


def test_a_removed_schedule_keeps_its_log_and_its_instances_go_on(plans: Plans) -> None:
    async def story() -> None:
        await plans.add()
        await plans.turn(hours=1)
        await plans.schedules.remove(LOCAL_TENANT, "hourly", LOCAL_PRINCIPAL)
        assert await plans.turn(hours=5) == []
        await plans.finish()
        assert [one.status for one in await plans.instances()] == [Status.COMPLETED]
        with pytest.raises(NotFound):
            await plans.schedules.named(LOCAL_TENANT, "hourly")
        gone = await plans.schedules.named(LOCAL_TENANT, "hourly", removed=True)
        assert [entry.kind for entry in await plans.log(gone)] == ["removed", "fired"]
        again = await plans.add()
        assert (await plans.schedules.named(LOCAL_TENANT, "hourly")).schedule_id == again.schedule_id

    run(story())


def test_what_was_planned_is_pinned_unless_it_is_followed(plans: Plans) -> None:
    async def story() -> None:
        await plans.add("kept", overlap="allow")
        await plans.add("followed", overlap="allow", follow=True)
        plans.world.template("planned", LINEAR.replace("linear", "changed"))
        assert await plans.turn(hours=1) == ["fired", "fired"]
        named = {one.meta["schedule"]["name"]: one.definition.name for one in await plans.instances()}  # type: ignore[index,call-overload]
        assert named == {"kept": "linear", "followed": "changed"}

    run(story())


@pytest.mark.parametrize("harm", ["gone", "needs more", "broken"])
def test_what_cannot_be_started_is_told_once_and_the_next_time_may_be_better(plans: Plans, harm: str) -> None:
    async def story() -> None:
        await plans.add(follow=True)
        await plans.add("other")
        folder = plans.world.folder / "templates" / "planned"
        if harm == "gone":
            folder.rename(folder.with_name("moved"))
        else:
            plans.world.template("planned", NEEDY if harm == "needs more" else "name: [")
        assert await plans.turn(hours=1) == ["failed", "fired"]
        (failed,) = [entry for one in await plans.all() for entry in await plans.log(one) if entry.detail]
        assert failed.instance_id is None
        plans.world.template("planned", LINEAR)
        await plans.finish()
        assert await plans.turn(hours=1) == ["fired", "fired"]

    run(story())


def test_a_schedule_that_cannot_be_read_or_looked_at_holds_up_no_other(
    plans: Plans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        broken = {(await plans.add(name)).schedule_id: name for name in ("damaged", "odd")}
        await plans.add("sound")
        read = plans.world.storage.schedule

        async def schedule(tenant_id: TenantId, schedule_id: ScheduleId) -> Schedule:
            if broken.get(schedule_id) == "damaged":
                raise StoreDamaged("that row is damaged")
            if broken.get(schedule_id) == "odd":
                raise RuntimeError("nobody thought of that")
            return await read(tenant_id, schedule_id)

        monkeypatch.setattr(plans.world.storage, "schedule", schedule)
        with caplog.at_level(logging.WARNING):
            assert await plans.turn(hours=1) == ["fired"]
            assert not await plans.firing.step()
        assert caplog.text.count("that row is damaged") == 1
        monkeypatch.undo()
        assert await plans.turn(minutes=1) == ["fired", "fired"]

    run(story())


def test_run_now_is_beside_what_is_due(plans: Plans) -> None:
    async def story() -> None:
        one = await plans.add()
        started = await plans.firing.fire_now(one, LOCAL_PRINCIPAL)
        assert scheduled_at_of(started) == BEGIN.isoformat()
        (after,) = await plans.all()
        assert (after.next_due_at, after.last_instance_id) == (one.next_due_at, started.instance_id)
        with pytest.raises(SeqConflict):
            await plans.firing.fire_now(one, LOCAL_PRINCIPAL)
        assert len(await plans.instances()) == 1

    run(story())


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cron": "30 2 31 2 *"}, "a month has to have the day"),
        ({"zone": "Mars/Base"}, "there is none of that name"),
        ({"at": BEGIN}, "is over already"),
        ({"at": BEGIN + timedelta(days=40_000)}, "fifty years"),
        ({"at": BEGIN + timedelta(days=1), "cron": "* * * * *"}, "either"),
        ({"catch_up": "all"}, "would skip all but the first"),
        ({"catch_up": "none", "overlap": "queue"}, "needs catch-up last or all"),
        ({"automation_level": 101}, "is not between 0 and 100"),
        ({"definition": NEEDY}, "n"),
        ({"definition": NEEDY, "context": {"n": "text"}}, "n"),
        ({"name": "-x"}, "schedule name"),
        ({"name": "a b"}, "schedule name"),
        ({"name": "x" * 65}, "schedule name"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_kept(
    plans: Plans, fields: dict[str, Any], told: str
) -> None:
    async def story() -> None:
        with pytest.raises(InvalidInput, match=told):
            await plans.add(**fields)
        assert not await plans.all()

    run(story())
