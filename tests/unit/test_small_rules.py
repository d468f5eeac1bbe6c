"""References, ids and the roll-up of a tree."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.ids import InstanceId, attempt_id, child_id, event_id
from chatflow_jupyter.domain.references import field_reference, resolve
from chatflow_jupyter.domain.tree import NodeClass, roll_up, tree_status

PARENT = InstanceId("wfi_parent")


def test_references_are_replaced_wherever_they_stand() -> None:
    view = {"a": {"b": [10, {"c": None}]}}
    template = {"x": {"field": "a.b.0"}, "y": [{"field": "a.b.1.c"}], "z": {"field": "a", "more": 1}, "n": 1}
    assert resolve(template, view) == {"x": 10, "y": [None], "z": {"field": "a", "more": 1}, "n": 1}


@pytest.mark.parametrize("path", ["nobody", "a.nobody", "a.b.2", "a.b.0.x"])
def test_an_absent_variable_is_named(path: str) -> None:
    with pytest.raises(LookupError, match=path):
        resolve([{"field": path}], {"a": {"b": [10]}})


@pytest.mark.parametrize("value", [{}, {"field": 1}, {"field": "a", "x": 1}, "field", None, ["field"]])
def test_only_a_single_key_makes_a_reference(value: object) -> None:
    assert field_reference(value) is None  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 500)), unique=True, min_size=2, max_size=20))
def test_derived_ids_differ_and_repeat(pairs: list[tuple[str, int]]) -> None:
    ids = [child_id(PARENT, phase, index) for phase, index in pairs]
    assert len(set(ids)) == len(ids)
    assert ids == [child_id(PARENT, phase, index) for phase, index in pairs]
    assert all(len(one) == 30 and one.startswith("wfi_") for one in ids)
    assert len({attempt_id(PARENT, phase, index) for phase, index in pairs}) == len(pairs)
    assert len({event_id(PARENT, index, len(phase)) for phase, index in pairs}) <= len(pairs)


C = NodeClass


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({}, "completed"),
        ({C.COMPLETED: 3}, "completed"),
        ({C.COMPLETED: 3, C.TOLERATED: 1}, "completed"),
        ({C.COMPLETED: 3, C.TERMINATED: 1}, "terminated"),
        ({C.TERMINATED: 1, C.FAILED: 1}, "failed"),
        ({C.FAILED: 1, C.WAITING: 1}, "waiting"),
        ({C.RUNNING: 1, C.WAITING: 5, C.FAILED: 5}, "running"),
        ({C.CREATED: 1}, "created"),
        ({C.RUNNING: 0, C.WAITING: 0, C.COMPLETED: 1}, "completed"),
    ],
)
def test_roll_up(counts: dict[NodeClass, int], status: str) -> None:
    assert roll_up(counts) == status


def test_the_roll_up_depends_only_on_which_classes_are_there() -> None:
    for present in product([0, 1], repeat=len(C)):
        few = dict(zip(C, present, strict=True))
        assert roll_up(few) == roll_up({name: count * 7 for name, count in few.items()})


def test_a_tree_may_be_running_with_a_failure_in_it() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    counts = {C.RUNNING: 2, C.FAILED: 1, C.TOLERATED: 1, C.COMPLETED: 4, C.WAITING: 1}
    status = tree_status(PARENT, counts, started_at=start, ended_at=None, now=start + timedelta(seconds=2.5))
    assert (status.status, status.total_nodes, status.failed_nodes) == ("running", 9, 2)
    assert (status.waiting_nodes, status.execution_time_sec) == (1, 2.5)
    earlier = start - timedelta(seconds=9)
    assert tree_status(PARENT, counts, started_at=start, ended_at=None, now=earlier).execution_time_sec == 0
    assert tree_status(PARENT, counts, started_at=None, ended_at=None, now=start).execution_time_sec == 0
