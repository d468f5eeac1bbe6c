"""Outcomes that may be reused, as the stores keep them."""

from dataclasses import replace
from typing import Any

import pytest

from chatflow_jupyter.domain.decision import EndAttempt, KeptOutcome, ReusedWork
from chatflow_jupyter.domain.errors import SeqConflict
from chatflow_jupyter.domain.ids import Sha256, TenantId, attempt_id
from chatflow_jupyter.domain.instance import FanOut, Instance, ParentLink, PhaseRecord, PhaseState, Undoing
from chatflow_jupyter.ports.records import AttemptRow, Transition
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    HASH,
    LOCAL,
    NOW,
    OTHER,
    artifact,
    birth,
    claimed,
    commit_of,
    later,
    new_instance,
    running,
    step,
    wfi,
)

KEY = Sha256("5" * 64)
OWN = attempt_id(wfi("f"), "collect", 2)
SUCCEEDED = PhaseRecord(state=PhaseState.SUCCEEDED, attempts=1)
UNDONE = Undoing(goal="terminated", reason="no use", done=True)


def outcome(**fields: object) -> KeptOutcome:
    made = KeptOutcome(key=KEY, phase="collect", attempt=1, risk=5, made_at=later(1), expires_at=later(100))
    return replace(made, **fields)  # type: ignore[arg-type]


def keeping(transition: Transition, kept: KeptOutcome) -> Transition:
    return replace(transition, decision=replace(transition.decision, kept=kept))


async def source(
    storage: IStateStorage,
    name: str = "a",
    kept: KeptOutcome | None = None,
    tenant_id: TenantId = LOCAL,
    **fields: Any,
) -> tuple[Instance, AttemptRow]:
    """An instance whose `collect` succeeded with an artifact, and is kept."""
    await storage.commit(commit_of(running(name, tenant_id=tenant_id, **fields)))
    attempt = await claimed(storage)
    await storage.touch_blob(tenant_id, HASH, 3, NOW)
    await storage.publish_artifact(artifact(attempt), attempt.fence)
    end = EndAttempt(
        attempt_id=attempt.attempt_id, fence=attempt.fence, status="succeeded", ended_at=later(1)
    )
    before = await storage.instance(tenant_id, wfi(name))
    done = {"phases": {"collect": SUCCEEDED}, "variables": {"collect": {"rows": 3}}}
    ended = keeping(step(before, attempt=None, parts={"attempts": (end,)}, **done), kept or outcome())
    await storage.commit(commit_of(ended))
    return ended.decision.instance, attempt


def reusing(name: str = "f", attempt: int = 1) -> Transition:
    work = ReusedWork(source_id=wfi("a"), phase="collect", attempt=attempt, number=2)
    born = birth(new_instance(name))
    return replace(born, decision=replace(born.decision, reused=work))


async def test_what_is_kept_is_found_under_its_key_until_it_expires(state_storage: IStateStorage) -> None:
    made, _ = await source(state_storage)
    found = await state_storage.kept_outcome(LOCAL, KEY, later(99))
    assert found is not None
    assert (found.tenant_id, found.instance_id, found.outcome) == (LOCAL, made.instance_id, outcome())
    assert await state_storage.kept_outcome(LOCAL, KEY, later(100)) is None
    assert await state_storage.kept_outcome(LOCAL, Sha256("6" * 64), NOW) is None
    assert await state_storage.kept_outcome(OTHER, KEY, NOW) is None


async def test_of_each_key_and_tenant_the_newest_is_kept(state_storage: IStateStorage) -> None:
    await source(state_storage)
    other, _ = await source(state_storage, "b", outcome(risk=9))
    await source(state_storage, "c", outcome(risk=1), tenant_id=OTHER)
    found = await state_storage.kept_outcome(LOCAL, KEY, NOW)
    assert found is not None
    assert (found.instance_id, found.outcome.risk) == (other.instance_id, 9)


async def test_what_expired_is_forgotten_of_all_tenants_at_most_so_many_at_once(
    state_storage: IStateStorage,
) -> None:
    made, _ = await source(state_storage)
    await source(state_storage, "b", outcome(key=Sha256("6" * 64), expires_at=later(200)))
    await source(state_storage, "c", tenant_id=OTHER)
    assert await state_storage.drop_expired_outcomes(later(99)) == 0
    assert await state_storage.drop_expired_outcomes(later(100), 1) == 1
    assert await state_storage.drop_expired_outcomes(later(100)) == 1
    assert await state_storage.kept_outcome(LOCAL, Sha256("6" * 64), later(100)) is not None
    assert await state_storage.instance(LOCAL, made.instance_id) == made
    assert len(await state_storage.artifacts(LOCAL, made.instance_id)) == 1


async def test_nothing_is_kept_of_an_instance_of_which_an_artifact_was_deleted(
    state_storage: IStateStorage,
) -> None:
    made, attempt = await source(state_storage, kept=outcome(key=Sha256("6" * 64)))
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, artifact(attempt).name, NOW)
    await state_storage.commit(commit_of(keeping(step(made), outcome())))
    assert await state_storage.kept_outcome(LOCAL, KEY, NOW) is None


async def test_the_attempt_reused_is_the_instances_too_with_its_artifacts(
    state_storage: IStateStorage,
) -> None:
    _, attempt = await source(state_storage)
    await state_storage.commit(commit_of(reusing()))
    (row,) = await state_storage.attempts(LOCAL, wfi("f"))
    assert (row.attempt_id, row.number, row.status, row.root_id) == (OWN, 2, "succeeded", wfi("f"))
    (record,) = await state_storage.artifacts(LOCAL, wfi("f"))
    theirs = artifact(attempt)
    assert (record.attempt_id, record.attempt, record.phase) == (OWN, 2, "collect")
    assert (record.name, record.sha256) == (theirs.name, theirs.sha256)


async def test_deleting_an_artifact_of_one_leaves_that_of_the_other(state_storage: IStateStorage) -> None:
    _, attempt = await source(state_storage)
    await state_storage.commit(commit_of(reusing()))
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, artifact(attempt).name, NOW)
    assert not await state_storage.artifacts(LOCAL, wfi("a"))
    assert len(await state_storage.artifacts(LOCAL, wfi("f"))) == 1
    assert HASH not in await state_storage.collectable_blobs(LOCAL, later(1000))


async def test_with_an_artifact_deleted_nothing_is_reused_or_committed(
    state_storage: IStateStorage,
) -> None:
    _, attempt = await source(state_storage)
    await state_storage.set_artifact_deleted(LOCAL, attempt.attempt_id, artifact(attempt).name, NOW)
    with pytest.raises(SeqConflict, match="not there as a whole"):
        await state_storage.commit(commit_of(reusing()))
    assert not await state_storage.attempts(LOCAL, wfi("f"))


async def test_an_attempt_that_has_not_succeeded_is_not_reused(state_storage: IStateStorage) -> None:
    await state_storage.commit(commit_of(running("a")))
    for attempt in (1, 7):
        with pytest.raises(SeqConflict, match="not there as a whole"):
            await state_storage.commit(commit_of(reusing(attempt=attempt)))


@pytest.mark.parametrize(
    "later_on",
    [
        {"undoing": UNDONE},
        {"undoing": replace(UNDONE, done=False)},
        {"phases": {"collect": replace(SUCCEEDED, state=PhaseState.ACTIVE, attempts=2)}},
        {"phases": {"collect": replace(SUCCEEDED, attempts=2)}},
    ],
)
async def test_what_does_not_stand_any_more_is_not_reused(
    state_storage: IStateStorage, later_on: dict[str, Any]
) -> None:
    made, _ = await source(state_storage)
    await state_storage.commit(commit_of(step(made, **later_on)))
    with pytest.raises(SeqConflict, match="does not stand any more"):
        await state_storage.commit(commit_of(reusing()))
    assert not await state_storage.attempts(LOCAL, wfi("f"))


async def test_what_goes_on_elsewhere_is_no_hindrance(state_storage: IStateStorage) -> None:
    made, _ = await source(state_storage)
    families = FanOut(total=2, started=1, ended=0, failed=0)
    await state_storage.commit(commit_of(step(made, spent_sec=5.0, phase="files", fan_out=families)))
    await state_storage.commit(commit_of(reusing()))
    assert await state_storage.attempts(LOCAL, wfi("f"))


async def test_with_something_above_undone_or_lost_nothing_is_reused(state_storage: IStateStorage) -> None:
    await state_storage.commit(commit_of(running("t")))
    await claimed(state_storage)
    under = {"root_id": wfi("t"), "depth": 1}
    await state_storage.commit(commit_of(running("m", parent=_link("t"), **under)))
    middle = await claimed(state_storage)
    await state_storage.touch_blob(LOCAL, HASH, 3, NOW)
    await state_storage.publish_artifact(artifact(middle), middle.fence)
    await source(state_storage, parent=_link("m"), **under)
    await state_storage.commit(commit_of(reusing("f")))

    await state_storage.set_artifact_deleted(LOCAL, middle.attempt_id, artifact(middle).name, NOW)
    with pytest.raises(SeqConflict, match="does not stand any more"):
        await state_storage.commit(commit_of(reusing("g")))
    await state_storage.set_artifact_deleted(LOCAL, middle.attempt_id, artifact(middle).name, None)
    await state_storage.commit(commit_of(reusing("g")))

    top = await state_storage.instance(LOCAL, wfi("t"))
    await state_storage.commit(commit_of(step(top, undoing=UNDONE)))
    with pytest.raises(SeqConflict, match="does not stand any more"):
        await state_storage.commit(commit_of(reusing("h")))


def _link(name: str) -> ParentLink:
    return ParentLink(instance_id=wfi(name), phase="files", index=0, key="files-0", tolerated=False)
