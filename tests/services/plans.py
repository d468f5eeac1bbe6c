"""A world with schedules, for the suites about them."""

from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime, timedelta
from typing import Any

from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, OwnerId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.schedules import Schedule, scheduled_at_of
from chatflow_jupyter.ports.records import InstanceFilter
from chatflow_jupyter.services.firing import Firing
from chatflow_jupyter.services.schedules import NewSchedule, Schedules, When
from tests.services.world import LINEAR, CountedIds, World

ME = OwnerId("own_me")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Plans:
    """A world with schedules."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.schedules = Schedules(world.storage, world.clock, CountedIds())
        self.firing = self.another()

    def another(self) -> Firing:
        """Another process that fires."""
        world = self.world
        return Firing(world.storage, world.orchestrator, world.definitions, world.clock, ME)

    async def add(self, name: str = "hourly", definition: str = LINEAR, **fields: Any) -> Schedule:
        """Publish a definition and plan it, by default every full hour."""
        folder = self.world.template("planned", definition)
        record = await self.world.definitions.publish_folder(folder, LOCAL_TENANT)
        known = {field.name for field in dataclass_fields(When)}
        times = {"cron": None if "at" in fields else "0 * * * *", "zone": "UTC"}
        times |= {key: value for key, value in fields.items() if key in known}
        rest = {"context": {}} | {key: value for key, value in fields.items() if key not in known}
        new = NewSchedule(
            name=name,
            what=f"{folder}/",
            record=record,
            principal=LOCAL_PRINCIPAL,
            when=When(**times),
            **rest,
        )
        return await self.schedules.add(new)

    async def turn(self, **much: float) -> list[str]:
        """Let time pass, and everything that is due be done; returns the log's new kinds."""
        self.world.clock.turn(timedelta(**much).total_seconds())
        before = {one.schedule_id: len(await self.log(one)) for one in await self.all()}
        for _ in range(300):
            if not await self.firing.step():
                break
        return [
            entry.kind
            for one in await self.all()
            for entry in reversed((await self.log(one))[: len(await self.log(one)) - before[one.schedule_id]])
        ]

    async def all(self) -> list[Schedule]:
        return list(await self.schedules.all(LOCAL_TENANT, removed=True))

    async def log(self, schedule: Schedule) -> list[Any]:
        return list(await self.schedules.log(schedule, 1000))

    async def instances(self) -> list[Instance]:
        """Roots, the oldest first."""
        found = await self.world.storage.instances(LOCAL_TENANT, InstanceFilter(limit=500))
        return list(reversed(found))

    async def hours(self) -> list[int]:
        """For which hour after the beginning each instance was started."""
        meant = [scheduled_at_of(one) for one in await self.instances()]
        return [round((datetime.fromisoformat(str(at)) - BEGIN).total_seconds() / 3600) for at in meant]

    async def finish(self) -> None:
        """Let everything that runs come to its end."""
        for one in await self.instances():
            await self.world.work_on(one.instance_id)
