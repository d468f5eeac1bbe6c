"""Publishing for good, what a bare name means, and versions that are not to be started any more."""

from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.domain.errors import (
    ChatFlowError,
    Conflict,
    InvalidDefinition,
    InvalidInput,
    NotFound,
)
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.services.versions import KnownVersion, Published
from tests.services.world import LEAF, LINEAR, NOTEBOOK, TREE, World, run

VERSIONED = LINEAR.replace("name: linear\n", "name: linear\nversion: 1.2.0\n")
FAMILY = TREE.replace("name: tree\n", "name: tree\nversion: 1.0.0\n")


def elsewhere(world: World, version: str = "1.2.0", **more: str) -> Path:
    """A template folder that is not on the template path any more: its name means what is published."""
    folder = world.template("made", VERSIONED.replace("1.2.0", version), **more)
    return folder.rename(world.folder / f"v{version}")


def publish(world: World, folder: Path) -> Published:
    return run(world.versions.publish(folder, LOCAL_TENANT, LOCAL_PRINCIPAL))


def refusal(story: Any, kind: type[ChatFlowError]) -> ChatFlowError:
    with pytest.raises(kind) as caught:
        run(story)
    return caught.value


def schema_id(world: World, named: str) -> str:
    return run(world.definitions.resolve(named, LOCAL_TENANT)).reference.schema_id


def listed(world: World, name: str | None = None) -> list[KnownVersion]:
    return list(run(world.versions.all(LOCAL_TENANT, name)))


def deprecate(world: World, version: str, reason: str = "it loses rows") -> KnownVersion:
    return run(world.versions.deprecate(LOCAL_TENANT, version, reason, LOCAL_PRINCIPAL))


def test_a_folder_is_published_under_its_version_and_again_changes_nothing(world: World) -> None:
    folder = elsewhere(world)
    first = publish(world, folder)
    world.clock.turn(60)
    again = publish(world, folder)
    assert (first.record.reference.schema_id, first.is_new) == ("linear@1.2.0", True)
    assert (again.record, again.is_new) == (first.record, False)


def test_other_content_is_refused_and_what_differs_is_named(world: World) -> None:
    folder = elsewhere(world, more__txt="x", gone__txt="y")
    before = publish(world, folder).record
    (folder / "one.ipynb").write_text(NOTEBOOK.replace('"source": ""', '"source": "more"'))
    (folder / "gone.txt").rename(folder / "new.txt")
    error = refusal(world.versions.publish(folder, LOCAL_TENANT, LOCAL_PRINCIPAL), Conflict)
    assert (error.code, error.exit_status) == ("version_exists", 7)
    assert "linear@1.2.0 is published with other content" in error.message
    assert "(changed: one.ipynb; added: new.txt; removed: gone.txt)" in error.message
    assert error.message.endswith(f"raise `version` in {folder}/definition.yaml:2")
    assert run(world.definitions.resolve("linear@1.2.0", LOCAL_TENANT)) == before


def test_a_child_that_is_pinned_to_another_version_is_named(world: World) -> None:
    world.template("leaf", LEAF)
    folder = world.template("tree", FAMILY.replace("./leaf.yaml", "leaf"))
    publish(world, folder)
    world.template("leaf", LEAF.replace("look", "stare"))
    message = refusal(world.versions.publish(folder, LOCAL_TENANT, LOCAL_PRINCIPAL), Conflict).message
    assert "(pins: leaf@0.0.0+dev." in message


def test_every_fault_is_told_at_once_with_file_and_line_and_nothing_is_published(world: World) -> None:
    folder = world.template(
        "made", FAMILY.replace("on_failure: fail", "on_failure: never"), leaf__yaml="x: 1"
    )
    (folder / "definition.yaml").write_text((folder / "definition.yaml").read_text() + "colour: blue\n")
    error = refusal(world.versions.publish(folder, LOCAL_TENANT, LOCAL_PRINCIPAL), InvalidDefinition)
    assert isinstance(error, InvalidDefinition)
    assert len(error.problems) >= 2
    assert all(problem.startswith(f"{folder}/definition.yaml:") for problem in error.problems)
    assert listed(world) == []


@pytest.mark.parametrize(
    ("line", "number", "said"),
    [
        ("", 1, "version: is missing"),
        ("version: 1.0.0+mine\n", 2, "version: 1.0.0+mine cannot be published"),
        ("version: 01.0.0\n", 2, "version: 01.0.0 cannot be published"),
        (f"version: {'9' * 40}.0.0\n", 2, "cannot be published: write three numbers"),
    ],
)
def test_only_three_numbers_that_are_written_are_a_version_to_publish(
    world: World, line: str, number: int, said: str
) -> None:
    folder = world.template("made", VERSIONED.replace("version: 1.2.0\n", line))
    (problem,) = refusal(
        world.versions.publish(folder, LOCAL_TENANT, LOCAL_PRINCIPAL), InvalidDefinition
    ).message.splitlines()
    assert problem.startswith(f"{folder}/definition.yaml:{number}: ")
    assert said in problem
    assert listed(world) == []


def test_children_in_files_are_published_with_their_parent_and_pinned(world: World) -> None:
    folder = world.template("made", FAMILY, leaf__yaml=LEAF)
    record = publish(world, folder).record
    pin = record.pins["./leaf.yaml"]
    assert run(world.storage.definition(LOCAL_TENANT, pin.name, pin.version)).reference == pin
    assert pin.version.startswith("0.0.0+dev.")


def test_a_name_means_the_newest_version_by_its_numbers_and_not_by_time(world: World) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        publish(world, elsewhere(world, version))
        world.clock.turn(60)
    run(
        world.definitions.publish_folder(world.folder / "v1.2.0", LOCAL_TENANT)
    )  # run once more, from its folder
    assert schema_id(world, "linear") == "linear@1.10.0"
    assert schema_id(world, "linear@1.2.0") == "linear@1.2.0"
    versions = [version.record.reference.version for version in listed(world, "linear")]
    assert versions[:3] == ["1.10.0", "1.9.0", "1.2.0"]
    assert versions[3].startswith("1.2.0+dev.")


def test_a_template_of_that_name_on_the_path_comes_first(world: World) -> None:
    publish(world, elsewhere(world, "2.0.0"))
    world.template("made", VERSIONED)
    assert schema_id(world, "linear").startswith("linear@1.2.0+dev.")


def test_a_deprecated_version_is_not_what_its_name_means(world: World) -> None:
    for version in ("1.0.0", "2.0.0"):
        publish(world, elsewhere(world, version))
    known = deprecate(world, "linear@2.0.0")
    assert known.deprecation is not None
    assert (known.deprecation.reason, known.deprecation.principal) == ("it loses rows", LOCAL_PRINCIPAL)
    assert known.deprecation.deprecated_at == world.clock.now()
    assert schema_id(world, "linear") == "linear@1.0.0"
    assert schema_id(world, "linear@2.0.0") == "linear@2.0.0"
    deprecate(world, "linear@1.0.0", "old")
    error = refusal(world.definitions.resolve("linear", LOCAL_TENANT), Conflict)
    assert (error.code, error.exit_status) == ("deprecated", 7)
    assert "linear@2.0.0, because: it loses rows" in error.message
    run(world.versions.withdraw(LOCAL_TENANT, "linear@1.0.0", LOCAL_PRINCIPAL))
    assert schema_id(world, "linear") == "linear@1.0.0"
    assert [version.deprecation is None for version in listed(world, "linear")] == [False, True]


def test_what_runs_on_a_deprecated_version_goes_on_and_so_do_children_pinned_to_it(world: World) -> None:
    publish(world, elsewhere(world, "1.0.0"))
    folder = world.template("tree", FAMILY.replace("./leaf.yaml", "linear"))
    parent = publish(world, folder).record

    async def story() -> None:
        running = await world.orchestrator.create(
            NewInstance(record=parent, context={}, principal=LOCAL_PRINCIPAL, start=True)
        )
        await world.versions.deprecate(LOCAL_TENANT, "linear@1.0.0", "old", LOCAL_PRINCIPAL)
        ended = await world.work_on(running.instance_id)
        assert ended.status == "completed"
        assert ended.descendants == 3

    run(story())
    assert parent.pins["linear"].schema_id == "linear@1.0.0"
    error = refusal(
        world.versions.publish(folder.rename(world.folder / "again"), LOCAL_TENANT, LOCAL_PRINCIPAL), Conflict
    )
    assert error.code == "deprecated"  # nobody new is pinned to it by its bare name


def test_how_many_instances_a_version_has(world: World) -> None:
    record = publish(world, elsewhere(world)).record

    async def story() -> None:
        wanted = NewInstance(record=record, context={}, principal=LOCAL_PRINCIPAL, start=True)
        for _ in range(3):
            last = await world.orchestrator.create(wanted)
        await world.orchestrator.terminate(LOCAL_TENANT, last.instance_id, LOCAL_PRINCIPAL)

    run(story())
    (known,) = listed(world, "linear")
    assert (known.use.instances, known.use.unfinished) == (3, 2)


@pytest.mark.parametrize("named", ["linear", "linear@1.2.0+dev.12345678", "./linear@1.2.0"])
def test_only_a_plain_version_that_is_named_exactly_is_deprecated(world: World, named: str) -> None:
    publish(world, elsewhere(world))
    story = world.versions.deprecate(LOCAL_TENANT, named, "old", LOCAL_PRINCIPAL)
    assert "name a published version exactly" in refusal(story, InvalidInput).message


def test_unknown_versions_and_empty_reasons_are_refused(world: World) -> None:
    publish(world, elsewhere(world))
    gone = world.versions.deprecate(LOCAL_TENANT, "linear@9.0.0", "old", LOCAL_PRINCIPAL)
    assert "there are linear@1.2.0" in refusal(gone, NotFound).message
    empty = world.versions.deprecate(LOCAL_TENANT, "linear@1.2.0", " ", LOCAL_PRINCIPAL)
    assert "--reason" in refusal(empty, InvalidInput).message
    unheard = world.versions.withdraw(LOCAL_TENANT, "linear@1.2.0", LOCAL_PRINCIPAL)
    assert "linear@1.2.0 is not deprecated" in refusal(unheard, NotFound).message
    assert (
        "nothing is published under that name"
        in refusal(world.versions.all(LOCAL_TENANT, "qqq"), NotFound).message
    )


def test_an_alias_names_the_versions_of_one_definition(world: World) -> None:
    aliased = VERSIONED.replace("1.2.0", "1.2.0\naliases: [line]")
    publish(world, world.template("made", aliased).rename(world.folder / "one"))
    named_so = VERSIONED.replace("name: linear", "name: line").replace("1.2.0", "0.1.0")
    assert schema_id(world, "line") == "linear@1.2.0"
    publish(world, world.template("made", named_so).rename(world.folder / "two"))
    assert schema_id(world, "line") == "line@0.1.0"  # a name wins over an alias
