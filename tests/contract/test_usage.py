"""What subtrees have used of their limits: counted with every commit, and no limit on children is passed."""

import asyncio
from dataclasses import replace

import pytest

from chatflow_jupyter.adapters.sql import DatabaseStateStorage
from chatflow_jupyter.domain.definition import Quota
from chatflow_jupyter.domain.errors import ChatFlowError, NotFound, SeqConflict, StoreDamaged
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.usage import MAX_CHILDREN_OF_TREE, Usage
from chatflow_jupyter.ports.records import Transition
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.making import LOCAL, OTHER, birth, born, child_of, commit_of, step, wfi


def using(transition: Transition, *, spent_sec: float = 0.0, asked: int = 0) -> Transition:
    decision = replace(transition.decision, spent_sec=spent_sec, asked=asked)
    return replace(transition, decision=decision)


async def usage(storage: IStateStorage, *who: Instance) -> list[Usage]:
    used = await storage.used(LOCAL, who[0].root_id, [one.instance_id for one in who])
    return [used.by(one.instance_id) for one in who]


async def family(storage: IStateStorage, most: int | None = None) -> tuple[Instance, Instance, Instance]:
    """A root with a quota, a child without one, and below that a grandchild with one of its own."""
    root = await born(storage, quota=Quota(max_children=most, max_duration_sec=100))
    child = child_of(root, 0, quota=Quota(), lineage=root.limits)
    grandchild = child_of(child, 0, quota=Quota(max_duration_sec=5), lineage=child.limits)
    await storage.commit(commit_of(birth(child), birth(grandchild)))
    return root, child, grandchild


async def test_what_is_used_counts_for_everybody_whose_limits_it_is_under(
    state_storage: IStateStorage,
) -> None:
    root, child, grandchild = await family(state_storage)
    assert await usage(state_storage, root, grandchild) == [Usage(), Usage()]
    await state_storage.commit(commit_of(using(step(grandchild), spent_sec=1.5, asked=2)))
    await state_storage.commit(commit_of(using(step(child), spent_sec=2.0)))
    await state_storage.commit(commit_of(using(step(root), spent_sec=4.0, asked=3)))
    assert await usage(state_storage, root, grandchild) == [
        Usage(spent_sec=7.5, children=5),
        Usage(spent_sec=1.5, children=2),
    ]


async def test_one_that_is_born_may_have_used_something_already(state_storage: IStateStorage) -> None:
    root = await born(state_storage)
    child = child_of(root, 0, lineage=root.limits)
    together = using(birth(child), asked=2), using(step(root), asked=1)
    await state_storage.commit(commit_of(*together))
    assert [one.children for one in await usage(state_storage, root, child)] == [3, 2]
    await state_storage.commit(commit_of(using(birth(child), asked=2)))
    assert [one.children for one in await usage(state_storage, root, child)] == [3, 2], "born again"


async def test_all_children_asked_for_in_a_tree_are_counted_with_limits_or_without(
    state_storage: IStateStorage,
) -> None:
    root = await born(state_storage, quota=Quota())
    child = child_of(root, 0, quota=Quota())
    await state_storage.commit(commit_of(using(step(root), asked=1), using(birth(child), asked=4)))
    assert (await state_storage.used(LOCAL, root.root_id, [])).in_tree == 5


async def test_more_children_than_a_limit_has_room_for_are_refused(state_storage: IStateStorage) -> None:
    root, child, grandchild = await family(state_storage, most=4)
    await state_storage.commit(commit_of(using(step(child), asked=3)))
    late = using(step(grandchild), spent_sec=9.0, asked=2)
    with pytest.raises(SeqConflict):
        await state_storage.commit(commit_of(late))
    assert await state_storage.instance(LOCAL, grandchild.instance_id) == grandchild
    assert await usage(state_storage, root, grandchild) == [Usage(children=3), Usage()]
    await state_storage.commit(commit_of(using(step(grandchild), spent_sec=9.0, asked=1)))
    await state_storage.commit(commit_of(using(step(root), spent_sec=200.0)))
    assert (await usage(state_storage, root))[0] == Usage(spent_sec=209.0, children=4)


async def test_one_commit_that_asks_in_several_places_is_added_up(state_storage: IStateStorage) -> None:
    _, child, grandchild = await family(state_storage, most=4)
    with pytest.raises(SeqConflict):
        await state_storage.commit(commit_of(using(step(child), asked=2), using(step(grandchild), asked=3)))
    await state_storage.commit(commit_of(using(step(child), asked=2), using(step(grandchild), asked=2)))


async def test_a_tree_has_room_for_so_many_whatever_its_quota(state_storage: IStateStorage) -> None:
    root = await born(state_storage, quota=Quota())
    child = child_of(root, 0, quota=Quota())
    most = MAX_CHILDREN_OF_TREE
    await state_storage.commit(commit_of(using(step(root), asked=most - 1), birth(child)))
    with pytest.raises(SeqConflict):
        await state_storage.commit(commit_of(using(step(child), asked=2)))
    await state_storage.commit(commit_of(using(step(child), asked=1)))
    with pytest.raises(SeqConflict):
        await born_asking(state_storage, most + 1)


async def born_asking(storage: IStateStorage, children: int) -> None:
    root = birth(replace(await born(storage, "b"), instance_id=wfi("c"), root_id=wfi("c")))
    await storage.commit(commit_of(using(root, asked=children)))


async def test_of_many_who_ask_at_once_no_more_get_children_than_there_is_room_for(
    state_storage: IStateStorage,
) -> None:
    root = await born(state_storage, quota=Quota(max_children=10))
    siblings = [child_of(root, index, quota=Quota(), lineage=root.limits) for index in range(24)]
    await state_storage.commit(commit_of(*map(birth, siblings)))

    async def asks(child: Instance) -> bool:
        try:
            await state_storage.commit(commit_of(using(step(child), asked=3)))
        except SeqConflict:
            return False
        return True

    assert (await asyncio.gather(*map(asks, siblings))).count(True) == 3
    assert (await usage(state_storage, root))[0].children == 9


async def test_another_tenants_tree_is_not_found(state_storage: IStateStorage) -> None:
    root = await born(state_storage)
    with pytest.raises(NotFound):
        await state_storage.used(OTHER, root.root_id, [root.instance_id])
    with pytest.raises(NotFound):
        await state_storage.used(LOCAL, wfi("nobody"), [])


async def test_a_limit_of_which_nothing_is_known_is_damage(state_storage: IStateStorage) -> None:
    root = await born(state_storage)
    free = await born(state_storage, "free", quota=Quota())
    with pytest.raises(StoreDamaged):
        await state_storage.used(LOCAL, root.root_id, [free.instance_id])


@pytest.mark.parametrize("column", ["spent_sec", "children", "max_children"])
async def test_usage_that_is_no_number_is_named(sqlite_storage: DatabaseStateStorage, column: str) -> None:
    root = await born(sqlite_storage)
    await sqlite_storage._database.write(lambda c: c.exec_driver_sql(f"UPDATE usage SET {column} = 'much'"))
    with pytest.raises(StoreDamaged, match="table usage") as damaged:
        await sqlite_storage.used(LOCAL, root.root_id, [root.instance_id])
    assert isinstance(damaged.value, ChatFlowError)
