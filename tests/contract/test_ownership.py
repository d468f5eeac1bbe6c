"""`IOwnership`: who drives which tree."""

from typing import Any

import pytest

from chatflow_jupyter.domain.decision import Continuation, ContinuationKind, TimerChange, TimerKind
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.domain.instance import CurrentAttempt, Status, WaitingReason
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import (
    LOCAL,
    NO_ATTEMPT,
    OTHER,
    birth,
    born,
    child_of,
    commit_of,
    later,
    new_instance,
    owner,
    started,
    step,
    wfi,
)

ME, YOU = OwnerId("me"), OwnerId("you")


async def unfinished(storage: IStateStorage) -> list[str]:
    return [tree.root_id for tree in await storage.unfinished_trees()]


async def test_registered_owners_are_returned_exactly(state_storage: IStateStorage) -> None:
    registered = [owner("me"), owner("you", kind="background", pid=43, registered_at=later(1))]
    for each in registered:
        await state_storage.register_owner(each)
    assert list(await state_storage.owners()) == registered


async def test_the_trees_of_a_removed_owner_have_none(state_storage: IStateStorage) -> None:
    await state_storage.register_owner(owner("me"))
    await started(state_storage, "a", owner_id=ME)
    await started(state_storage, "b", owner_id=YOU, tenant_id=OTHER)
    await state_storage.remove_owner(ME)
    assert await state_storage.owners() == ()
    assert await state_storage.owner_of(LOCAL, wfi("a")) is None
    assert await state_storage.owner_of(OTHER, wfi("b")) == YOU


async def test_the_owner_of_an_unknown_tree_is_not_found(state_storage: IStateStorage) -> None:
    with pytest.raises(NotFound):
        await state_storage.owner_of(LOCAL, wfi("nobody"))


@pytest.mark.parametrize(
    ("held_by", "instead_of", "adopted"),
    [(None, None, True), (YOU, YOU, True), (ME, YOU, True), (YOU, None, False), (None, YOU, False)],
)
async def test_adopting_works_if_instead_of_still_drives_the_tree(
    state_storage: IStateStorage, held_by: OwnerId | None, instead_of: OwnerId | None, adopted: bool
) -> None:
    await started(state_storage, owner_id=held_by)
    assert await state_storage.adopt(LOCAL, wfi("a"), ME, instead_of=instead_of) is adopted
    assert await state_storage.owner_of(LOCAL, wfi("a")) == (ME if adopted else held_by)


async def test_an_unknown_tree_is_not_adopted(state_storage: IStateStorage) -> None:
    assert not await state_storage.adopt(LOCAL, wfi("nobody"), ME, instead_of=None)


async def test_unfinished_trees_say_who_has_them(state_storage: IStateStorage) -> None:
    await started(state_storage, "a", owner_id=ME, tenant_id=OTHER)
    (tree,) = await state_storage.unfinished_trees()
    assert (tree.tenant_id, tree.root_id, tree.owner_id) == (OTHER, wfi("a"), ME)


async def test_unfinished_trees_come_the_oldest_first(state_storage: IStateStorage) -> None:
    for number, name in enumerate(("c", "a", "b")):
        await started(state_storage, name, created_at=later(number))
    assert await unfinished(state_storage) == [wfi("c"), wfi("a"), wfi("b")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": Status.CREATED}, False),
        ({"status": Status.RUNNING}, True),
        ({"status": Status.RUNNING, "paused": True}, False),
        (
            {
                "status": Status.RUNNING,
                "paused": True,
                "attempt": CurrentAttempt(attempt_id=NO_ATTEMPT, number=1),
            },
            True,
        ),
        ({"status": Status.WAITING, "waiting_reason": WaitingReason.APPROVAL}, False),
        ({"status": Status.COMPLETED}, False),
        ({"status": Status.FAILED}, False),
    ],
)
async def test_a_running_node_makes_its_tree_unfinished(
    state_storage: IStateStorage, fields: dict[str, Any], expected: bool
) -> None:
    root = await born(state_storage, "a", status=Status.WAITING, waiting_reason=WaitingReason.CHILDREN)
    child = child_of(root, 0)
    await state_storage.commit(commit_of(step(root), birth(child)))
    await state_storage.commit(commit_of(step(child, **fields)))
    assert await unfinished(state_storage) == ([root.instance_id] if expected else [])


@pytest.mark.parametrize(("kind", "expected"), [(TimerKind.RETRY, True), (TimerKind.GATE_EXPIRY, False)])
async def test_a_retry_timer_makes_its_tree_unfinished(
    state_storage: IStateStorage, kind: TimerKind, expected: bool
) -> None:
    timer = TimerChange(kind=kind, due_at=later(60))
    await state_storage.commit(commit_of(birth(new_instance("a"), timers=(timer,))))
    assert await unfinished(state_storage) == ([wfi("a")] if expected else [])


async def test_a_waiting_continuation_makes_its_tree_unfinished(state_storage: IStateStorage) -> None:
    root = await born(state_storage, "a")
    child = child_of(root, 0, status=Status.COMPLETED)
    note = Continuation(
        instance_id=root.instance_id, kind=ContinuationKind.CHILD_ENDED, about=child.instance_id
    )
    await state_storage.commit(commit_of(step(root), birth(child, continuations=(note,))))
    assert await unfinished(state_storage) == [root.instance_id]
    await state_storage.drop_continuations(
        [row.continuation_id for row in await state_storage.continuations()]
    )
    assert await unfinished(state_storage) == []
