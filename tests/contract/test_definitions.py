"""`IDefinitions`."""

import pytest

from chatflow_jupyter.domain.errors import Conflict, NotFound
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import HASH, LOCAL, OTHER, OTHER_HASH, definition_record, later


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
