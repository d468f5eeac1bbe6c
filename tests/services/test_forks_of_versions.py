"""Forks that go on with another version of the definition."""

import pytest

from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.ids import LOCAL_TENANT
from chatflow_jupyter.domain.instance import WaitingReason
from chatflow_jupyter.ports.records import DefinitionRecord
from tests.services.forking import STORY, fork, refusal, told
from tests.services.world import LEAF, NOTEBOOK, World, run


async def published(
    world: World, definition: str, notebook: str = NOTEBOOK, leaf: str = LEAF
) -> DefinitionRecord:
    folder = world.template("other", definition, leaf__yaml=leaf, two__ipynb=notebook)
    return await world.definitions.publish_folder(folder, LOCAL_TENANT)


def test_another_version_goes_on_where_its_earlier_phases_are_the_same(world: World) -> None:
    later = STORY.replace("name: publish, notebook: one", "name: publish, notebook: two")

    async def story() -> None:
        source = await told(world)
        record = await published(world, later)
        made = await fork(world, source, "publish", record=record)
        assert made.definition == record.reference
        assert (await world.must_lease()).notebook == "two.ipynb"

    run(story())


@pytest.mark.parametrize(
    ("definition", "leaf", "said"),
    [
        (
            STORY.replace("check, notebook: one", "check, notebook: two"),
            LEAF,
            "`notebook` of its phase check",
        ),
        (STORY.replace("{name: collect,", "{name: gather,"), LEAF, "it has no phase collect"),
        (STORY.replace("items: [a, b]", "items: [a]"), LEAF, "`children` of its phase files"),
        (STORY, LEAF.replace("look", "stare"), "the child ./leaf.yaml of its phase files"),
        (STORY.replace("{name: publish,", "{name: print,"), LEAF, "it has no phase publish"),
        (
            STORY.replace("{name: wait,", "{name: wait, parameters: {x: 1},"),
            LEAF,
            "`parameters` of its phase wait",
        ),
    ],
)
def test_another_version_whose_earlier_phases_differ_is_refused(
    world: World, definition: str, leaf: str, said: str
) -> None:
    async def story() -> None:
        source = await told(world)
        record = await published(world, definition, leaf=leaf)
        error = await refusal(world, Conflict, source, "publish", record=record)
        assert error.code == "phase_differs"
        assert said in error.message

    run(story())


def test_an_earlier_phase_with_other_bytes_of_its_notebook_is_refused(world: World) -> None:
    async def story() -> None:
        source = await told(world)
        folder = world.template("other", STORY, leaf__yaml=LEAF)
        (folder / "one.ipynb").write_text(NOTEBOOK.replace('"source": ""', '"source": "more"'))
        record = await world.definitions.publish_folder(folder, LOCAL_TENANT)
        error = await refusal(world, Conflict, source, "publish", record=record)
        assert "the notebook one.ipynb of its phase collect differs" in error.message
        assert (await fork(world, source, "collect", record=record)).definition == record.reference

    run(story())


GOVERNED = """\
name: governed
automation_level: 100
parameters: {type: object, properties: {amount: {type: integer}}}
phases:
  - {name: check, notebook: one.ipynb, run_as: tenant}
  - name: pay
    notebook: one.ipynb
    gate: {governed: true, auto: {field: check.ok, operator: "==", value: true}}
"""


def test_what_the_tenant_said_about_other_parameters_opens_no_governed_gate(world: World) -> None:
    async def story() -> None:
        source = await world.new(GOVERNED, context={"amount": 1})
        await world.end(await world.must_lease(), ok=True)
        assert (await fork(world, source, "pay")).waiting_reason is None
        made = await fork(world, source, "pay", changes={"amount": 1_000_000})
        assert made.waiting_reason is WaitingReason.APPROVAL
        record = await published(world, GOVERNED + "  - {name: tell, notebook: two.ipynb}\n")
        elsewhere = await fork(world, source, "pay", record=record)
        assert elsewhere.waiting_reason is WaitingReason.APPROVAL

    run(story())
