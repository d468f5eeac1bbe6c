"""`IDefinitions`."""

from typing import Any

import pytest

from chatflow_jupyter.domain.errors import Conflict, NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.ports.records import Deprecation, VersionUse
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    ALICE,
    HASH,
    LOCAL,
    NOW,
    OTHER,
    OTHER_HASH,
    born,
    commit_of,
    definition_record,
    later,
    reference,
    step,
)


async def test_a_saved_definition_is_returned_exactly(state_storage: IStateStorage) -> None:
    record = definition_record()
    await state_storage.save_definition(record)
    assert await state_storage.definition(LOCAL, "review", "1.0.0") == record


async def test_the_same_name_version_and_content_again_changes_nothing(state_storage: IStateStorage) -> None:
    await state_storage.save_definition(definition_record())
    await state_storage.save_definition(definition_record(at=later(60)))
    assert (await state_storage.definitions(LOCAL))[0].published_at == definition_record().published_at


async def test_other_content_under_the_same_version_is_a_conflict(state_storage: IStateStorage) -> None:
    await state_storage.save_definition(definition_record())
    with pytest.raises(Conflict) as refused:
        await state_storage.save_definition(definition_record(content_hash=OTHER_HASH))
    assert refused.value.code == "version_exists"
    assert (await state_storage.definition(LOCAL, "review", "1.0.0")).reference.content_hash == HASH


async def test_two_tenants_may_publish_different_content_under_one_version(
    state_storage: IStateStorage,
) -> None:
    await state_storage.save_definition(definition_record())
    await state_storage.save_definition(definition_record(OTHER, content_hash=OTHER_HASH))
    assert (await state_storage.definition(OTHER, "review", "1.0.0")).reference.content_hash == OTHER_HASH


@pytest.mark.parametrize(("name", "version"), [("absent", "1.0.0"), ("review", "9.0.0")])
async def test_an_unknown_name_or_version_is_not_found(
    state_storage: IStateStorage, name: str, version: str
) -> None:
    await state_storage.save_definition(definition_record())
    with pytest.raises(NotFound):
        await state_storage.definition(LOCAL, name, version)


async def test_definitions_come_by_name_the_latest_published_first(state_storage: IStateStorage) -> None:
    for number, (name, version) in enumerate(
        [("zebra", "1.0.0"), ("audit", "2.0.0"), ("zebra", "0.9.0"), ("audit", "10.0.0")]
    ):
        await state_storage.save_definition(definition_record(name=name, version=version, at=later(number)))
    listed = [record.reference.schema_id for record in await state_storage.definitions(LOCAL)]
    assert listed == ["audit@10.0.0", "audit@2.0.0", "zebra@0.9.0", "zebra@1.0.0"]


def deprecation(tenant_id: TenantId = LOCAL, **fields: Any) -> Deprecation:
    values = {"name": "review", "version": "1.0.0", "reason": "it loses rows", "deprecated_at": NOW}
    return Deprecation(tenant_id=tenant_id, principal=ALICE, **{**values, **fields})


async def test_a_deprecation_is_returned_exactly(state_storage: IStateStorage) -> None:
    await state_storage.save_definition(definition_record())
    assert await state_storage.deprecations(LOCAL) == ()
    await state_storage.save_deprecation(deprecation())
    assert await state_storage.deprecations(LOCAL) == (deprecation(),)


async def test_a_later_deprecation_takes_the_place_of_an_earlier_one(state_storage: IStateStorage) -> None:
    await state_storage.save_definition(definition_record())
    await state_storage.save_deprecation(deprecation())
    await state_storage.withdraw_deprecation(LOCAL, "review", "1.0.0", later(1))
    again = deprecation(reason="again", deprecated_at=later(2))
    await state_storage.save_deprecation(again)
    assert await state_storage.deprecations(LOCAL) == (again,)


@pytest.mark.parametrize(("tenant_id", "version"), [(LOCAL, "9.0.0"), (OTHER, "1.0.0")])
async def test_only_a_published_version_is_deprecated(
    state_storage: IStateStorage, tenant_id: TenantId, version: str
) -> None:
    await state_storage.save_definition(definition_record())
    with pytest.raises(NotFound):
        await state_storage.save_deprecation(deprecation(tenant_id, version=version))
    assert [*await state_storage.deprecations(LOCAL), *await state_storage.deprecations(OTHER)] == []


async def test_a_withdrawn_deprecation_stays_with_the_time_of_the_first_withdrawal(
    state_storage: IStateStorage,
) -> None:
    await state_storage.save_definition(definition_record())
    await state_storage.save_deprecation(deprecation())
    withdrawn = deprecation(withdrawn_at=later(1))
    for seconds in (1, 2):
        ended = await state_storage.withdraw_deprecation(LOCAL, "review", "1.0.0", later(seconds))
        assert ended == withdrawn
    assert await state_storage.deprecations(LOCAL) == (withdrawn,)


async def test_what_was_not_deprecated_cannot_be_withdrawn(state_storage: IStateStorage) -> None:
    await state_storage.save_definition(definition_record())
    with pytest.raises(NotFound):
        await state_storage.withdraw_deprecation(LOCAL, "review", "1.0.0", NOW)


async def test_deprecations_come_by_name_and_version(state_storage: IStateStorage) -> None:
    for name, version in (("zebra", "1.0.0"), ("audit", "2.0.0"), ("audit", "1.0.0")):
        await state_storage.save_definition(definition_record(name=name, version=version))
        await state_storage.save_deprecation(deprecation(name=name, version=version))
    listed = [(each.name, each.version) for each in await state_storage.deprecations(LOCAL)]
    assert listed == [("audit", "1.0.0"), ("audit", "2.0.0"), ("zebra", "1.0.0")]


async def test_every_version_in_use_is_told_with_how_many_have_not_ended(
    state_storage: IStateStorage,
) -> None:
    assert await state_storage.versions_in_use(LOCAL) == {}
    for name, version, status in (
        ("a", "1.0.0", Status.RUNNING),
        ("b", "1.0.0", Status.COMPLETED),
        ("c", "1.0.0", Status.WAITING),
        ("d", "2.0.0", Status.FAILED),
        ("e", "2.0.0", Status.TERMINATED),
    ):
        await born(state_storage, name, definition=reference(version=version), status=status)
    await born(state_storage, "a", tenant_id=OTHER, definition=reference("theirs"))
    assert await state_storage.versions_in_use(LOCAL) == {
        "review@1.0.0": VersionUse(instances=3, unfinished=2),
        "review@2.0.0": VersionUse(instances=2, unfinished=0),
    }


async def test_versions_in_use_of_one_definition_come_without_those_of_others(
    state_storage: IStateStorage,
) -> None:
    for name, definition in (("a", "review"), ("b", "audit"), ("c", "audit")):
        await born(state_storage, name, definition=reference(definition), status=Status.COMPLETED)
    await born(state_storage, "a", tenant_id=OTHER, definition=reference("audit"))
    used = await state_storage.versions_in_use(LOCAL, "audit")
    assert used == {"audit@1.0.0": VersionUse(instances=2, unfinished=0)}
    assert await state_storage.versions_in_use(LOCAL, "nobody's") == {}


async def test_an_instance_that_moves_to_another_version_is_counted_there(
    state_storage: IStateStorage,
) -> None:
    instance = await born(state_storage, "a", definition=reference(version="1.0.0"))
    moved = step(instance, definition=reference(version="2.0.0"), status=Status.COMPLETED)
    await state_storage.commit(commit_of(moved))
    used = await state_storage.versions_in_use(LOCAL)
    assert used == {"review@2.0.0": VersionUse(instances=1, unfinished=0)}
