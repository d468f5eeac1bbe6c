"""`IArtifactRows`: rows, blobs and the journal."""

from dataclasses import replace

import pytest

from chatflow_jupyter.domain.decision import EndAttempt
from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict, StaleFence
from chatflow_jupyter.domain.ids import Sha256
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.records import AttemptRow, JournalEntry
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    HASH,
    LOCAL,
    NO_ATTEMPT,
    NOW,
    OTHER,
    OTHER_HASH,
    artifact,
    claimed,
    commit_of,
    definition_record,
    later,
    queued,
    started,
    step,
    wfi,
)


async def leased(storage: IStateStorage) -> AttemptRow:
    """A leased attempt, and bytes to publish."""
    await started(storage)
    await storage.touch_blob(LOCAL, HASH, 3, NOW)
    return await claimed(storage)


async def collected(storage: IStateStorage, seconds: float = 60) -> list[Sha256]:
    return list(await storage.collectable_blobs(LOCAL, later(seconds)))


async def test_a_touched_blob_is_live(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    await state_storage.publish_artifact(artifact(attempt), attempt.fence)


async def test_a_blob_being_deleted_cannot_be_touched(state_storage: IStateStorage) -> None:
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    assert await collected(state_storage) == [HASH]
    with pytest.raises(Conflict) as refused:
        await state_storage.touch_blob(LOCAL, HASH, 3, later(99))
    assert refused.value.code == "blob_deleting"
    await state_storage.forget_blobs(LOCAL, [HASH])
    await state_storage.touch_blob(LOCAL, HASH, 3, later(99))


async def test_every_tenant_that_has_a_blob_is_named_once(state_storage: IStateStorage) -> None:
    assert list(await state_storage.tenants_with_blobs()) == []
    for tenant_id, sha256 in ((OTHER, HASH), (LOCAL, HASH), (LOCAL, OTHER_HASH)):
        await state_storage.touch_blob(tenant_id, sha256, 3, NOW)
    assert list(await state_storage.tenants_with_blobs()) == sorted([LOCAL, OTHER])
    assert await collected(state_storage) == [HASH, OTHER_HASH]
    await state_storage.forget_blobs(LOCAL, [HASH, OTHER_HASH])
    assert list(await state_storage.tenants_with_blobs()) == [OTHER]


async def test_a_published_artifact_is_listed_exactly(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    await state_storage.publish_artifact(artifact(attempt), attempt.fence)
    assert list(await state_storage.artifacts(LOCAL, attempt.instance_id)) == [artifact(attempt)]


async def test_publishing_replaces_one_of_the_same_attempt_and_name(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    await state_storage.touch_blob(LOCAL, OTHER_HASH, 5, NOW)
    await state_storage.publish_artifact(artifact(attempt), attempt.fence)
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "report.html", NOW)
    second = artifact(attempt, sha256=OTHER_HASH, size_bytes=5, kind="data")
    await state_storage.publish_artifact(second, attempt.fence)
    assert list(await state_storage.artifacts(LOCAL, attempt.instance_id)) == [second]


async def test_publishing_under_a_fence_not_held_is_stale(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    for record, fence in (
        (artifact(attempt), attempt.fence + 1),
        (replace(artifact(attempt), attempt_id=NO_ATTEMPT), attempt.fence),
    ):
        with pytest.raises(StaleFence):
            await state_storage.publish_artifact(record, fence)
    assert await state_storage.artifacts(LOCAL, attempt.instance_id) == ()


async def test_the_engine_publishes_without_a_fence_also_after_the_end(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    attempt = await claimed(state_storage)
    ended = EndAttempt(attempt_id=attempt.attempt_id, fence=1, status="succeeded", ended_at=NOW)
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (ended,)})))
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    await state_storage.publish_artifact(artifact(attempt), None)
    assert len(await state_storage.artifacts(LOCAL, attempt.instance_id)) == 1


async def test_an_artifact_of_no_attempt_is_not_found(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    with pytest.raises(NotFound):
        await state_storage.publish_artifact(replace(artifact(attempt), attempt_id=NO_ATTEMPT), None)


@pytest.mark.parametrize("state", ["absent", "deleting"])
async def test_publishing_needs_a_live_blob(state_storage: IStateStorage, state: str) -> None:
    attempt = await leased(state_storage)
    if state == "deleting":
        await state_storage.touch_blob(LOCAL, OTHER_HASH, 3, NOW)
        assert OTHER_HASH in await collected(state_storage)
    with pytest.raises(Conflict) as refused:
        await state_storage.publish_artifact(artifact(attempt, sha256=OTHER_HASH), attempt.fence)
    assert refused.value.code == "blob_missing"


async def test_artifacts_come_by_phase_attempt_and_name(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    rows = [await claimed(state_storage)]
    more = tuple(queued(instance, number, phase=phase) for phase, number in (("collect", 10), ("audit", 2)))
    await state_storage.commit(commit_of(step(instance, parts={"attempts": more})))
    rows += [await claimed(state_storage), await claimed(state_storage)]
    for row in rows:
        for name in ("b", "B", "a"):
            await state_storage.publish_artifact(artifact(row, name), row.fence)
    found = [(each.phase, each.attempt, each.name) for each in await state_storage.artifacts(LOCAL, wfi("a"))]
    assert found == sorted(found)
    assert len(found) == 9


async def test_a_soft_deleted_artifact_is_hidden_until_restored(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    await state_storage.publish_artifact(artifact(attempt), attempt.fence)
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "report.html", later(5))
    assert await state_storage.artifacts(LOCAL, attempt.instance_id) == ()
    (hidden,) = await state_storage.artifacts(LOCAL, attempt.instance_id, include_deleted=True)
    assert hidden.deleted_at == later(5)
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "report.html", None)
    assert list(await state_storage.artifacts(LOCAL, attempt.instance_id)) == [artifact(attempt)]


async def test_what_was_decided_on_there_being_no_artifact_is_refused_when_there_is_one(
    state_storage: IStateStorage,
) -> None:
    attempt = await leased(state_storage)
    await state_storage.publish_artifact(artifact(attempt), attempt.fence)
    before = await state_storage.instance(LOCAL, attempt.instance_id)
    with pytest.raises(SeqConflict):
        await state_storage.commit(commit_of(step(before), no_artifact_but="another"))
    assert await state_storage.instance(LOCAL, attempt.instance_id) == before
    await state_storage.commit(commit_of(step(before), no_artifact_but=attempt.phase))
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "report.html", later(5))
    after = replace(before, seq=before.seq + 1)
    await state_storage.commit(commit_of(step(after), no_artifact_but="another"))


async def test_deleting_an_unknown_artifact_is_not_found(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    with pytest.raises(NotFound):
        await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "absent", NOW)


@pytest.mark.parametrize("by", ["artifact", "deleted artifact", "bundle", "journal"])
async def test_a_referenced_blob_is_not_collected(state_storage: IStateStorage, by: str) -> None:
    attempt = await leased(state_storage)
    if "artifact" in by:
        await state_storage.publish_artifact(artifact(attempt), attempt.fence)
    if by == "deleted artifact":
        await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "report.html", NOW)
    if by == "bundle":
        await state_storage.save_definition(definition_record())
    if by == "journal":
        await state_storage.journal_put(LOCAL, attempt.attempt_id, attempt.fence, "f", sha256=HASH, now=NOW)
    assert await collected(state_storage) == []


async def test_only_blobs_untouched_since_then_are_collected(state_storage: IStateStorage) -> None:
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    await state_storage.touch_blob(LOCAL, OTHER_HASH, 3, NOW)
    await state_storage.touch_blob(LOCAL, OTHER_HASH, 3, later(30))
    assert await collected(state_storage, 30) == [HASH]


async def test_marked_blobs_are_returned_again_and_at_most_limit(state_storage: IStateStorage) -> None:
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    await state_storage.touch_blob(LOCAL, OTHER_HASH, 3, later(1))
    assert list(await state_storage.collectable_blobs(LOCAL, later(60), limit=1)) == [HASH]
    assert await collected(state_storage, -60) == [HASH]


async def test_only_marked_blobs_are_forgotten(state_storage: IStateStorage) -> None:
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    await state_storage.touch_blob(LOCAL, OTHER_HASH, 3, later(120))
    assert await collected(state_storage) == [HASH]
    await state_storage.forget_blobs(LOCAL, [HASH, OTHER_HASH])
    assert await collected(state_storage, 300) == [OTHER_HASH]


@pytest.mark.parametrize("value", [None, 0, "", "ü", 1.5, False, [1, [None]], {"a": {"b": []}}])
async def test_the_journal_returns_what_was_stored(state_storage: IStateStorage, value: JsonValue) -> None:
    attempt = await leased(state_storage)
    stored = await state_storage.journal_put(
        LOCAL, attempt.attempt_id, attempt.fence, "charge", value=value, now=NOW
    )
    assert stored == JournalEntry(name="charge", value=value)
    assert await state_storage.journal_get(LOCAL, attempt.instance_id, "collect", "charge") == stored


async def test_the_first_writer_wins(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    put = state_storage.journal_put
    first = await put(LOCAL, attempt.attempt_id, attempt.fence, "charge", value=1, now=NOW)
    assert await put(LOCAL, attempt.attempt_id, attempt.fence, "charge", sha256=HASH, now=NOW) == first


async def test_a_later_attempt_finds_what_an_earlier_one_stored(state_storage: IStateStorage) -> None:
    instance = await started(state_storage)
    first = await claimed(state_storage)
    entry = await state_storage.journal_put(LOCAL, first.attempt_id, first.fence, "charge", value=1, now=NOW)
    lost = EndAttempt(attempt_id=first.attempt_id, fence=first.fence, status="lost", ended_at=NOW)
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (lost, queued(instance, 2))})))
    second = await claimed(state_storage)
    assert second.number == 2
    stored = await state_storage.journal_put(
        LOCAL, second.attempt_id, second.fence, "charge", value=2, now=NOW
    )
    assert stored == entry
    with pytest.raises(StaleFence):
        await state_storage.journal_put(LOCAL, first.attempt_id, first.fence, "late", value=1, now=NOW)


async def test_an_entry_of_another_phase_or_name_is_none(state_storage: IStateStorage) -> None:
    attempt = await leased(state_storage)
    await state_storage.journal_put(LOCAL, attempt.attempt_id, attempt.fence, "charge", value=1, now=NOW)
    assert await state_storage.journal_get(LOCAL, attempt.instance_id, "static", "charge") is None
    assert await state_storage.journal_get(LOCAL, attempt.instance_id, "collect", "other") is None
