"""Who did what: every use case that changes something for somebody is recorded, once, with its change."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import get_type_hints

import pytest

from chatflow_jupyter.bootstrap import ChatFlow
from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, Principal
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.ports.audit import AuditFilter
from chatflow_jupyter.services.audits import Audits
from chatflow_jupyter.services.engine import Engine
from chatflow_jupyter.services.firing import Firing
from chatflow_jupyter.services.forks import NewFork
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.services.schedules import NewSchedule, Schedules, When
from chatflow_jupyter.services.waivers import NewWaiver
from tests.services.world import LINEAR, CountedIds, World, run

ANN = Principal("ann")
GATED = """\
name: gated
automation_level: 100
phases:
  - {name: draft, notebook: one.ipynb}
  - {name: publish, notebook: one.ipynb, gate: {approvers: [ann], waivable: true}}
"""
HELD = "it must be refused by no gate"


async def acts(world: World, tenant_id: str = LOCAL_TENANT) -> list[Act]:
    """What was recorded, the first act first; the chain is whole."""
    assert (await Audits(world.storage).verify(LOCAL_TENANT)).fault is None
    rows = await world.storage.audit(LOCAL_TENANT, AuditFilter(limit=1000))
    return [row.act for row in reversed(rows)]


@dataclass(kw_only=True)
class Office:
    """A world with everything people can change, in which somebody has begun."""

    world: World

    def __post_init__(self) -> None:
        world = self.world
        self.schedules = Schedules(world.storage, world.clock, CountedIds())
        self.firing = Firing(world.storage, world.orchestrator, world.definitions, world.clock, None)

    async def waiting(self) -> Instance:
        """An instance that waits for ann."""
        made = await self.world.new(GATED)
        return await self.world.work_on(made.instance_id)

    async def failed(self) -> Instance:
        made = await self.world.new(LINEAR)
        await self.world.end(await self.world.must_lease(), failure="broken")
        return await self.world.now(made.instance_id)

    async def undoable(self) -> Instance:
        definition = LINEAR.replace("notebook: one.ipynb}", "notebook: one.ipynb, compensate: one.ipynb}")
        made = await self.world.new(definition)
        await self.world.end(await self.world.must_lease())
        return await self.world.now(made.instance_id)

    async def create(self, *, start: bool) -> object:
        folder = self.world.template("made", LINEAR)
        record = await self.world.definitions.publish_folder(folder, LOCAL_TENANT)
        new = NewInstance(record=record, context={"secret": HELD}, principal=ANN, start=start)
        return await self.world.orchestrator.create(new, key="c")

    async def answer(self, decision: str | None, instance: Instance, **more: object) -> object:
        request = Trigger(principal=ANN, decision=decision, data={"s": HELD}, claimed=True, **more)  # type: ignore[arg-type]
        return await self.world.orchestrator.trigger(LOCAL_TENANT, instance.instance_id, request, key="k")

    async def schedule(self) -> object:
        folder = self.world.template("made", LINEAR)
        record = await self.world.definitions.publish_folder(folder, LOCAL_TENANT)
        when = When(zone="UTC", cron="0 * * * *")
        new = NewSchedule(
            name="hourly", what="made", record=record, context={"s": HELD}, principal=ANN, when=when
        )
        return await self.schedules.add(new)

    async def version(self) -> object:
        folder = self.world.template("plain", LINEAR.replace("linear", "plain\nversion: 1.0.0"))
        return await self.world.versions.publish(folder, LOCAL_TENANT, ANN)

    async def waiver(self) -> object:
        self.world.template("made", GATED.replace("gated", "made"))
        until = self.world.clock.now().replace(year=2026, month=6)
        new = NewWaiver(schema="made", phase="publish", until=until, reason="typos", principal=ANN)
        return await self.world.waivers.add(LOCAL_TENANT, new)


Story = Callable[[Office], Awaitable[object]]


async def _waiver_revoked(office: Office) -> None:
    waiver = await office.waiver()
    for _ in range(2):
        await office.world.waivers.revoke(LOCAL_TENANT, waiver.waiver_id, ANN)  # type: ignore[attr-defined]


async def _version_deprecated(office: Office) -> None:
    await office.version()
    await office.world.versions.deprecate(LOCAL_TENANT, "plain@1.0.0", "old", ANN)


async def _version_back(office: Office) -> None:
    await _version_deprecated(office)
    await office.world.versions.withdraw(LOCAL_TENANT, "plain@1.0.0", ANN)


async def _schedule_changed(office: Office, *names: str) -> None:
    await office.schedule()
    for name in names:
        await getattr(office.schedules, name)(LOCAL_TENANT, "hourly", ANN)


async def _run_now(office: Office) -> None:
    schedule = await office.schedule()
    await office.firing.fire_now(schedule, ANN)  # type: ignore[arg-type]


async def _paused(office: Office, *names: str) -> None:
    instance = await office.waiting()
    for name in names:
        await getattr(office.world.orchestrator, name)(LOCAL_TENANT, instance.instance_id, ANN)


async def _ended(office: Office, *, compensate: bool) -> None:
    instance = await (office.undoable() if compensate else office.waiting())
    await office.world.orchestrator.terminate(
        LOCAL_TENANT, instance.instance_id, ANN, "done with it", compensate=compensate
    )


async def _forked(office: Office) -> None:
    source = await office.waiting()
    new = NewFork(
        tenant_id=LOCAL_TENANT,
        source_id=source.instance_id,
        phase="draft",
        principal=ANN,
        changes={"s": HELD},
    )
    for _ in range(2):
        await office.world.forks.fork(new, key="k")


async def _refused(office: Office) -> None:
    instance = await office.waiting()
    eve = Trigger(principal=Principal("eve"), decision="approve", reason="let me")
    for _ in range(3):
        with pytest.raises(Conflict):
            await office.world.orchestrator.trigger(LOCAL_TENANT, instance.instance_id, eve)


async def _retried(office: Office) -> None:
    await office.answer(None, await office.failed())


async def _answered(office: Office, decision: str) -> None:
    instance = await office.waiting()
    for _ in range(2):
        await office.answer(decision, instance, reason="fine", phase="publish")


async def _begun(office: Office) -> None:
    created = await office.create(start=False)
    await office.answer(None, created)  # type: ignore[arg-type]


async def _handed_in(office: Office) -> None:
    definition = LINEAR.replace("one.ipynb}", "one.ipynb, start: on_trigger}")
    await office.answer(None, await office.world.new(definition))


STORIES: dict[str, tuple[Story, list[str], str]] = {
    "create": (lambda o: o.create(start=False), ["create"], "created"),
    "create and start": (lambda o: o.create(start=True), ["start"], "running"),
    "start what was created": (_begun, ["create", "start"], "running"),
    "fork": (_forked, ["fork"], "running"),
    "hand in data": (_handed_in, ["trigger"], "running"),
    "retry": (_retried, ["retry"], "running"),
    "approve": (lambda o: _answered(o, "approve"), ["approve"], "running"),
    "reject": (lambda o: _answered(o, "reject"), ["reject"], "terminated"),
    "pause": (lambda o: _paused(o, "pause"), ["pause"], "paused"),
    "resume": (lambda o: _paused(o, "pause", "resume"), ["pause", "resume"], "waiting"),
    "terminate": (lambda o: _ended(o, compensate=False), ["terminate"], "terminated"),
    "undo": (lambda o: _ended(o, compensate=True), ["compensate"], "compensating"),
    "publish": (lambda o: o.version(), ["publish"], "published"),
    "deprecate": (_version_deprecated, ["publish", "deprecate"], "deprecated"),
    "undeprecate": (_version_back, ["publish", "deprecate", "undeprecate"], "published"),
    "waive": (lambda o: o.waiver(), ["waive"], "active"),
    "revoke": (_waiver_revoked, ["waive", "revoke"], "revoked"),
    "plan": (lambda o: o.schedule(), ["add"], "active"),
    "pause a schedule": (lambda o: _schedule_changed(o, "pause"), ["add", "pause"], "paused"),
    "resume a schedule": (
        lambda o: _schedule_changed(o, "pause", "resume"),
        ["add", "pause", "resume"],
        "active",
    ),
    "remove a schedule": (lambda o: _schedule_changed(o, "remove"), ["add", "remove"], "removed"),
    "run now": (_run_now, ["add", "run-now"], "started wfi_"),
    "an answer of somebody who is not asked": (_refused, ["approve"], "refused: not_an_approver"),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_somebody_does_is_recorded_once_and_without_what_they_handed_in(world: World, name: str) -> None:
    story, verbs, outcome = STORIES[name]

    async def told() -> None:
        await story(Office(world=world))
        recorded = [act for act in await acts(world) if act.principal != LOCAL_PRINCIPAL]
        assert [act.verb for act in recorded] == verbs
        last = recorded[-1]
        assert last.outcome.startswith(outcome)
        assert last.at == world.clock.now()
        assert HELD not in repr(recorded)

    run(told())


def test_an_answer_is_recorded_with_all_that_is_known_of_it(world: World) -> None:
    async def told() -> None:
        instance = await Office(world=world).waiting()
        office = Office(world=world)
        for _ in range(2):
            await office.answer("approve", instance, reason="fine")
        (act,) = [act for act in await acts(world) if act.verb == "approve"]
        stored = await world.storage.stored_answer(LOCAL_TENANT, ANN, "k")
        assert act == Act(
            at=world.clock.now(),
            principal=ANN,
            claimed=True,
            verb="approve",
            kind="instance",
            subject=instance.instance_id,
            about="publish",
            outcome="running",
            reason="fine",
            key="k",
            request_sha256=stored.request_sha256,
        )

    run(told())


def test_the_engine_records_nothing(world: World) -> None:
    async def told() -> None:
        await world.work_on((await world.new()).instance_id)
        office = Office(world=world)
        await office.schedule()
        world.clock.turn(3600)
        assert await office.firing.step()
        assert [act.verb for act in await acts(world)] == ["start", "add"]

    run(told())


def test_a_race_that_was_lost_is_recorded_once_and_a_death_behind_the_commit_leaves_it(world: World) -> None:
    async def told() -> None:
        instance = await Office(world=world).waiting()

        async def meanwhile() -> None:
            await world.orchestrator.pause(LOCAL_TENANT, instance.instance_id, LOCAL_PRINCIPAL)

        world.storage.before_commit = meanwhile
        await world.orchestrator.terminate(LOCAL_TENANT, instance.instance_id, ANN)
        verbs = [act.verb for act in await acts(world)]
        assert verbs == ["start", "pause", "terminate"]
        assert (await world.now(instance.instance_id)).status is Status.TERMINATED

    run(told())


AUDITED = {
    "Orchestrator.create": "create",
    "Orchestrator.bear": "create and start",
    "Orchestrator.trigger": "approve",
    "Orchestrator.pause": "pause",
    "Orchestrator.resume": "resume",
    "Orchestrator.terminate": "terminate",
    "Forks.fork": "fork",
    "Definitions.publish_files": "publish",
    "Versions.publish": "publish",
    "Versions.deprecate": "deprecate",
    "Versions.withdraw": "undeprecate",
    "Waivers.add": "waive",
    "Waivers.revoke": "revoke",
    "Schedules.add": "plan",
    "Schedules.pause": "pause a schedule",
    "Schedules.resume": "resume a schedule",
    "Schedules.remove": "remove a schedule",
    "Firing.fire_now": "run now",
}
"""Each use case that changes something for somebody, and the story that shows that it is recorded."""

ENGINE = "the engine's own work: an event of the instance, or a line in the log of the schedule"
ATTEMPT = "of a running attempt: it stands in the events and artifacts of its instance"
NOBODYS = "removes only what nothing refers to, also by itself; nobody sees a difference"
FOLDER = "keeps what a start was of; the start is recorded, with the version"
READS = "changes nothing"
NOT_AUDITED = {
    "Orchestrator.apply": ENGINE,
    "Orchestrator.create_scheduled": ENGINE,
    "Firing.run": ENGINE,
    "Firing.step": ENGINE,
    "Artifacts.store": ATTEMPT,
    "Artifacts.publish": ATTEMPT,
    "Processing.of_report": ATTEMPT,
    "Hooks.before": ATTEMPT,
    "Hooks.process": ATTEMPT,
    "Hooks.after": ATTEMPT,
    "Artifacts.collect": NOBODYS,
    "Artifacts.collect_uploads": NOBODYS,
    "Upkeep.run": NOBODYS,
    "Upkeep.remove_all": NOBODYS,
    "Definitions.resolve": FOLDER,
    "Definitions.publish_folder": FOLDER,
    "Advice.feature_status": READS,
    "Advice.recommend_next_phase": READS,
    "Artifacts.bundle_files": READS,
    "Artifacts.bundled": READS,
    "Artifacts.fetch": READS,
    "Artifacts.fetch_bytes": READS,
    "Artifacts.is_there": READS,
    "Artifacts.tenants": READS,
    "Artifacts.unpack_bundle": READS,
    "Audits.listed": READS,
    "Audits.verify": READS,
    "Comparisons.compare": READS,
    "Definitions.all": READS,
    "Definitions.look_up": READS,
    "Definitions.pins_of": READS,
    "Orchestrator.left_sec": READS,
    "Orchestrator.preview": READS,
    "Queries.artifacts": READS,
    "Queries.attempts": READS,
    "Queries.deadline": READS,
    "Queries.definition": READS,
    "Queries.events": READS,
    "Queries.fetch_artifact": READS,
    "Queries.find": READS,
    "Queries.gate": READS,
    "Queries.history": READS,
    "Queries.instance": READS,
    "Queries.instances": READS,
    "Queries.last_event": READS,
    "Queries.running_attempts": READS,
    "Queries.state": READS,
    "Queries.status_info": READS,
    "Queries.termination": READS,
    "Queries.tree": READS,
    "Queries.tree_status": READS,
    "Schedules.all": READS,
    "Schedules.log": READS,
    "Schedules.log_since": READS,
    "Schedules.named": READS,
    "Versions.all": READS,
    "Versions.deprecated": READS,
    "Versions.deprecation_of": READS,
    "Waivers.all": READS,
}
"""Each other one, and why nothing is recorded of it."""


def test_every_use_case_is_recorded_or_it_is_said_why_not() -> None:
    assert sorted([*AUDITED, *NOT_AUDITED]) == sorted(_use_cases())
    assert set(AUDITED.values()) <= set(STORIES)


def _use_cases() -> set[str]:
    """Every public coroutine of what clients are given."""
    hints = get_type_hints(ChatFlow, localns={"Engine": Engine})
    given = {each for each in hints.values() if inspect.isclass(each)}
    services = {each for each in given if each.__module__.startswith("chatflow_jupyter.services.")} | {Firing}
    return {
        f"{service.__name__}.{name}"
        for service in services
        for name, _ in inspect.getmembers(service, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
