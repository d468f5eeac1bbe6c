"""Undoing begins in one way: whether it failed, was overdue or a person wants it, its children come first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatflow_jupyter.domain.birth import create_root
from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.ids import InstanceId, Principal, Sha256, TenantId
from chatflow_jupyter.domain.instance import (
    DefinitionRef,
    FanOut,
    Instance,
    PhaseRecord,
    PhaseState,
    Status,
    WaitingReason,
)
from chatflow_jupyter.domain.requests import ChildrenEnded, ChildResult, PhaseDeadlineDue, Request, Terminate
from chatflow_jupyter.domain.transition import decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TREE = parse_definition(
    """\
name: tree
automation_level: 100
on_failure: compensate
phases:
  - {name: reserve, notebook: reserve.ipynb, compensate: release.ipynb}
  - name: pack
    deadline_sec: 60
    children: {schema: leaf, items: [a, b, c], key: {field: item}, max_parallel: 9}
""",
    file="tree.yaml",
)
REFERENCE = DefinitionRef(name="tree", version="0.0.0", content_hash=Sha256("0" * 64))
LATE: Request = PhaseDeadlineDue()
BY_PERSON: Request = Terminate(principal=Principal("ann"), compensate=True)


def entry(status: str, **more: str) -> dict[str, Any]:
    return {"status": status, "phase": "pack", "seq": 1, "instance_id": "wfi_x", **more}


def parent_of(**heard: dict[str, Any]) -> Instance:
    """Return a parent whose children a, b and c are all born, and who has heard of these ends."""
    born = create_root(
        TREE,
        REFERENCE,
        tenant_id=TenantId("local"),
        instance_id=InstanceId("wfi_tree"),
        context={},
        principal=Principal("ann"),
        now=NOW,
    )
    ended = [one for one in heard.values() if one["status"] != "running"]
    failed = [one for one in ended if one["status"] == "failed"]
    return replace(
        born.instance,
        attempt=None,
        status=Status.WAITING,
        waiting_reason=WaitingReason.CHILDREN,
        phase="pack",
        phases={
            "reserve": PhaseRecord(state=PhaseState.SUCCEEDED, attempts=1, notebook_done=True),
            "pack": PhaseRecord(
                state=PhaseState.ACTIVE,
                approved=True,
                had_children=True,
                deadline_at=NOW + timedelta(seconds=60),
            ),
        },
        descendants=3,
        variables={"children": heard, "reserve": {}},
        fan_out=FanOut(total=3, started=3, ended=len(ended), failed=len(failed)),
    )


def undone(parent: Instance, request: Request) -> Instance:
    made = decide(TREE, parent, request, NOW + timedelta(seconds=61))
    assert isinstance(made, Decision)
    assert [str(event.type) for event in made.events].count("CompensationStarted") == 1
    return made.instance


def fails_through(key: str) -> Request:
    """The end of the last child, with which its parent fails."""
    result = ChildResult(
        instance_id=InstanceId("wfi_x"),
        phase="pack",
        key=key,
        status=Status.FAILED,
        outcome={},
        seq=2,
        spent_sec=1,
        descendants=0,
    )
    return ChildrenEnded(children=(result,))


@pytest.mark.parametrize("request_", [LATE, BY_PERSON])
@pytest.mark.parametrize("failed", [entry("failed"), entry("failed", compensation="failed")])
def test_while_one_lives_those_that_failed_are_asked_as_well(
    request_: Request, failed: dict[str, Any]
) -> None:
    after = undone(parent_of(a=failed, b=entry("completed")), request_)
    assert (after.status, after.waiting_reason) == (Status.WAITING, WaitingReason.CHILDREN)
    assert after.waiting_detail == "2 children of phase pack to be undone"


@pytest.mark.parametrize("failed", [entry("failed"), entry("failed", compensation="failed")])
def test_a_person_who_ends_all_has_those_that_failed_asked_though_none_lives(failed: dict[str, Any]) -> None:
    ended = parent_of(a=failed, b=entry("completed"), c=entry("completed"))
    after = undone(replace(ended, status=Status.FAILED, waiting_reason=None), BY_PERSON)
    assert after.waiting_detail == "1 child of phase pack to be undone"


@pytest.mark.parametrize("request_", [LATE, fails_through("c")])
def test_what_failed_through_children_that_all_ended_asks_none_of_them(request_: Request) -> None:
    last = {} if request_ is not LATE else {"c": entry("failed")}
    after = undone(parent_of(a=entry("failed"), b=entry("completed"), **last), request_)
    assert (after.status, after.phase) == (Status.COMPENSATING, "reserve.compensate")


@pytest.mark.parametrize("request_", [LATE, fails_through("c")])
def test_a_child_that_could_not_undo_holds_up_what_failed_by_itself(request_: Request) -> None:
    last = {} if request_ is not LATE else {"c": entry("failed")}
    stuck = entry("failed", compensation="failed")
    after = undone(parent_of(a=stuck, b=entry("completed"), **last), request_)
    assert after.status is Status.FAILED
    assert after.failure is not None
    assert after.failure.code == "compensation_failed"
    assert after.is_undoing


def test_without_children_the_phase_it_stands_in_is_left_and_the_first_step_is_queued() -> None:
    nobody = replace(parent_of(), fan_out=None, descendants=0, variables={"reserve": {}})
    for request in (LATE, BY_PERSON):
        after = undone(nobody, request)
        assert (after.status, after.phase) == (Status.COMPENSATING, "reserve.compensate")
        assert after.phases["pack"].state is PhaseState.FAILED
