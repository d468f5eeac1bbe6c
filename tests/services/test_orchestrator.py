"""One change at a time: idempotency keys, races, and what a refusal leaves behind."""

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput, KeyReused, NotFound
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, TenantId
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.ports.records import InstanceFilter
from tests.services.world import TREE, ProcessDied, World, run

GATED = """\
name: gated
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb, gate: {title: "Go on?"}}
"""

TWO_GATES = """\
name: two-gates
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb, gate: {}}
  - {name: two, notebook: one.ipynb, gate: {}}
"""


def test_a_key_starts_one_instance_however_often_it_is_sent(world: World) -> None:
    async def story() -> None:
        first = await world.new(key="k", context={"x": 1})
        world.clock.turn(3600)
        again = await world.new(key="k", context={"x": 1})
        assert again.instance_id == first.instance_id
        assert len(await world.storage.instances(LOCAL_TENANT, InstanceFilter())) == 1

    run(story())


def test_a_key_with_another_request_is_refused_and_starts_nothing(world: World) -> None:
    async def story() -> None:
        await world.new(key="k", context={"x": 1})
        with pytest.raises(KeyReused, match="k"):
            await world.new(key="k", context={"x": 2})
        assert len(await world.storage.instances(LOCAL_TENANT, InstanceFilter())) == 1

    run(story())


def test_of_two_creations_with_one_key_at_once_the_loser_gets_the_winners_instance(world: World) -> None:
    async def story() -> None:
        winner = []

        async def somebody_else() -> None:
            winner.append(await world.new(key="k"))

        world.storage.before_commit = somebody_else
        loser = await world.new(key="k")
        assert loser.instance_id == winner[0].instance_id

    run(story())


def test_a_created_instance_is_found_again_after_a_death_between_commit_and_answer(world: World) -> None:
    async def story() -> None:
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await world.new(key="k")
        again = await world.new(key="k")
        assert (await world.types(again.instance_id)).count("InstanceStarted") == 1
        assert len(await world.storage.instances(LOCAL_TENANT, InstanceFilter())) == 1

    run(story())


def test_an_approval_sent_twice_with_one_key_counts_once_and_is_answered_alike(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)
        first = await world.trigger(instance.instance_id, decision="approve", key="yes")
        second = await world.trigger(instance.instance_id, decision="approve", key="yes")
        assert first == second
        assert first["status"] == "running"
        assert (await world.types(instance.instance_id)).count("GateDecided") == 1

    run(story())


def test_a_key_sent_again_once_the_instance_went_on_counts_once(world: World) -> None:
    async def story() -> None:
        instance = await world.new(TWO_GATES)
        first = await world.trigger(instance.instance_id, decision="approve", key="yes")
        await world.end(await world.must_lease())
        assert (await world.now(instance.instance_id)).phase == "two"
        assert await world.trigger(instance.instance_id, decision="approve", key="yes") == first
        assert (await world.types(instance.instance_id)).count("GateDecided") == 1

    run(story())


def test_a_key_that_cannot_be_one_changes_nothing(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)
        for key in ("", "k" * 256):
            with pytest.raises(InvalidInput, match="1 to 255"):
                await world.trigger(instance.instance_id, decision="approve", key=key)
        assert (await world.now(instance.instance_id)).status is Status.WAITING

    run(story())


def test_what_is_remembered_refuses_nobody(world: World) -> None:
    async def story() -> None:
        instance = await world.new(TWO_GATES)
        await world.trigger(instance.instance_id, decision="approve")
        world.storage.remembered[instance.instance_id] = await world.now(instance.instance_id)
        await world.end(await world.must_lease())
        answer = await world.trigger(instance.instance_id, decision="approve")  # remembered: running
        assert answer["status"] == "running"

    run(story())


def test_what_is_remembered_lets_nobody_through(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)
        world.storage.remembered[instance.instance_id] = await world.now(instance.instance_id)
        await world.trigger(instance.instance_id, decision="approve")
        await world.work_on(instance.instance_id)
        with pytest.raises(Conflict, match="completed"):  # remembered: at the gate
            await world.trigger(instance.instance_id, decision="approve")

    run(story())


def test_a_refused_request_does_not_burn_its_key(world: World) -> None:
    async def story() -> None:
        instance = await world.new()
        with pytest.raises(Conflict, match="no gate is waiting"):
            await world.trigger(instance.instance_id, decision="approve", key="yes")
        assert await world.storage.stored_answer(LOCAL_TENANT, LOCAL_PRINCIPAL, "yes") is None

    run(story())


def test_a_key_is_good_again_after_its_lifetime(world: World) -> None:
    async def story() -> None:
        first = await world.new(key="k")
        world.clock.turn(31 * 86400)
        assert (await world.new(key="k")).instance_id != first.instance_id

    run(story())


def test_a_change_that_came_first_is_taken_into_account(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)

        async def somebody_rejects() -> None:
            await world.trigger(instance.instance_id, decision="reject", reason="not today")

        world.storage.before_commit = somebody_rejects
        with pytest.raises(Conflict, match="terminated"):
            await world.trigger(instance.instance_id, decision="approve")
        assert (await world.types(instance.instance_id)).count("GateDecided") == 1

    run(story())


def test_children_and_parent_are_born_in_one_commit(world: World) -> None:
    async def story() -> None:
        world.storage.die_after_commit = True
        with pytest.raises(ProcessDied):
            await world.new(TREE, key="k")
        root = await world.new(TREE, key="k")
        nodes = await world.storage.tree(LOCAL_TENANT, root.instance_id)
        assert [node.parent.key if node.parent else None for node in nodes] == [None, "files-0", "files-1"]

    run(story())


@pytest.mark.parametrize("key", ["", "x" * 300])
def test_a_key_of_no_use_is_refused(world: World, key: str) -> None:
    with pytest.raises(InvalidInput, match="key"):
        run(world.new(key=key))


def test_a_preview_changes_nothing(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)
        request = Trigger(principal=LOCAL_PRINCIPAL, decision="approve")
        foreseen = await world.orchestrator.preview(LOCAL_TENANT, instance.instance_id, request)
        assert foreseen.instance.status is Status.RUNNING
        assert await world.now(instance.instance_id) == instance

    run(story())


def test_an_unknown_id_and_one_of_another_tenant_are_answered_alike(world: World) -> None:
    async def story() -> None:
        instance = await world.new(GATED)
        told = []
        for tenant, wanted in (
            (TenantId("other"), instance.instance_id),
            (LOCAL_TENANT, InstanceId("wfi_x")),
        ):
            with pytest.raises(NotFound) as caught:
                await world.orchestrator.pause(tenant, wanted, LOCAL_PRINCIPAL)
            told.append(caught.value.message.replace(wanted, "ID"))
        assert told[0] == told[1]

    run(story())


def test_what_a_caller_does_to_its_own_values_later_is_not_stored(world: World) -> None:
    async def story() -> None:
        context: dict[str, JsonValue] = {"files": ["a.py"]}
        outputs: dict[str, JsonValue] = {"high": {"count": 1}}
        instance = await world.new(context=context)
        context["files"].append("b.py")  # type: ignore[union-attr]
        lease = await world.must_lease()
        lease.variables["context"]["files"].append("c.py")  # type: ignore[index,call-overload,union-attr]
        await world.end(lease, **outputs)
        outputs["high"]["count"] = 2  # type: ignore[index,call-overload]
        stored = await world.now(instance.instance_id)
        assert (stored.context, stored.variables["one"]) == ({"files": ["a.py"]}, {"high": {"count": 1}})

    run(story())
