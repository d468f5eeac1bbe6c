"""`IGates`: answers as rows, and waivers."""

from dataclasses import replace
from datetime import datetime

import pytest

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import TenantId, WaiverId
from chatflow_jupyter.domain.instance import Vote
from chatflow_jupyter.ports.records import Waiver
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import ALICE, HASH, LOCAL, NOW, OTHER, born, commit_of, later, step, wfi

WAIVER = Waiver(
    tenant_id=LOCAL,
    waiver_id=WaiverId("wvr_a"),
    name="review",
    phase="publish",
    feature_id=None,
    principal=ALICE,
    reason="known",
    created_at=NOW,
    expires_at=later(100),
)


def vote(decision: str = "approve", **more: object) -> Vote:
    return Vote(phase="publish", principal=ALICE, decision=decision, at=NOW, **more)  # type: ignore[arg-type]


async def found(
    storage: IStateStorage, feature: str | None = None, at: datetime = NOW, by: datetime = NOW
) -> str | None:
    waiver = await storage.waiver_for(LOCAL, "review", "publish", feature, at, given_by=by)
    return waiver and waiver.waiver_id.removeprefix("wvr_")


async def test_every_answer_is_returned_in_order(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    other = await born(state_storage, "b")
    first = vote("reject", reason="no", shown=HASH)
    second = vote(data={"n": [1]}, claimed=True)
    await state_storage.commit(commit_of(step(instance, parts={"votes": (first,)})))
    await state_storage.commit(commit_of(step(replace(instance, seq=2), parts={"votes": (second,)})))
    assert list(await state_storage.votes(LOCAL, instance.instance_id)) == [first, second]
    assert list(await state_storage.votes(LOCAL, other.instance_id)) == []
    assert list(await state_storage.votes(LOCAL, wfi("nobody"))) == []
    assert list(await state_storage.votes(OTHER, instance.instance_id)) == []


async def test_waivers_come_the_newest_first_whatever_became_of_them(state_storage: IStateStorage) -> None:
    ended = replace(WAIVER, waiver_id=WaiverId("wvr_b"), created_at=later(1), expires_at=later(2))
    for waiver in (WAIVER, ended):
        await state_storage.save_waiver(waiver)
    await state_storage.save_waiver(replace(WAIVER, tenant_id=OTHER, reason="theirs"))
    assert list(await state_storage.waivers(LOCAL)) == [ended, WAIVER]


async def test_a_waiver_serves_until_it_expires(state_storage: IStateStorage) -> None:
    assert await found(state_storage) is None
    await state_storage.save_waiver(WAIVER)
    assert await found(state_storage, at=later(99)) == "a"
    assert await found(state_storage, at=later(100)) is None
    assert await state_storage.waiver_for(LOCAL, "review", "merge", None, NOW, given_by=NOW) is None
    assert await state_storage.waiver_for(LOCAL, "audit", "publish", None, NOW, given_by=NOW) is None
    assert (
        await state_storage.waiver_for(TenantId("other"), "review", "publish", None, NOW, given_by=NOW)
        is None
    )


async def test_the_waiver_that_lasts_longest_is_found(state_storage: IStateStorage) -> None:
    for name, lasts in (("b", 50), ("c", 200), ("d", 60)):
        waiver = replace(WAIVER, waiver_id=WaiverId(f"wvr_{name}"), expires_at=later(lasts))
        await state_storage.save_waiver(waiver)
    assert await found(state_storage) == "c"


async def test_a_waiver_given_later_does_not_serve(state_storage: IStateStorage) -> None:
    await state_storage.save_waiver(WAIVER)
    longer = replace(WAIVER, waiver_id=WaiverId("wvr_b"), created_at=later(1), expires_at=later(200))
    await state_storage.save_waiver(longer)
    assert await found(state_storage, at=later(9)) == "a"
    assert await found(state_storage, at=later(9), by=later(1)) == "b"
    assert await found(state_storage, at=later(9), by=later(-1)) is None


async def test_a_waiver_for_a_feature_serves_only_its_instances(state_storage: IStateStorage) -> None:
    await state_storage.save_waiver(replace(WAIVER, feature_id="F"))
    assert await found(state_storage, "F") == "a"
    assert await found(state_storage, "G") is None
    assert await found(state_storage, None) is None


async def test_a_waiver_without_a_feature_serves_all(state_storage: IStateStorage) -> None:
    await state_storage.save_waiver(WAIVER)
    assert await found(state_storage, "F") == "a"


async def test_a_revoked_waiver_serves_nobody_and_keeps_its_time(state_storage: IStateStorage) -> None:
    await state_storage.save_waiver(WAIVER)
    revoked = await state_storage.revoke_waiver(LOCAL, WAIVER.waiver_id, later(5))
    assert revoked == replace(WAIVER, revoked_at=later(5))
    assert await found(state_storage) is None
    assert await state_storage.revoke_waiver(LOCAL, WAIVER.waiver_id, later(9)) == revoked
    assert list(await state_storage.waivers(LOCAL)) == [revoked]


async def test_an_unknown_waiver_is_not_found_nor_another_tenants(state_storage: IStateStorage) -> None:
    await state_storage.save_waiver(WAIVER)
    for tenant, name in ((LOCAL, "wvr_x"), (OTHER, WAIVER.waiver_id)):
        with pytest.raises(NotFound):
            await state_storage.revoke_waiver(tenant, WaiverId(name), NOW)
    assert await found(state_storage) == "a"
