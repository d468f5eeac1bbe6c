"""What an SQL store remembers of its own commits, and that this is only ever a first guess."""

import asyncio
from dataclasses import replace
from pathlib import Path

from chatflow_jupyter.adapters.sql import open_sqlite
from chatflow_jupyter.adapters.sql.recent import (
    LARGEST_CHARS,
    LARGEST_PARENT_CHARS,
    MOST_KEPT,
    MOST_PARENTS_KEPT,
    RecentInstances,
)
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.conftest import StillClock
from tests.contract.making import LOCAL, born, commit_of, new_instance, step


def kept(recent: RecentInstances, instance: Instance) -> Instance | None:
    return recent.of(LOCAL, instance.instance_id)


async def test_what_was_just_committed_is_remembered(sqlite_storage: IStateStorage) -> None:
    instance = await born(sqlite_storage)
    await sqlite_storage.commit(commit_of(step(instance, spent_sec=1.0)))
    stored = await sqlite_storage.instance(LOCAL, instance.instance_id)
    assert sqlite_storage.recent_instance(LOCAL, instance.instance_id) == stored


async def test_what_another_process_committed_is_found_out_at_the_commit(
    tmp_path: Path, clock: StillClock
) -> None:
    path = tmp_path / "home" / "chatflow.db"
    ours, theirs = await open_sqlite(path, clock=clock), await open_sqlite(path, clock=clock)
    try:
        instance = await born(ours)
        await ours.commit(commit_of(step(instance, spent_sec=1.0)))
        await theirs.commit(
            commit_of(step(await theirs.instance(LOCAL, instance.instance_id), spent_sec=2.0))
        )
        guess = ours.recent_instance(LOCAL, instance.instance_id)
        assert guess is not None
        assert guess.spent_sec == 1.0
        refused = await asyncio.gather(ours.commit(commit_of(step(guess))), return_exceptions=True)
        assert [getattr(each, "code", None) for each in refused] == ["seq_conflict"]
    finally:
        await ours.close()
        await theirs.close()


def test_large_and_ended_instances_are_forgotten() -> None:
    recent, instance = RecentInstances(), new_instance("a")
    recent.keep([(instance, LARGEST_CHARS)])
    assert kept(recent, instance) == instance
    recent.keep([(replace(instance, seq=2), LARGEST_CHARS + 1)])
    assert kept(recent, instance) is None
    recent.keep([(replace(instance, seq=3), 1)])
    recent.keep([(replace(instance, seq=4, status=Status.COMPLETED), 1)])
    assert kept(recent, instance) is None


def test_what_was_created_with_much_is_not_kept() -> None:
    recent = RecentInstances()
    for context in ({"text": "x" * LARGEST_CHARS}, {"many": [{"a": n} for n in range(LARGEST_CHARS)]}):
        instance = new_instance("a", context=context)
        recent.keep([(instance, 1)])
        assert kept(recent, instance) is None
    small = new_instance("a", context={"text": "x" * (LARGEST_CHARS - 100)})
    recent.keep([(small, 1)])
    recent.keep([(replace(small, seq=2), 1)])
    assert kept(recent, small) == replace(small, seq=2)


def test_of_two_commits_answered_in_the_other_order_the_later_one_stays() -> None:
    recent, instance = RecentInstances(), new_instance("a")
    recent.keep([(replace(instance, seq=3), 1)])
    recent.keep([(replace(instance, seq=2), 1)])
    assert kept(recent, instance) == replace(instance, seq=3)


def test_the_one_unchanged_longest_goes_first() -> None:
    recent = RecentInstances()
    instances = [new_instance(f"n{number}") for number in range(MOST_KEPT + 1)]
    recent.keep((instance, 1) for instance in instances[:-1])
    recent.keep([(replace(instances[0], seq=2), 1), (instances[-1], 1)])
    assert [kept(recent, each) is None for each in instances[:3]] == [False, True, False]


def parent(name: str, **context: object) -> Instance:
    known: dict[str, object] = {"children": {"k": {"status": "completed"}}}
    return new_instance(name, variables=known, context=context)


def test_a_parent_of_a_long_list_is_kept_for_it_is_read_at_the_end_of_each_child() -> None:
    recent, instance = RecentInstances(), parent("a", items=list(range(LARGEST_CHARS)))
    recent.keep([(instance, LARGEST_PARENT_CHARS)])
    assert kept(recent, instance) == instance
    recent.keep([(replace(instance, seq=2), LARGEST_PARENT_CHARS + 1)])
    assert kept(recent, instance) is None
    recent.keep([(parent("a", text="x" * LARGEST_PARENT_CHARS), 1)])
    assert kept(recent, instance) is None


def test_of_parents_only_a_few_are_kept_and_one_that_ended_is_not() -> None:
    recent, others = RecentInstances(), new_instance("other")
    parents = [parent(f"p{number}") for number in range(MOST_PARENTS_KEPT + 1)]
    recent.keep([(others, 1), *((each, 1) for each in parents)])
    assert [kept(recent, each) is not None for each in parents] == [False] + [True] * MOST_PARENTS_KEPT
    assert kept(recent, others) == others
    recent.keep([(replace(parents[1], seq=2, status=Status.COMPLETED), 1)])
    assert kept(recent, parents[1]) is None
