"""Gates as the services see them: clocks, waivers, several people, and what was shown to them."""

from datetime import timedelta

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput
from chatflow_jupyter.domain.gates import MAX_VOTE_BYTES
from chatflow_jupyter.domain.ids import LOCAL_TENANT, Principal, Sha256, WaiverId
from chatflow_jupyter.domain.instance import Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.ports.records import Waiver
from tests.services.world import World, run

BOARD = """\
name: board
automation_level: 100
phases:
  - {name: draft, notebook: one.ipynb}
  - name: sign
    notebook: one.ipynb
    gate:
      approvers: [ann, bob]
      quorum: 2
      expires_sec: 60
      on_expire: escalate
      escalate_to: ["verb:admin"]
      on_reject: {goto: shelve}
    next: [{to: end}]
  - {name: shelve, notebook: one.ipynb}
"""
WAIVABLE = """\
name: release
automation_level: 100
phases:
  - {name: publish, notebook: one.ipynb, gate: {waivable: true}}
"""


async def answer(
    world: World, instance: Instance, who: str, decision: str = "approve", **more: object
) -> None:
    request = Trigger(principal=Principal(who), decision=decision, **more)  # type: ignore[arg-type]
    await world.orchestrator.trigger(LOCAL_TENANT, instance.instance_id, request)


async def at_the_board(world: World) -> Instance:
    """Return an instance whose draft is stored as an artifact and waits for two signatures."""
    instance = await world.new(BOARD)
    lease = await world.must_lease()
    await put(world, lease.attempt.attempt_id, lease.attempt.fence, "first")
    await world.end(lease)
    return await world.now(instance.instance_id)


async def put(world: World, attempt_id: str, fence: int, text: str) -> None:
    source = world.folder / "draft.txt"
    source.write_text(text)
    await world.execution.put_artifact(attempt_id, fence, name="draft.txt", kind="data", source=source)  # type: ignore[arg-type]


async def take_away(world: World, instance: Instance) -> None:
    """Delete the artifact that was shown, as a person may."""
    (record,) = await world.storage.artifacts(LOCAL_TENANT, instance.instance_id)
    now = world.clock.now()
    await world.storage.set_artifact_deleted(LOCAL_TENANT, record.attempt_id, record.name, now)


async def waive(world: World, *, for_sec: float = 60) -> None:
    now = world.clock.now()
    await world.storage.save_waiver(
        Waiver(
            tenant_id=LOCAL_TENANT,
            waiver_id=WaiverId("wvr_1"),
            name="release",
            phase="publish",
            feature_id=None,
            principal=Principal("ann"),
            reason="only typos",
            created_at=now,
            expires_at=now + timedelta(seconds=for_sec),
        )
    )


def test_two_people_open_a_gate_that_asks_two(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        await answer(world, instance, "ann")
        await answer(world, instance, "ann")
        assert (await world.now(instance.instance_id)).waiting_reason is WaitingReason.APPROVAL
        await answer(world, instance, "bob")
        assert (await world.work_on(instance.instance_id)).status is Status.COMPLETED
        votes = await world.storage.votes(LOCAL_TENANT, instance.instance_id)
        assert [vote.principal for vote in votes] == ["ann", "ann", "bob"]

    run(story())


def test_an_answer_to_what_has_changed_since_is_void(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        await answer(world, instance, "ann")
        await take_away(world, instance)
        await answer(world, instance, "bob")
        standing = await world.now(instance.instance_id)
        assert standing.gate is not None
        assert [vote.principal for vote in standing.gate.votes] == ["bob"]
        assert "GateVoided" in await world.types(instance.instance_id)
        await answer(world, instance, "ann")
        assert (await world.now(instance.instance_id)).status is Status.RUNNING

    run(story())


def test_whoever_saw_something_else_is_told_to_look_again(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        with pytest.raises(Conflict, match="look again"):
            await answer(world, instance, "ann", seen=Sha256("0" * 64))
        assert await world.storage.votes(LOCAL_TENANT, instance.instance_id) == ()

    run(story())


def test_people_are_asked_again_when_it_changes_before_the_phase_begins(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        for who in ("ann", "bob"):
            await answer(world, instance, who)
        await take_away(world, instance)
        assert await world.lease() is None
        standing = await world.now(instance.instance_id)
        assert (standing.waiting_reason, standing.attempt) == (WaitingReason.APPROVAL, None)
        for who in ("ann", "bob"):
            await answer(world, instance, who)
        assert (await world.work_on(instance.instance_id)).status is Status.COMPLETED

    run(story())


def test_what_was_seen_as_nothing_is_looked_at_again_before_the_phase_begins(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        await take_away(world, instance)
        for who in ("ann", "bob"):
            await answer(world, instance, who)
        assert (await world.now(instance.instance_id)).status is Status.RUNNING
        (record,) = await world.storage.artifacts(LOCAL_TENANT, instance.instance_id, include_deleted=True)
        await world.storage.set_artifact_deleted(LOCAL_TENANT, record.attempt_id, record.name, None)
        assert await world.lease() is None
        assert (await world.now(instance.instance_id)).waiting_reason is WaitingReason.APPROVAL

    run(story())


def test_approvals_agree_only_on_the_same_data(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        await answer(world, instance, "ann", data={"amount": 10})
        await answer(world, instance, "bob", data={"amount": 1_000_000})
        waiting = await world.now(instance.instance_id)
        assert waiting.waiting_reason is WaitingReason.APPROVAL
        assert "1 of 2 approvals (2 in all, with different data)" in str(waiting.waiting_detail)
        await answer(world, instance, "bob", data={"amount": 10})
        agreed = await world.now(instance.instance_id)
        assert (agreed.status, agreed.variables["trigger"]) == (Status.RUNNING, {"amount": 10})

    run(story())


def test_the_data_of_a_void_approval_is_taken_back(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        for who in ("ann", "bob"):
            await answer(world, instance, who, data={"amount": 10})
        await take_away(world, instance)
        assert await world.lease() is None
        assert (await world.now(instance.instance_id)).variables["trigger"] == {}
        for who in ("ann", "bob"):
            await answer(world, instance, who)
        assert (await world.must_lease()).variables["trigger"] == {}

    run(story())


def test_what_was_seen_at_another_gate_is_not_what_there_is_to_see(world: World) -> None:
    async def story() -> None:
        first, second = await at_the_board(world), await at_the_board(world)
        await answer(world, first, "ann")
        (vote,) = await world.storage.votes(LOCAL_TENANT, first.instance_id)
        await answer(world, first, "ann", seen=vote.shown)
        with pytest.raises(Conflict, match="look again"):
            await answer(world, second, "ann", seen=vote.shown)

    run(story())


def test_an_answer_carries_no_more_than_a_waiting_instance_can_hold(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        with pytest.raises(InvalidInput, match="an answer may carry"):
            await answer(world, instance, "ann", data={"text": "x" * MAX_VOTE_BYTES})
        await answer(world, instance, "ann", data={"text": "x" * (MAX_VOTE_BYTES - 11)})

    run(story())


def test_nobody_else_may_answer(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        with pytest.raises(Conflict, match="may not answer it; it asks ann, bob") as refused:
            await answer(world, instance, "cyd", verbs=frozenset({"admin"}))
        assert refused.value.code == "not_an_approver"

    run(story())


def test_a_gate_that_passed_takes_no_answer_meant_for_it(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        with pytest.raises(Conflict) as refused:
            await answer(world, instance, "ann", phase="draft")
        assert refused.value.code == "gate_passed"

    run(story())


def test_an_expired_gate_asks_further_people_and_then_rejects(world: World) -> None:
    async def story() -> None:
        instance = await at_the_board(world)
        await answer(world, instance, "ann")
        world.clock.turn(61)
        await world.dispatcher.step()
        await answer(world, instance, "cyd", verbs=frozenset({"admin"}))
        assert (await world.work_on(instance.instance_id)).status is Status.COMPLETED
        other = await at_the_board(world)
        for _ in range(2):
            world.clock.turn(61)
            await world.dispatcher.step()
        ended = await world.work_on(other.instance_id)
        assert ended.status is Status.COMPLETED
        assert (ended.phases["sign"].state, ended.phases["shelve"].state) == ("skipped", "succeeded")

    run(story())


def test_a_waived_gate_opens_by_itself_until_the_waiver_expires(world: World) -> None:
    async def story() -> None:
        await waive(world)
        first = await world.new(WAIVABLE)
        assert (await world.work_on(first.instance_id)).status is Status.COMPLETED
        answered = (await world.now(first.instance_id)).phases["publish"].gate
        assert answered is not None
        assert (answered.by, answered.principals, answered.reason) == ("waiver", ("ann",), "only typos")
        world.clock.turn(61)
        second = await world.new(WAIVABLE)
        assert (await world.work_on(second.instance_id)).waiting_reason is WaitingReason.APPROVAL
        assert await world.storage.continuations() == ()

    run(story())


def test_a_paused_gate_is_opened_by_its_waiver_once_it_goes_on(world: World) -> None:
    async def story() -> None:
        await waive(world)
        instance = await world.new(WAIVABLE)
        await world.orchestrator.pause(LOCAL_TENANT, instance.instance_id, Principal("ann"))
        assert (await world.work_on(instance.instance_id)).paused
        await world.orchestrator.resume(LOCAL_TENANT, instance.instance_id, Principal("ann"))
        assert (await world.work_on(instance.instance_id)).status is Status.COMPLETED

    run(story())


@pytest.mark.parametrize("read", ["late", "again after a pause"])
def test_a_waiver_given_while_people_are_asked_opens_nothing(world: World, read: str) -> None:
    async def story() -> None:
        instance = await world.new(WAIVABLE)
        world.clock.turn(1)
        await waive(world)
        if read != "late":
            await world.work_on(instance.instance_id)
            await world.orchestrator.pause(LOCAL_TENANT, instance.instance_id, Principal("ann"))
            await world.orchestrator.resume(LOCAL_TENANT, instance.instance_id, Principal("ann"))
        assert len(await world.storage.continuations()) == 1
        assert (await world.work_on(instance.instance_id)).waiting_reason is WaitingReason.APPROVAL
        assert await world.storage.continuations() == ()

    run(story())
