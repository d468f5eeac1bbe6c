"""What an answer to a gate may be: who is meant by a name, how long a reason is, what a refusal says."""

import pytest

from chatflow_jupyter.domain.errors import Conflict, InvalidInput
from chatflow_jupyter.domain.gates import MAX_NAMED, MAX_REASON
from chatflow_jupyter.domain.instance import Status
from tests.services.test_gate_now import vote
from tests.services.world import World, run

ASKED = "name: asked\nautomation_level: 100\nphases:\n  - {name: one, notebook: one.ipynb, gate: {%s}}\n"


def test_nobody_passes_for_everybody_with_a_verb_by_being_called_like_it(world: World) -> None:
    async def story() -> None:
        instance = await world.new(ASKED % "approvers: ['verb:admin', ann]")
        with pytest.raises(Conflict, match="verb:admin may not answer it") as caught:
            await vote(world, instance, "verb:admin")
        assert caught.value.code == "not_an_approver"
        assert await world.now(instance.instance_id) == instance
        assert (await vote(world, instance, "ann")).status is Status.RUNNING

    run(story())


def test_a_refusal_names_the_first_of_very_many_who_are_asked(world: World) -> None:
    names = [f"person{number}" for number in range(MAX_NAMED + 3)]

    async def story() -> None:
        few = await world.new(ASKED % f"approvers: [{', '.join(names[:MAX_NAMED])}]")
        with pytest.raises(Conflict, match=rf"it asks {', '.join(names[:MAX_NAMED])}$"):
            await vote(world, few, "eve")
        many = await world.new(ASKED % f"approvers: [{', '.join(names)}]")
        with pytest.raises(Conflict, match=rf"it asks {', '.join(names[:MAX_NAMED])} and 3 more$"):
            await vote(world, many, "eve")

    run(story())


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_reason_that_is_a_book_is_refused_and_one_that_just_fits_is_kept(
    world: World, decision: str
) -> None:
    async def story() -> None:
        instance = await world.new(ASKED % "quorum: 2")
        with pytest.raises(InvalidInput, match="reason: 1001 characters are more than 1000"):
            await vote(world, instance, "ann", decision, reason="x" * (MAX_REASON + 1))
        assert await world.now(instance.instance_id) == instance
        answered = await vote(world, instance, "ann", decision, reason="x" * MAX_REASON)
        assert answered.gate is not None
        assert [len(each.reason or "") for each in answered.gate.votes] == [MAX_REASON]

    run(story())
