"""`IAttempts`: leases and fences."""

import pytest

from chatflow_jupyter.domain.decision import CancelAttempt, EndAttempt
from chatflow_jupyter.domain.errors import NotFound, StaleFence
from chatflow_jupyter.domain.ids import OwnerId, Principal, RunnerId
from chatflow_jupyter.ports.records import Progress, Serves
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    ALICE,
    LOCAL,
    NO_ATTEMPT,
    NOW,
    OTHER,
    RUNNER,
    below,
    claimed,
    commit_of,
    later,
    queued,
    running,
    started,
    step,
    wfi,
)

ME, YOU = OwnerId("me"), OwnerId("you")
BOB = Principal("bob")


async def test_the_attempt_queued_longest_is_leased_first_whatever_its_tenant(
    state_storage: IStateStorage,
) -> None:
    await started(state_storage, "b", at=later(2))
    await started(state_storage, "a", at=later(3))
    await started(state_storage, "c", at=later(1), tenant_id=OTHER)
    order = [(await claimed(state_storage)).instance_id for _ in range(3)]
    assert order == [wfi("c"), wfi("b"), wfi("a")]


async def test_attempts_queued_at_one_moment_are_leased_in_order_of_commit(
    state_storage: IStateStorage,
) -> None:
    await state_storage.commit(commit_of(running("b"), running("c")))
    await started(state_storage, "a")
    order = [(await claimed(state_storage)).instance_id for _ in range(3)]
    assert order == [wfi("b"), wfi("c"), wfi("a")]


async def test_a_claim_returns_the_leased_attempt(state_storage: IStateStorage) -> None:
    instance = await started(state_storage, owner_id=ME)
    attempt = await state_storage.claim(RUNNER, ME, now=NOW, lease_expires_at=later(30))
    assert attempt is not None
    assert (attempt.status, attempt.runner_id, attempt.owner_id) == ("leased", RUNNER, ME)
    assert (attempt.lease_expires_at, attempt.fence) == (later(30), 1)
    assert attempt == await state_storage.attempt(LOCAL, queued(instance).attempt_id)


async def test_no_queued_attempt_means_none(state_storage: IStateStorage) -> None:
    assert await state_storage.claim(RUNNER, None, now=NOW, lease_expires_at=later(30)) is None
    await started(state_storage)
    await claimed(state_storage)
    assert await state_storage.claim(RUNNER, None, now=NOW, lease_expires_at=later(30)) is None


async def test_with_an_owner_only_attempts_of_its_trees_are_considered(state_storage: IStateStorage) -> None:
    await started(state_storage, "a", owner_id=YOU)
    await started(state_storage, "b")
    await started(state_storage, "c", owner_id=ME)
    assert (await claimed(state_storage, ME)).instance_id == wfi("c")
    assert await state_storage.claim(RUNNER, ME, now=NOW, lease_expires_at=later(30)) is None


async def test_a_runner_holds_only_what_it_serves(state_storage: IStateStorage) -> None:
    await started(state_storage, "a", principal=ALICE)
    await started(state_storage, "b", principal=BOB)
    await started(state_storage, "c", principal=BOB, run_as="tenant")
    await started(state_storage, "d", principal=BOB, run_as="tenant", tenant_id=OTHER)

    async def taken_by(serves: Serves) -> list[str]:
        taken = []
        while row := await state_storage.claim(
            RUNNER, None, now=NOW, lease_expires_at=later(30), serves=serves
        ):
            assert serves.may_hold(row)
            taken.append(row.instance_id)
        return taken

    assert await taken_by(Serves(tenant_id=LOCAL, starter=Principal("nobody"))) == []
    assert await taken_by(Serves(tenant_id=LOCAL, starter=BOB)) == [wfi("b")]
    assert await taken_by(Serves(tenant_id=LOCAL)) == [wfi("c")]
    assert await taken_by(Serves(tenant_id=OTHER, starter=BOB)) == []
    assert {(await claimed(state_storage)).instance_id for _ in range(2)} == {wfi("a"), wfi("d")}


async def test_a_heartbeat_extends_the_lease_and_keeps_the_last_progress(
    state_storage: IStateStorage,
) -> None:
    await started(state_storage)
    attempt = await claimed(state_storage)
    progress = Progress(cell_index=1, cells_total=3, cell_name="loading")
    for number, reported in enumerate((progress, None)):
        await state_storage.heartbeat(
            LOCAL, attempt.attempt_id, attempt.fence, lease_expires_at=later(60 + number), progress=reported
        )
        found = await state_storage.attempt(LOCAL, attempt.attempt_id)
        assert (found.lease_expires_at, found.progress) == (later(60 + number), progress)


@pytest.mark.parametrize("situation", ["other fence", "ended", "cancelled", "queued", "absent"])
async def test_a_heartbeat_of_an_attempt_not_leased_under_the_fence_is_stale(
    state_storage: IStateStorage, situation: str
) -> None:
    instance = await started(state_storage)
    attempt_id, fence = queued(instance).attempt_id, 0
    if situation != "queued":
        fence = (await claimed(state_storage)).fence + (situation == "other fence")
    if situation == "absent":
        attempt_id = NO_ATTEMPT
    ended = EndAttempt(attempt_id=attempt_id, fence=fence, status="succeeded", ended_at=NOW)
    change = CancelAttempt(attempt_id=attempt_id, ended_at=NOW) if situation == "cancelled" else ended
    if situation in ("ended", "cancelled"):
        await state_storage.commit(commit_of(step(instance, parts={"attempts": (change,)})))
    with pytest.raises(StaleFence):
        await state_storage.heartbeat(LOCAL, attempt_id, fence, lease_expires_at=later(60), progress=None)


async def test_an_unknown_attempt_is_not_found(state_storage: IStateStorage) -> None:
    with pytest.raises(NotFound):
        await state_storage.attempt(LOCAL, NO_ATTEMPT)


async def test_the_attempts_of_an_instance_come_in_the_order_they_were_queued(
    state_storage: IStateStorage,
) -> None:
    instance = await started(state_storage)
    for number in range(2, 12):
        transition = step(instance, parts={"attempts": (queued(instance, number),)})
        await state_storage.commit(commit_of(transition))
        instance = transition.decision.instance
    found = await state_storage.attempts(LOCAL, instance.instance_id)
    assert [attempt.number for attempt in found] == list(range(1, 12))


async def test_expired_leases_are_those_that_ended_before_now_the_oldest_first(
    state_storage: IStateStorage,
) -> None:
    for name, lease_sec in (("a", 20), ("b", 10), ("c", 30)):
        await started(state_storage, name, tenant_id=OTHER if name == "b" else LOCAL)
        await claimed(state_storage, lease_sec=lease_sec)
    await started(state_storage, "d")
    found = await state_storage.expired_leases(later(30))
    assert [attempt.instance_id for attempt in found] == [wfi("b"), wfi("a")]
    assert [attempt.instance_id for attempt in await state_storage.expired_leases(later(31), limit=1)] == [
        wfi("b")
    ]


async def test_expired_leases_go_on_behind_one_that_may_have_ended_also_within_a_moment(
    state_storage: IStateStorage,
) -> None:
    instances = {}
    for name, tenant_id in (("a", OTHER), ("b", LOCAL), ("c", LOCAL), ("d", LOCAL)):
        instance = await started(state_storage, name, tenant_id=tenant_id)
        instances[instance.instance_id] = instance
        await claimed(state_storage, lease_sec=10 if name != "d" else 20)
    expired = await state_storage.expired_leases(later(30))
    assert expired[-1].instance_id == wfi("d")
    for number, lease in enumerate(expired):
        rest = list(expired[number + 1 :])
        assert list(await state_storage.expired_leases(later(30), limit=2, after=lease)) == rest[:2]
        lost = EndAttempt(attempt_id=lease.attempt_id, fence=lease.fence, status="lost", ended_at=NOW)
        await state_storage.commit(commit_of(step(instances[lease.instance_id], parts={"attempts": (lost,)})))
        assert list(await state_storage.expired_leases(later(30), after=lease)) == rest


async def test_leases_of_an_owner_are_those_leased_through_it(state_storage: IStateStorage) -> None:
    mine = await started(state_storage, "a", owner_id=ME)
    await started(state_storage, "b", owner_id=YOU)
    await started(state_storage, "c", owner_id=ME)
    await claimed(state_storage, ME)
    await claimed(state_storage, YOU)
    (found,) = await state_storage.leases_of(ME)
    assert found.instance_id == mine.instance_id


async def test_running_attempts_are_the_queued_and_leased_ones_of_the_tree(
    state_storage: IStateStorage,
) -> None:
    first = await started(state_storage, "a")
    await started(state_storage, "b", **below(first.instance_id))
    await started(state_storage, "c")
    attempt = await state_storage.claim(RunnerId("r"), None, now=NOW, lease_expires_at=later(30))
    assert attempt is not None
    progress = Progress(cell_index=2, cells_total=9)
    await state_storage.heartbeat(
        LOCAL, attempt.attempt_id, attempt.fence, lease_expires_at=later(60), progress=progress
    )
    found = await state_storage.running_attempts(first.instance_id, LOCAL)
    assert [(each.instance_id, each.status, each.progress) for each in found] == [
        (wfi("a"), "leased", progress),
        (wfi("b"), "queued", None),
    ]
    ended = EndAttempt(attempt_id=attempt.attempt_id, fence=attempt.fence, status="succeeded", ended_at=NOW)
    await state_storage.commit(commit_of(step(first, parts={"attempts": (ended,)})))
    assert [each.instance_id for each in await state_storage.running_attempts(first.instance_id, LOCAL)] == [
        wfi("b")
    ]


async def test_a_lease_that_was_given_up_and_queued_again_is_a_new_attempt_under_a_fence_of_its_own(
    state_storage: IStateStorage,
) -> None:
    instance = await started(state_storage)
    first = await claimed(state_storage)
    lost = EndAttempt(attempt_id=first.attempt_id, fence=first.fence, status="lost", ended_at=NOW)
    await state_storage.commit(commit_of(step(instance, parts={"attempts": (lost, queued(instance, 2))})))
    second = await claimed(state_storage)
    assert second.number == 2
    with pytest.raises(StaleFence):
        await state_storage.heartbeat(
            LOCAL, first.attempt_id, first.fence, lease_expires_at=later(60), progress=None
        )
