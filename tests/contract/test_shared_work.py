"""What a fork has of its source, as the stores keep it."""

from dataclasses import replace

import pytest

from chatflow_jupyter.domain.decision import EndAttempt
from chatflow_jupyter.domain.errors import Conflict, NotFound, SeqConflict
from chatflow_jupyter.domain.ids import attempt_id
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.records import AttemptRow, SharedWork
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    HASH,
    LOCAL,
    NOW,
    OTHER,
    OTHER_HASH,
    artifact,
    birth,
    claimed,
    commit_of,
    later,
    new_instance,
    queued,
    running,
    step,
    wfi,
)

FORK = attempt_id(wfi("f"), "collect", 1)


async def source(storage: IStateStorage) -> tuple[Instance, AttemptRow]:
    """An instance whose `collect` succeeded with artifacts and a journal, and whose `report` is queued."""
    await storage.commit(commit_of(running("a")))
    attempt = await claimed(storage)
    for sha256 in (HASH, OTHER_HASH):
        await storage.touch_blob(LOCAL, sha256, 3, NOW)
    await storage.publish_artifact(artifact(attempt), attempt.fence)
    await storage.publish_artifact(artifact(attempt, "data.csv", sha256=OTHER_HASH), attempt.fence)
    await storage.journal_put(LOCAL, attempt.attempt_id, attempt.fence, "charge", value=7, now=NOW)
    end = EndAttempt(
        attempt_id=attempt.attempt_id, fence=attempt.fence, status="succeeded", ended_at=later(1)
    )
    before = await storage.instance(LOCAL, wfi("a"))
    more = (end, queued(before, phase="report"))
    ended = step(before, phase="report", attempt=None, parts={"attempts": more})
    await storage.commit(commit_of(ended))
    return ended.decision.instance, attempt


def shared(of: Instance, *phases: str, seq: int | None = None) -> SharedWork:
    return SharedWork(
        source_id=of.instance_id, seq=of.seq if seq is None else seq, phases=phases or ("collect",)
    )


async def fork(storage: IStateStorage, shares: SharedWork, name: str = "f") -> None:
    own = new_instance(name)
    await storage.commit(commit_of(birth(own, attempts=(queued(own, phase="report"),)), shares=shares))


async def test_attempts_artifacts_and_journal_of_these_phases_are_the_forks_too(
    state_storage: IStateStorage,
) -> None:
    of, attempt = await source(state_storage)
    before = await state_storage.attempts(LOCAL, of.instance_id)
    kept = await state_storage.artifacts(LOCAL, of.instance_id)
    await fork(state_storage, shared(of))
    rows = await state_storage.attempts(LOCAL, wfi("f"))
    assert [(row.attempt_id, row.status) for row in rows] == [
        (FORK, "succeeded"),
        (attempt_id(wfi("f"), "report", 1), "queued"),
    ]
    ids = {"attempt_id": attempt.attempt_id, "instance_id": of.instance_id, "root_id": of.root_id}
    assert replace(rows[0], **ids) == before[0]  # type: ignore[arg-type]
    own = [replace(record, attempt_id=FORK, instance_id=wfi("f")) for record in kept]
    assert list(await state_storage.artifacts(LOCAL, wfi("f"))) == own
    entry = await state_storage.journal_get(LOCAL, wfi("f"), "collect", "charge")
    assert entry is not None
    assert entry.value == 7
    assert await state_storage.attempts(LOCAL, of.instance_id) == before
    assert await state_storage.artifacts(LOCAL, of.instance_id) == kept
    assert await state_storage.instance(LOCAL, of.instance_id) == of


async def test_what_later_phases_left_is_not_shared(state_storage: IStateStorage) -> None:
    of, _ = await source(state_storage)
    await fork(state_storage, shared(of, "elsewhere"))
    assert [row.phase for row in await state_storage.attempts(LOCAL, wfi("f"))] == ["report"]
    assert await state_storage.artifacts(LOCAL, wfi("f")) == ()
    assert await state_storage.journal_get(LOCAL, wfi("f"), "collect", "charge") is None


async def test_deleting_an_artifact_of_one_leaves_that_of_the_other_and_its_bytes(
    state_storage: IStateStorage,
) -> None:
    of, attempt = await source(state_storage)
    await fork(state_storage, shared(of))
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "report.html", NOW)
    assert [one.name for one in await state_storage.artifacts(LOCAL, wfi("f"))] == ["data.csv", "report.html"]
    assert await state_storage.collectable_blobs(LOCAL, later(99)) == ()


@pytest.mark.parametrize("phases", [("collect",), ("elsewhere", "collect")])
async def test_a_deleted_artifact_cannot_be_shared_and_is_named(
    state_storage: IStateStorage, phases: tuple[str, ...]
) -> None:
    of, attempt = await source(state_storage)
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, "data.csv", NOW)
    with pytest.raises(Conflict, match=r"artifact data\.csv of phase collect was deleted") as refused:
        await fork(state_storage, shared(of, *phases))
    assert refused.value.code == "artifact_deleted"
    with pytest.raises(NotFound):
        await state_storage.instance(LOCAL, wfi("f"))
    await fork(state_storage, shared(of, "report"))


async def test_a_source_that_went_on_meanwhile_or_does_not_exist_is_noticed(
    state_storage: IStateStorage,
) -> None:
    of, _ = await source(state_storage)
    with pytest.raises(SeqConflict):
        await fork(state_storage, shared(of, seq=of.seq - 1))
    with pytest.raises(NotFound):
        await fork(state_storage, SharedWork(source_id=wfi("missing"), seq=1, phases=("collect",)))
    assert [each.instance_id for each in await state_storage.tree(LOCAL, of.instance_id)] == [of.instance_id]
    with pytest.raises(NotFound):
        await state_storage.instance(LOCAL, wfi("f"))


async def test_another_tenants_work_is_not_shared(state_storage: IStateStorage) -> None:
    of, _ = await source(state_storage)
    own = new_instance("f", tenant_id=OTHER)
    with pytest.raises(NotFound):
        await state_storage.commit(commit_of(birth(own), shares=shared(of)))
    assert await state_storage.artifacts(OTHER, wfi("f")) == ()


async def test_a_fork_of_a_fork_and_one_committed_again(state_storage: IStateStorage) -> None:
    of, _ = await source(state_storage)
    await fork(state_storage, shared(of))
    await fork(state_storage, shared(of))  # it exists: nothing changes
    rows = await state_storage.attempts(LOCAL, wfi("f"))
    first = await state_storage.instance(LOCAL, wfi("f"))
    await fork(state_storage, shared(first), "g")
    again = await state_storage.attempts(LOCAL, wfi("g"))
    assert [row.phase for row in rows] == [row.phase for row in again] == ["collect", "report"]
    assert len(await state_storage.artifacts(LOCAL, wfi("g"))) == 2
