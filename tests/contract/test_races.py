"""Many at once: exactly one wins, and nothing is lost."""

import asyncio
from dataclasses import replace

from chatflow_jupyter.domain.decision import StartAttempt
from chatflow_jupyter.domain.errors import Conflict, SeqConflict
from chatflow_jupyter.domain.ids import OwnerId, RunnerId
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.ports.records import Commit
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    ALICE,
    LOCAL,
    NO_ATTEMPT,
    NOW,
    birth,
    born,
    child_of,
    claimed,
    commit_of,
    later,
    new_instance,
    request_key,
    running,
    started,
    step,
    wfi,
)

MANY = 24


async def tried(storage: IStateStorage, commit: Commit) -> str:
    try:
        await storage.commit(commit)
    except Conflict as error:
        return error.code
    return "done"


async def test_of_many_claims_exactly_one_gets_an_attempt(state_storage: IStateStorage) -> None:
    await started(state_storage)
    claims = (
        state_storage.claim(RunnerId(f"r{number}"), None, now=NOW, lease_expires_at=later(30))
        for number in range(MANY)
    )
    assert len([row for row in await asyncio.gather(*claims) if row is not None]) == 1


async def test_as_many_claims_as_attempts_get_one_each(state_storage: IStateStorage) -> None:
    await state_storage.commit(commit_of(*(running(f"n{number:02}") for number in range(MANY))))
    rows = await asyncio.gather(*(claimed(state_storage) for _ in range(MANY)))
    assert {row.instance_id for row in rows} == {wfi(f"n{number:02}") for number in range(MANY)}


async def test_of_many_transitions_from_one_state_exactly_one_is_committed(
    state_storage: IStateStorage,
) -> None:
    instance = await born(state_storage)
    commits = [commit_of(step(instance, spent_sec=float(number))) for number in range(1, MANY)]
    results = await asyncio.gather(*(tried(state_storage, commit) for commit in commits))
    assert sorted(results) == ["done"] + ["seq_conflict"] * (MANY - 2)
    winner = (await state_storage.instance(LOCAL, instance.instance_id)).spent_sec
    assert results[int(winner) - 1] == "done"
    assert len(await state_storage.events(LOCAL)) == 2


async def test_of_many_commits_with_one_key_exactly_one_is_committed(state_storage: IStateStorage) -> None:
    commits = [
        commit_of(birth(new_instance(f"n{number:02}")), key=request_key(answer=str(number)))
        for number in range(MANY)
    ]
    results = await asyncio.gather(*(tried(state_storage, commit) for commit in commits))
    assert sorted(results) == ["done"] + ["key_taken"] * (MANY - 1)
    assert len(await state_storage.events(LOCAL)) == 1


async def test_a_key_that_lost_its_race_for_the_instance_is_not_burnt(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    await state_storage.commit(commit_of(step(instance)))
    assert await tried(state_storage, commit_of(step(instance), key=request_key())) == SeqConflict.code
    assert await tried(state_storage, commit_of(step(replace(instance, seq=2)), key=request_key())) == "done"


async def test_of_commits_made_together_one_that_fails_late_leaves_nothing(
    state_storage: IStateStorage,
) -> None:
    instances = [await started(state_storage, f"n{number:02}") for number in range(MANY)]
    late = StartAttempt(attempt_id=NO_ATTEMPT, fence=1, started_at=NOW)
    commits = [
        commit_of(
            birth(new_instance(f"new{number:02}")),
            step(each, spent_sec=1.0, parts={"attempts": (late,) if number % 2 else ()}),
            key=request_key(f"k{number}"),
        )
        for number, each in enumerate(instances)
    ]
    results = await asyncio.gather(*(tried(state_storage, commit) for commit in commits))
    assert results == ["done", "stale_fence"] * (MANY // 2)
    found = [(await state_storage.instance(LOCAL, each.instance_id)).spent_sec for each in instances]
    assert found == [1.0, 0.0] * (MANY // 2)
    positions = [each.position for each in await state_storage.events(LOCAL)]
    assert positions == list(range(1, 1 + 2 * MANY))
    assert await state_storage.stored_answer(LOCAL, ALICE, "k1") is None


async def test_one_batch_of_children_committed_many_times_counts_once(state_storage: IStateStorage) -> None:
    parent = await born(state_storage)
    children = [birth(child_of(parent, index)) for index in range(5)]

    async def batch() -> None:
        while True:
            current: Instance = await state_storage.instance(LOCAL, parent.instance_id)
            if await tried(state_storage, commit_of(step(current), *children)) == "done":
                return

    await asyncio.gather(*(batch() for _ in range(6)))
    assert (await state_storage.tree_status(LOCAL, parent.instance_id, NOW)).total_nodes == 6
    assert len(await state_storage.events(LOCAL)) == 1 + 6 + 5


async def test_counters_are_right_after_children_ended_at_once(state_storage: IStateStorage) -> None:
    parent = await born(state_storage)
    children = [child_of(parent, index, status=Status.RUNNING) for index in range(MANY)]
    await state_storage.commit(commit_of(step(parent), *map(birth, children)))
    ends = (state_storage.commit(commit_of(step(child, status=Status.COMPLETED))) for child in children)
    await asyncio.gather(*ends)
    status = await state_storage.tree_status(LOCAL, parent.instance_id, NOW)
    assert (status.running_nodes, status.completed_nodes, status.total_nodes) == (0, MANY, MANY + 1)
    positions = [each.position for each in await state_storage.events(LOCAL)]
    assert positions == list(range(1, 2 + 1 + 2 * MANY))


async def test_of_many_owners_exactly_one_adopts_a_tree(state_storage: IStateStorage) -> None:
    await started(state_storage)
    owners = [OwnerId(f"o{number}") for number in range(MANY)]
    adopted = await asyncio.gather(
        *(state_storage.adopt(LOCAL, wfi("a"), each, instead_of=None) for each in owners)
    )
    assert adopted.count(True) == 1
    assert await state_storage.owner_of(LOCAL, wfi("a")) == owners[adopted.index(True)]


async def test_of_many_writers_of_a_journal_entry_the_first_wins_for_all(
    state_storage: IStateStorage,
) -> None:
    await started(state_storage)
    attempt = await claimed(state_storage)
    entries = await asyncio.gather(
        *(
            state_storage.journal_put(
                LOCAL, attempt.attempt_id, attempt.fence, "charge", value=number, now=NOW
            )
            for number in range(MANY)
        )
    )
    assert len({entry.value for entry in entries}) == 1
