"""An open gate as people see it, answers foreseen, and waivers that hold or do not."""

from datetime import timedelta
from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, VERBS, InstanceId, Principal
from chatflow_jupyter.domain.instance import Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.services.gate_now import GateNow, is_overdue
from chatflow_jupyter.services.waivers import NewWaiver
from tests.services.world import World, run

TWO_OF_THREE = """\
name: release
automation_level: 100
phases:
  - {name: draft, notebook: one.ipynb}
  - name: publish
    notebook: one.ipynb
    gate: {title: Publish?, approvers: [ann, bob, carla], quorum: 2, expires_sec: 60, on_expire: escalate,
           escalate_to: [dora], waivable: true}
    next: [{to: end}]
"""
FILE = "notes.md"


async def at_the_gate(world: World, folder: Path, definition: str = TWO_OF_THREE, **more: object) -> Instance:
    """An instance whose first phase stored a file, and that waits at the gate before the second."""
    instance = await world.new(definition, **more)
    lease = await world.must_lease()
    (folder / FILE).write_text("faster")
    await world.execution.put_artifact(
        lease.attempt.attempt_id, lease.attempt.fence, name=FILE, kind="report", source=folder / FILE
    )
    await world.end(lease)
    return await world.now(instance.instance_id)


async def vote(
    world: World, instance: Instance, name: str, decision: str = "approve", **more: object
) -> Instance:
    """Let somebody answer."""
    request = Trigger(principal=Principal(name), decision=decision, **more)  # type: ignore[arg-type]
    await world.orchestrator.trigger(LOCAL_TENANT, instance.instance_id, request)
    return await world.now(instance.instance_id)


async def delete_the_notes(world: World, instance: Instance) -> None:
    """Take away what people were shown."""
    (notes,) = [
        each
        for each in await world.storage.artifacts(LOCAL_TENANT, instance.instance_id)
        if each.name == FILE
    ]
    await world.storage.set_artifact_deleted(LOCAL_TENANT, notes.attempt_id, FILE, world.clock.now())


async def seen(world: World, instance_id: InstanceId) -> GateNow:
    """The gate as people see it."""
    gate = await world.queries.gate(await world.now(instance_id))
    assert gate is not None
    return gate


def test_a_gate_shows_who_answered_and_who_is_still_asked(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await at_the_gate(world, tmp_path)
        assert (await seen(world, instance.instance_id)).still_asked == ("ann", "bob", "carla")
        await vote(world, instance, "ann", reason="read")
        gate = await seen(world, instance.instance_id)
        assert [(each.principal, each.reason, gate.counts(each)) for each in gate.votes] == [
            ("ann", "read", True)
        ]
        assert gate.still_asked == ("bob", "carla")
        assert gate.somebody_but("local") == "bob"
        assert gate.somebody_but("carla") is None
        done = await vote(world, instance, "bob")
        assert await world.queries.gate(done) is None

    run(story())


def test_a_vote_bound_to_what_was_seen_is_refused_when_that_has_changed(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await at_the_gate(world, tmp_path)
        shown = (await seen(world, instance.instance_id)).shown
        await vote(world, instance, "ann", seen=shown)
        await delete_the_notes(world, instance)
        for ask in (
            vote(world, instance, "bob", seen=shown),
            world.orchestrator.preview(
                LOCAL_TENANT,
                instance.instance_id,
                Trigger(principal=Principal("bob"), decision="approve", seen=shown),
            ),
        ):
            with pytest.raises(Conflict, match="look again") as caught:
                await ask
            assert caught.value.code == "artifacts_changed"
        shown = (await seen(world, instance.instance_id)).shown
        await vote(world, instance, "bob", seen=shown)

    run(story())


def test_what_the_approved_phase_itself_stores_does_not_void_its_approval(
    world: World, tmp_path: Path
) -> None:
    retried = TWO_OF_THREE.replace("next: [{to: end}]", "retries: {max_attempts: 2}")

    async def story() -> None:
        instance = await at_the_gate(world, tmp_path, retried)
        for name in ("ann", "bob"):
            await vote(world, instance, name)
        lease = await world.must_lease()
        await world.execution.put_artifact(
            lease.attempt.attempt_id, lease.attempt.fence, name="new", kind="log", source=tmp_path / FILE
        )
        await world.end(lease, failure="cell_error")
        assert (await world.must_lease()).attempt.number == 2
        assert "GateVoided" not in await world.types(instance.instance_id)

    run(story())


def test_an_answer_for_a_gate_that_was_answered_opens_no_later_one(world: World) -> None:
    gates = (
        "name: gates\nautomation_level: 100\nphases:\n"
        "  - {name: one, notebook: one.ipynb, gate: {}}\n  - {name: two, notebook: one.ipynb, gate: {}}\n"
    )

    async def story() -> None:
        instance = await world.new(gates)
        await vote(world, instance, "ann", phase="one")
        with pytest.raises(Conflict, match="no gate is waiting"):
            await vote(world, instance, "bob", phase="one")
        await world.end(await world.must_lease())
        with pytest.raises(Conflict, match="before one was answered; now the one before two waits") as caught:
            await vote(world, instance, "bob", phase="one")
        assert caught.value.code == "gate_passed"
        assert (await world.now(instance.instance_id)).waiting_reason is WaitingReason.APPROVAL

    run(story())


def test_nobody_else_may_answer_and_a_verb_names_whoever_has_it(world: World) -> None:
    asked = "name: asked\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb, gate: {%s}}\n"

    async def story() -> None:
        named = await world.new(asked % "approvers: [ann]")
        before = await world.types(named.instance_id)
        with pytest.raises(Conflict, match="eve may not answer it; it asks ann") as caught:
            await vote(world, named, "eve", verbs=frozenset(VERBS))
        assert caught.value.code == "not_an_approver"
        assert await world.types(named.instance_id) == before
        anyone = await world.new(asked % "approvers: ['verb:admin']")
        with pytest.raises(Conflict, match="it asks verb:admin"):
            await vote(world, anyone, "eve", verbs=frozenset(("read", "run")))
        gate = await seen(world, anyone.instance_id)
        assert gate.somebody_but("local") is None
        assert (await vote(world, anyone, "eve", verbs=frozenset(VERBS))).status is Status.RUNNING

    run(story())


def test_an_answer_after_the_time_is_over_does_not_come_before_what_the_gate_says(
    world: World, tmp_path: Path
) -> None:
    async def story() -> None:
        instance = await at_the_gate(world, tmp_path)
        await vote(world, instance, "ann")
        world.clock.turn(60)
        for name, decision in (("bob", "approve"), ("bob", "reject"), ("dora", "approve")):
            with pytest.raises(Conflict, match="the time of the gate before publish is over") as caught:
                await vote(world, instance, name, decision)
            assert caught.value.code == "gate_expired"
        while await world.dispatcher.step():
            pass
        assert (await vote(world, instance, "dora")).status is Status.RUNNING

    run(story())


def test_whoever_may_not_answer_this_gate_hears_that_before_what_is_wrong_with_the_data(world: World) -> None:
    number = "{type: object, properties: {n: {type: integer}}, required: [n]}"
    gates = "name: gates\nautomation_level: 100\nphases:\n" + "".join(
        f"  - {{name: {name}, notebook: one.ipynb, gate: {{approvers: [ann], schema: {number}}}}}\n"
        for name in ("one", "two")
    )

    async def story() -> None:
        instance = await world.new(gates)
        with pytest.raises(InvalidInput, match="trigger data"):
            await vote(world, instance, "ann", data={"n": "one"})
        for name, code, more in (("eve", "not_an_approver", {}), ("ann", "gate_passed", {"phase": "zero"})):
            with pytest.raises(Conflict) as caught:
                await vote(world, instance, name, data={"n": "one"}, **more)
            assert caught.value.code == code
        assert (await vote(world, instance, "ann", data={"n": 1})).variables == {"trigger": {"n": 1}}

    run(story())


def test_a_preview_of_a_vote_says_what_it_would_do_and_does_nothing(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await at_the_gate(world, tmp_path)
        await vote(world, instance, "ann")
        answer = Trigger(principal=Principal("bob"), decision="approve")
        foreseen = await world.orchestrator.preview(LOCAL_TENANT, instance.instance_id, answer)
        assert foreseen.instance.status is Status.RUNNING
        assert "GateVoided" not in foreseen.events
        assert len((await seen(world, instance.instance_id)).votes) == 1

    run(story())


def test_a_late_gate_asks_others_as_well_and_then_counts_as_rejected(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        instance = await at_the_gate(world, tmp_path)
        await vote(world, instance, "ann")
        with pytest.raises(Conflict, match="dora may not answer"):
            await vote(world, instance, "dora")
        await world.dispatcher.step()  # it looks for a waiver
        world.clock.turn(59)
        assert not await world.dispatcher.step()
        world.clock.turn(2)
        assert is_overdue(await world.now(instance.instance_id), world.clock.now())
        assert await world.dispatcher.step()
        gate = await seen(world, instance.instance_id)
        assert gate.escalated
        assert gate.approvers == ("ann", "bob", "carla", "dora")
        assert (gate.on_expire, gate.expires_at) == ("reject", world.clock.now() + timedelta(seconds=60))
        assert [each.principal for each in gate.votes] == ["ann"]
        world.clock.turn(61)
        await world.dispatcher.step()
        ended = await world.now(instance.instance_id)
        assert ended.status is Status.TERMINATED
        told = await world.types(instance.instance_id)
        assert (told.count("GateExpired"), told.count("GateEscalated")) == (2, 1)
        assert await world.storage.next_due() is None

    run(story())


async def waived(world: World, **more: object) -> str:
    """Waive the gate for an hour."""
    wanted = {"schema": "release", "phase": "publish", "until": world.clock.now() + timedelta(hours=1)}
    new = NewWaiver(**{**wanted, "reason": "typos only", "principal": LOCAL_PRINCIPAL, **more})
    return (await world.waivers.add(LOCAL_TENANT, new)).waiver_id


@pytest.mark.parametrize("ended", ["revoked", "expired", "of another feature", "given too late"])
def test_a_waiver_that_does_not_hold_opens_nothing(world: World, tmp_path: Path, ended: str) -> None:
    async def story() -> None:
        before = await at_the_gate(world, tmp_path)
        await world.dispatcher.step()
        name = await waived(world, feature_id="F-2" if ended == "of another feature" else None)
        if ended == "revoked":
            await world.waivers.revoke(LOCAL_TENANT, name, LOCAL_PRINCIPAL)
        elif ended == "expired":
            world.clock.turn(3600)
        instance = (
            before if ended == "given too late" else await at_the_gate(world, tmp_path, feature_id="F-1")
        )
        assert len(await world.storage.continuations()) == (ended != "given too late")
        while await world.dispatcher.step():
            pass
        waiting = await world.now(instance.instance_id)
        assert waiting.waiting_reason is WaitingReason.APPROVAL
        assert not await world.storage.continuations()

    run(story())


def test_a_waiver_for_a_feature_opens_the_gates_of_its_instances(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        await at_the_gate(world, tmp_path)
        await waived(world, feature_id="F-1")
        instance = await at_the_gate(world, tmp_path, feature_id="F-1")
        await world.dispatcher.step()
        assert (await world.now(instance.instance_id)).status is Status.RUNNING

    run(story())


def test_a_look_for_a_waiver_by_two_at_once_opens_the_gate_once(world: World, tmp_path: Path) -> None:
    async def story() -> None:
        await at_the_gate(world, tmp_path)
        await waived(world)
        instance = await at_the_gate(world, tmp_path)
        world.storage.before_commit = world.new_dispatcher().step
        await world.dispatcher.step()
        assert (await world.types(instance.instance_id)).count("GateOpened") == 1
        assert not await world.storage.continuations()

    run(story())


@pytest.mark.parametrize(("level", "risk", "asked"), [(60, 59, False), (60, 60, True), (100, 100, False)])
def test_a_waiver_does_not_answer_for_a_risk_that_needs_people(
    world: World, tmp_path: Path, level: int, risk: int, asked: bool
) -> None:
    risky = TWO_OF_THREE.replace("level: 100", f"level: {level}").replace("next:", f"risk: {risk}\n    next:")

    async def story() -> None:
        await at_the_gate(world, tmp_path, risky)
        await waived(world)
        instance = await at_the_gate(world, tmp_path, risky)
        while await world.dispatcher.step():
            pass
        now = await world.now(instance.instance_id)
        assert now.waiting_reason is (WaitingReason.APPROVAL if asked else None)
        assert not await world.storage.continuations()
        if asked:
            approved = await vote(world, await vote(world, instance, "ann"), "bob")
            assert approved.status is Status.RUNNING

    run(story())
