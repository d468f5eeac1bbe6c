"""`IInstances`: reading."""

from dataclasses import replace

import pytest

from chatflow_jupyter.domain.errors import NotFound, SeqConflict
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.domain.instance import Failure, Instance, Spawned, Status, WaitingReason
from chatflow_jupyter.ports.records import InstanceFilter
from chatflow_jupyter.ports.state_storage import IStateStorage
from tests.contract.conftest import StillClock
from tests.contract.making import (
    ALICE,
    LOCAL,
    NOW,
    OTHER,
    birth,
    born,
    child_of,
    commit_of,
    later,
    new_instance,
    reference,
    request_key,
    step,
    wfi,
)


async def ids(storage: IStateStorage, **wanted: object) -> list[str]:
    found = await storage.instances(LOCAL, InstanceFilter(**wanted))  # type: ignore[arg-type]
    return [instance.instance_id for instance in found]


async def family(storage: IStateStorage, count: int = 4) -> tuple[Instance, list[Instance]]:
    """A root with children of two phases, committed in two batches."""
    parent = await born(storage, "a")
    children = [child_of(parent, index, phase="files") for index in range(count)]
    more = [child_of(parent, index, phase="notebooks") for index in range(2)]
    await storage.commit(commit_of(step(parent), *map(birth, children)))
    await storage.commit(commit_of(step(replace(parent, seq=2)), *map(birth, more)))
    return replace(parent, seq=3), [*children, *more]


async def test_an_unknown_instance_is_not_found(state_storage: IStateStorage) -> None:
    with pytest.raises(NotFound):
        await state_storage.instance(LOCAL, wfi("nobody"))


async def test_where_an_instance_stands(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    for changes, told in (
        ({"status": Status.RUNNING, "phase": "collect"}, ("running", None, "collect")),
        (
            {"status": Status.WAITING, "waiting_reason": WaitingReason.APPROVAL, "phase": "publish"},
            ("waiting", "approval", "publish"),
        ),
        ({"paused": True}, ("paused", "approval", "publish")),
        ({"status": Status.FAILED, "waiting_reason": None}, ("failed", None, "publish")),
    ):
        change = step(instance, **changes)
        await state_storage.commit(commit_of(change))
        instance = change.decision.instance
        stands = await state_storage.standing(LOCAL, instance.instance_id)
        assert (stands.status, stands.waiting_reason, stands.phase) == told
        assert (stands.instance_id, stands.seq) == (instance.instance_id, instance.seq)
    with pytest.raises(NotFound):
        await state_storage.standing(LOCAL, wfi("nobody"))


async def test_a_recent_instance_is_one_that_was_committed(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    with pytest.raises(SeqConflict):
        await state_storage.commit(commit_of(step(replace(instance, seq=7), spent_sec=9.0)))
    committed = (instance, None)
    assert state_storage.recent_instance(LOCAL, instance.instance_id) in committed
    await state_storage.commit(commit_of(step(instance, spent_sec=1.0)))
    committed = (await state_storage.instance(LOCAL, instance.instance_id), *committed)
    assert state_storage.recent_instance(LOCAL, instance.instance_id) in committed
    assert state_storage.recent_instance(TenantId("other"), instance.instance_id) is None
    assert state_storage.recent_instance(LOCAL, wfi("nobody")) is None


async def test_instances_come_the_newest_first(state_storage: IStateStorage) -> None:
    for name in ("c", "a", "b"):
        await born(state_storage, name)
    assert await ids(state_storage) == [wfi("b"), wfi("a"), wfi("c")]


async def test_only_roots_are_listed_unless_a_parent_is_given(state_storage: IStateStorage) -> None:
    parent, children = await family(state_storage)
    assert await ids(state_storage) == [parent.instance_id]
    of_parent = await ids(state_storage, parent_id=parent.instance_id)
    assert of_parent == [child.instance_id for child in children]


async def test_children_come_by_index_and_by_phase(state_storage: IStateStorage) -> None:
    parent = await born(state_storage, "a")
    children = [child_of(parent, index) for index in (2, 0, 1)]
    await state_storage.commit(
        commit_of(step(parent), *map(birth, children), birth(child_of(parent, 0, phase="x")))
    )
    found = await ids(state_storage, parent_id=parent.instance_id, phase="files")
    assert found == [children[1].instance_id, children[2].instance_id, children[0].instance_id]


async def test_at_most_limit_are_returned(state_storage: IStateStorage) -> None:
    for name in ("a", "b", "c"):
        await born(state_storage, name)
    assert await ids(state_storage, limit=2) == [wfi("c"), wfi("b")]


async def test_before_continues_after_that_instance(state_storage: IStateStorage) -> None:
    for name in ("a", "b", "c", "d"):
        await born(state_storage, name)
    assert await ids(state_storage, before=wfi("c"), limit=1) == [wfi("b")]
    assert await ids(state_storage, before=wfi("a")) == []


async def test_before_continues_even_when_that_instance_matches_no_more(state_storage: IStateStorage) -> None:
    await born(state_storage, "a")
    last = await born(state_storage, "b")
    await state_storage.commit(commit_of(step(last, status=Status.RUNNING)))
    assert await ids(state_storage, status="created", before=last.instance_id) == [wfi("a")]


async def test_before_continues_among_children(state_storage: IStateStorage) -> None:
    parent, children = await family(state_storage)
    walked: list[str] = []
    while page := await ids(
        state_storage, parent_id=parent.instance_id, limit=2, before=walked[-1] if walked else None
    ):
        walked += page
    assert walked == [child.instance_id for child in children]


async def test_every_given_field_must_match(state_storage: IStateStorage) -> None:
    await born(state_storage, "a", feature_id="F", definition=reference("audit"))
    await born(state_storage, "b", feature_id="F")
    await born(state_storage, "c")
    assert await ids(state_storage, feature_id="F") == [wfi("b"), wfi("a")]
    assert await ids(state_storage, name="review") == [wfi("c"), wfi("b")]
    assert await ids(state_storage, feature_id="F", name="review") == [wfi("b")]
    assert await ids(state_storage, feature_id="F", name="absent") == []


async def test_without_families_what_is_known_of_children_is_left_out(state_storage: IStateStorage) -> None:
    instance = await born(state_storage)
    known = {"collect": {"n": 1}, "children": {"a": {"status": "completed", "phase": "x"}}}
    asked = (Spawned(schema_ref="leaf", key="b", context={}),)
    await state_storage.commit(commit_of(step(instance, variables=known, spawned=asked)))
    (whole,) = await state_storage.instances(LOCAL, InstanceFilter())
    (bare,) = await state_storage.instances(LOCAL, InstanceFilter(families=False))
    assert (whole.variables, whole.spawned) == (known, asked)
    assert bare == replace(whole, variables={"collect": {"n": 1}, "children": {}}, spawned=())


async def test_status_is_the_one_people_see(state_storage: IStateStorage) -> None:
    waiting = {"status": Status.WAITING, "waiting_reason": WaitingReason.APPROVAL}
    await born(state_storage, "a", **waiting)
    await born(state_storage, "b", **waiting, paused=True)
    await born(state_storage, "c", status=Status.FAILED, paused=True)
    assert await ids(state_storage, status="waiting") == [wfi("a")]
    assert await ids(state_storage, status="paused") == [wfi("b")]
    assert await ids(state_storage, status="failed") == [wfi("c")]
    assert await ids(state_storage, waiting_reason="approval") == [wfi("b"), wfi("a")]
    assert await ids(state_storage, status="waiting", waiting_reason="retry") == []


async def test_the_roots_of_a_feature_are_counted_by_how_they_stand(state_storage: IStateStorage) -> None:
    waiting = {"status": Status.WAITING, "waiting_reason": WaitingReason.APPROVAL, "feature_id": "F"}
    parent = await born(state_storage, "a", **waiting)
    await state_storage.commit(commit_of(step(parent), birth(child_of(parent, 0))))
    await born(state_storage, "b", **waiting, created_at=later(60))
    await born(state_storage, "c", **waiting, paused=True)
    await born(state_storage, "d", feature_id="F", definition=reference("audit"))
    await born(state_storage, "e", feature_id="G")
    counts = await state_storage.feature_counts(LOCAL, "F")
    assert [(one.name, one.status, one.waiting_reason, one.number) for one in counts] == [
        ("audit", "created", None, 1),
        ("review", "paused", "approval", 1),
        ("review", "waiting", "approval", 2),
    ]
    assert counts[-1].newest_at == later(60)
    assert list(await state_storage.feature_counts(LOCAL, "absent")) == []


async def test_an_unknown_key_has_no_answer(state_storage: IStateStorage) -> None:
    assert await state_storage.stored_answer(LOCAL, ALICE, "k") is None


async def test_an_expired_key_has_no_answer(state_storage: IStateStorage, clock: StillClock) -> None:
    await state_storage.commit(commit_of(birth(new_instance("a")), key=request_key(expires_at=later(10))))
    clock.time = later(9)
    assert await state_storage.stored_answer(LOCAL, ALICE, "k") is not None
    clock.time = later(10)
    assert await state_storage.stored_answer(LOCAL, ALICE, "k") is None


async def with_keys(storage: IStateStorage) -> None:
    """Keys that expire after 10, 20 and 30 s, and one of another tenant after 10."""
    for seconds in (10, 20, 30):
        key = request_key(f"k{seconds}", expires_at=later(seconds))
        await storage.commit(commit_of(birth(new_instance(f"of{seconds}")), key=key))
    theirs = birth(new_instance("theirs", tenant_id=OTHER))
    await storage.commit(commit_of(theirs, key=request_key("k10", expires_at=later(10))))


async def keys(storage: IStateStorage) -> list[str]:
    """The keys there are; the clock stands where none has expired."""
    asked = [(LOCAL, "k10"), (LOCAL, "k20"), (LOCAL, "k30"), (OTHER, "k10")]
    found = [await storage.stored_answer(tenant_id, ALICE, key) for tenant_id, key in asked]
    return [f"{tenant_id} {key}" for (tenant_id, key), answer in zip(asked, found, strict=True) if answer]


async def test_keys_that_expired_at_or_before_now_are_deleted_of_all_tenants(
    state_storage: IStateStorage,
) -> None:
    await with_keys(state_storage)
    assert await state_storage.drop_expired_keys(later(9)) == 0
    assert len(await keys(state_storage)) == 4
    assert await state_storage.drop_expired_keys(later(20)) == 3
    assert await keys(state_storage) == [f"{LOCAL} k30"]
    assert (await state_storage.instance(LOCAL, wfi("of10"))).instance_id == wfi("of10")


async def test_at_most_so_many_expired_keys_are_deleted_at_once(state_storage: IStateStorage) -> None:
    await with_keys(state_storage)
    told = []
    while not told or told[-1]:
        told.append(await state_storage.drop_expired_keys(later(20), limit=2))
    assert told == [2, 1, 0]
    assert await keys(state_storage) == [f"{LOCAL} k30"]


async def test_tree_status_counts_every_node(state_storage: IStateStorage) -> None:
    parent, children = await family(state_storage)
    for child, status in zip(
        children,
        (Status.RUNNING, Status.FAILED, Status.COMPLETED, Status.WAITING, Status.COMPLETED),
        strict=False,
    ):
        await state_storage.commit(commit_of(step(child, status=status)))
    await state_storage.commit(commit_of(step(parent, status=Status.WAITING, started_at=NOW)))
    found = await state_storage.tree_status(LOCAL, parent.instance_id, later(90))
    assert (found.status, found.total_nodes) == ("running", 7)
    counts = (found.running_nodes, found.failed_nodes, found.completed_nodes, found.waiting_nodes)
    assert counts == (1, 1, 2, 2)
    assert found.execution_time_sec == 90.0


async def test_the_execution_time_ends_with_the_root_and_goes_on_when_it_is_resumed(
    state_storage: IStateStorage,
) -> None:
    root = await born(state_storage, "a", status=Status.RUNNING, started_at=NOW)
    for ended_at, expected_sec in ((later(5), 5.0), (None, 60.0), (later(30), 30.0)):
        status = Status.FAILED if ended_at else Status.RUNNING
        transition = step(root, status=status, ended_at=ended_at)
        await state_storage.commit(commit_of(transition))
        root = transition.decision.instance
        found = await state_storage.tree_status(LOCAL, root.instance_id, later(60))
        assert (found.execution_time_sec, found.status) == (expected_sec, str(status))


async def test_a_tolerated_failure_counts_as_failed_but_does_not_fail_the_tree(
    state_storage: IStateStorage,
) -> None:
    parent = await born(state_storage, "a", status=Status.COMPLETED)
    child = child_of(parent, 0, tolerated=True, status=Status.FAILED, failure=Failure(code="x", message="y"))
    await state_storage.commit(commit_of(step(parent), birth(child)))
    found = await state_storage.tree_status(LOCAL, parent.instance_id, NOW)
    assert (found.status, found.failed_nodes) == ("completed", 1)


@pytest.mark.parametrize("which", ["nobody", "child"])
async def test_the_status_of_what_is_no_root_is_not_found(state_storage: IStateStorage, which: str) -> None:
    _, children = await family(state_storage, 1)
    unknown = wfi("nobody") if which == "nobody" else children[0].instance_id
    with pytest.raises(NotFound):
        await state_storage.tree_status(LOCAL, unknown, NOW)


async def test_a_tree_comes_parents_before_children_in_order_of_creation(
    state_storage: IStateStorage,
) -> None:
    parent, children = await family(state_storage)
    grandchild = child_of(children[0], 0)
    await state_storage.commit(commit_of(step(children[0]), birth(grandchild)))
    await born(state_storage, "zz")
    found = await state_storage.tree(LOCAL, parent.instance_id)
    expected = [parent, *children, grandchild]
    assert [node.instance_id for node in found] == [node.instance_id for node in expected]


async def test_a_tree_is_read_page_by_page(state_storage: IStateStorage) -> None:
    parent, _ = await family(state_storage)
    whole = await state_storage.tree(LOCAL, parent.instance_id)
    walked: list[Instance] = []
    while page := await state_storage.tree(
        LOCAL, parent.instance_id, after=walked[-1].instance_id if walked else None, limit=3
    ):
        walked += page
    assert walked == list(whole)
