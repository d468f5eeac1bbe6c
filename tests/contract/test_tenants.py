"""Two tenants ask for each other's ids: every method answers as if they did not exist."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from chatflow_jupyter.domain.decision import (
    CancelAttempt,
    Continuation,
    ContinuationKind,
    EndAttempt,
    TimerChange,
    TimerKind,
)
from chatflow_jupyter.domain.errors import Conflict, NotFound, StaleFence
from chatflow_jupyter.domain.ids import OwnerId, TenantId, attempt_id
from chatflow_jupyter.ports.audit import AuditFilter
from chatflow_jupyter.ports.records import AttemptRow, Deprecation, InstanceFilter, TimerRow
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    ALICE,
    HASH,
    LOCAL,
    NOW,
    OTHER,
    artifact,
    birth,
    child_of,
    claimed,
    commit_of,
    definition_record,
    later,
    request_key,
    running,
    step,
    wfi,
)
from tests.contract.making_acts import act

DEPRECATED = Deprecation(
    tenant_id=LOCAL,
    name="review",
    version="1.0.0",
    principal=ALICE,
    reason="old",
    deprecated_at=NOW,
)
Ask = Callable[[IStateStorage, TenantId, AttemptRow], Awaitable[object]]
MISSING = AttemptRow(
    tenant_id=OTHER,
    instance_id=wfi("missing"),
    root_id=wfi("missing"),
    attempt_id=attempt_id(wfi("missing"), "collect", 1),
    phase="collect",
    number=1,
    notebook="collect.ipynb",
    kernel=None,
    parameters={},
    timeout_sec=None,
    status="leased",
    fence=1,
    queued_at=NOW,
)


async def furnished(storage: IStateStorage) -> AttemptRow:
    """Everything a tenant can have, of the tenant `local`; returns the leased attempt."""
    await storage.save_definition(definition_record())
    await storage.save_deprecation(DEPRECATED)
    await storage.note_refusal(LOCAL, act())
    born = running("a", feature_id="F")
    note = Continuation(instance_id=wfi("a"), kind=ContinuationKind.FAN_OUT)
    timer = TimerChange(kind=TimerKind.RETRY, due_at=NOW)
    born = replace(born, decision=replace(born.decision, continuations=(note,), timers=(timer,)))
    child = child_of(born.decision.instance, 0)
    await storage.commit(commit_of(born, birth(child), key=request_key(), owner_id=OwnerId("me")))
    attempt = await claimed(storage)
    await storage.touch_blob(LOCAL, HASH, 3, NOW)
    await storage.publish_artifact(artifact(attempt), attempt.fence)
    await storage.journal_put(LOCAL, attempt.attempt_id, attempt.fence, "charge", value=1, now=NOW)
    return attempt


READS: dict[str, Ask] = {
    "definition": lambda s, t, a: s.definition(t, "review", "1.0.0"),
    "definitions": lambda s, t, a: s.definitions(t),
    "deprecations": lambda s, t, a: s.deprecations(t),
    "versions_in_use": lambda s, t, a: s.versions_in_use(t),
    "audit": lambda s, t, a: s.audit(t, AuditFilter()),
    "audit of an instance": lambda s, t, a: s.audit(t, AuditFilter(subject=a.instance_id)),
    "audit_chain": lambda s, t, a: s.audit_chain(t),
    "instance": lambda s, t, a: s.instance(t, a.instance_id),
    "standing": lambda s, t, a: s.standing(t, a.instance_id),
    "instances": lambda s, t, a: s.instances(t, InstanceFilter()),
    "instances of a feature": lambda s, t, a: s.instances(t, InstanceFilter(feature_id="F")),
    "instances of a parent": lambda s, t, a: s.instances(t, InstanceFilter(parent_id=a.instance_id)),
    "instances before": lambda s, t, a: s.instances(t, InstanceFilter(before=a.instance_id)),
    "feature_counts": lambda s, t, a: s.feature_counts(t, "F"),
    "stored_answer": lambda s, t, a: s.stored_answer(t, ALICE, "k"),
    "tree_status": lambda s, t, a: s.tree_status(t, a.instance_id, NOW),
    "used": lambda s, t, a: s.used(t, a.root_id, [a.root_id]),
    "tree": lambda s, t, a: s.tree(t, a.instance_id),
    "tree after": lambda s, t, a: s.tree(t, a.instance_id, after=a.instance_id),
    "attempt": lambda s, t, a: s.attempt(t, a.attempt_id),
    "attempts": lambda s, t, a: s.attempts(t, a.instance_id),
    "running_attempts": lambda s, t, a: s.running_attempts(a.root_id, t),
    "events": lambda s, t, a: s.events(t),
    "events of an instance": lambda s, t, a: s.events(t, instance_id=a.instance_id),
    "events of a tree": lambda s, t, a: s.events(t, root_id=a.root_id),
    "artifacts": lambda s, t, a: s.artifacts(t, a.instance_id, include_deleted=True),
    "journal_get": lambda s, t, a: s.journal_get(t, a.instance_id, "collect", "charge"),
    "owner_of": lambda s, t, a: s.owner_of(t, a.root_id),
    "collectable_blobs": lambda s, t, a: s.collectable_blobs(t, later(60)),
}
NOTHING_TO_FIND = ("collectable_blobs", "instances before")
WRITES: dict[str, Ask] = {
    "heartbeat": lambda s, t, a: s.heartbeat(
        t, a.attempt_id, a.fence, lease_expires_at=later(900), progress=None
    ),
    "publish_artifact": lambda s, t, a: s.publish_artifact(
        replace(artifact(a, "stolen"), tenant_id=t), a.fence
    ),
    "publish_artifact of the engine": lambda s, t, a: s.publish_artifact(
        replace(artifact(a, "stolen"), tenant_id=t), None
    ),
    "set_artifact_deleted": lambda s, t, a: s.set_artifact_deleted(t, a.attempt_id, "report.html", NOW),
    "journal_put": lambda s, t, a: s.journal_put(t, a.attempt_id, a.fence, "new", value=1, now=NOW),
    "forget_blobs": lambda s, t, a: s.forget_blobs(t, [HASH]),
    "adopt": lambda s, t, a: s.adopt(t, a.root_id, OwnerId("thief"), instead_of=OwnerId("me")),
    "drop_timer": lambda s, t, a: s.drop_timer(
        TimerRow(tenant_id=t, instance_id=a.instance_id, kind=TimerKind.RETRY, due_at=NOW)
    ),
    "withdraw_deprecation": lambda s, t, a: s.withdraw_deprecation(t, "review", "1.0.0", NOW),
    "commit": lambda s, t, a: _commit(s, t, a, ends=False),
    "commit that ends the attempt": lambda s, t, a: _commit(s, t, a, ends=True),
    "commit that cancels the attempt": lambda s, t, a: _commit(s, t, a, cancels=True),
}


async def _commit(
    storage: IStateStorage,
    tenant_id: TenantId,
    attempt: AttemptRow,
    *,
    ends: bool = False,
    cancels: bool = False,
) -> None:
    """Act on the ids as that tenant; what it may touch of its own it has to create first."""
    if not (ends or cancels):
        before = running("a", tenant_id=tenant_id).decision.instance
        await storage.commit(commit_of(step(replace(before, instance_id=attempt.instance_id))))
        return
    if await _absent(storage, tenant_id):
        await storage.commit(commit_of(running("own", tenant_id=tenant_id)))
    own = await storage.instance(tenant_id, wfi("own"))
    end = EndAttempt(attempt_id=attempt.attempt_id, fence=attempt.fence, status="failed", ended_at=NOW)
    cancel = CancelAttempt(attempt_id=attempt.attempt_id, ended_at=NOW)
    await storage.commit(commit_of(step(own, parts={"attempts": (end if ends else cancel,)})))


async def _absent(storage: IStateStorage, tenant_id: TenantId) -> bool:
    try:
        await storage.instance(tenant_id, wfi("own"))
    except NotFound:
        return True
    return False


async def outcome(ask: Ask, storage: IStateStorage, tenant_id: TenantId, attempt: AttemptRow) -> object:
    """What a caller can tell: the answer, or the kind and words of the error without the id asked for."""
    try:
        return await ask(storage, tenant_id, attempt)
    except (NotFound, StaleFence, Conflict) as error:
        words = error.message.replace(attempt.attempt_id, "ID").replace(attempt.instance_id, "ID")
        return type(error), error.code, words


@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_anothers_id_is_answered_exactly_like_one_that_does_not_exist(
    state_storage: IStateStorage, name: str
) -> None:
    ask = {**READS, **WRITES}[name]
    attempt = await furnished(state_storage)
    before = await own_view(state_storage, attempt)
    theirs = await outcome(ask, state_storage, OTHER, attempt)
    unknown = await outcome(ask, state_storage, OTHER, MISSING)
    assert theirs == unknown
    assert await own_view(state_storage, attempt) == before


@pytest.mark.parametrize("name", [name for name in READS if name not in NOTHING_TO_FIND])
async def test_the_owner_of_the_id_gets_another_answer(state_storage: IStateStorage, name: str) -> None:
    """The test above would pass on a store that answers nothing to anybody."""
    attempt = await furnished(state_storage)
    assert await READS[name](state_storage, LOCAL, attempt) not in ((), None)


async def own_view(storage: IStateStorage, attempt: AttemptRow) -> list[object]:
    """All that the tenant `local` can see."""
    seen = [await READS[name](storage, LOCAL, attempt) for name in READS if name != "collectable_blobs"]
    timers = [timer for timer in await storage.due_timers(later(99)) if timer.tenant_id == LOCAL]
    return [*seen, timers]


async def test_a_consumed_continuation_of_another_tenant_stays(state_storage: IStateStorage) -> None:
    await furnished(state_storage)
    (row,) = await state_storage.continuations()
    await state_storage.commit(commit_of(running("own", tenant_id=OTHER), consumed=(row.continuation_id,)))
    assert list(await state_storage.continuations()) == [row]


async def test_one_id_may_exist_in_two_tenants(state_storage: IStateStorage) -> None:
    """A global unique key would reveal that another tenant has it."""
    for tenant_id in (LOCAL, OTHER):
        transition = running("a", tenant_id=tenant_id)
        await state_storage.commit(commit_of(transition, key=request_key(answer=tenant_id)))
        await state_storage.touch_blob(tenant_id, HASH, 3, NOW)
        assert await state_storage.instance(tenant_id, wfi("a")) == transition.decision.instance
    assert {each.event.tenant_id for each in await state_storage.events(OTHER)} == {OTHER}
    stored = await state_storage.stored_answer(OTHER, ALICE, "k")
    assert stored is not None
    assert stored.answer == {"instance_id": "other"}
