"""What a dry run foretells is what comes, as long as nothing fails and everybody agrees."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.forecast import Forecast, forecast
from chatflow_jupyter.domain.instance import Instance, PhaseState, Status, WaitingReason
from chatflow_jupyter.domain.requests import AttemptSucceeded, ChildrenEnded, FanOutDue, Request, Trigger
from chatflow_jupyter.domain.transition import decide
from tests.engine.definitions import definitions
from tests.engine.questions import ANN, OUTPUTS, new_instance, result
from tests.engine.times import START
from tests.limits import LIMITS

BRANCHES = """
name: branches
automation_level: 100
phases:
  - name: choose
    notebook: choose.ipynb
    next:
      - {to: a, when: {field: choose.way, operator: "==", value: a}}
      - {to: b}
  - {name: a, notebook: a.ipynb, next: [{to: join}]}
  - {name: b, notebook: b.ipynb, when: {field: context.wanted, operator: exists}}
  - {name: late, notebook: late.ipynb, when: {field: a.found, operator: exists}}
  - name: join
    notebook: join.ipynb
    gate: {title: Sure?, auto: {field: choose.sure, operator: "==", value: true}}
"""


def what_comes_next(instance: Instance, outputs: dict[str, object]) -> Request:
    """Return the request with which everything goes well."""
    if instance.attempt is not None:
        attempt = instance.attempt.attempt_id
        return AttemptSucceeded(attempt_id=attempt, fence=1, outputs=outputs, duration_sec=0.0)  # type: ignore[arg-type]
    if instance.waiting_reason is WaitingReason.CHILDREN:
        fan_out = instance.fan_out
        assert fan_out is not None
        if fan_out.alive == 0:
            return FanOutDue()
        ended = [result(instance, index, Status.COMPLETED) for index in range(fan_out.started)]
        return ChildrenEnded(children=tuple(ended[fan_out.ended :]))
    answer = "approve" if instance.waiting_reason is WaitingReason.APPROVAL else None
    return Trigger(principal=ANN, decision=answer, data={"why": 1})  # type: ignore[arg-type]


def told(definition: Definition, decision: Decision) -> dict[str, str]:
    return {step.phase: step.expected for step in forecast(definition, decision).path}


@settings(max_examples=LIMITS.examples)
@given(definitions(), st.lists(st.sampled_from(OUTPUTS), min_size=5, max_size=5))
def test_what_was_foretold_is_what_came(definition: Definition, outputs: list[dict[str, object]]) -> None:
    instance, foretold = new_instance(definition), list[tuple[frozenset[str], Forecast]]()
    for number in range(60):
        request = what_comes_next(instance, outputs[number % len(outputs)])
        decision = decide(definition, instance, request, START)
        assume(isinstance(decision, Decision))
        assert isinstance(decision, Decision)
        before, instance = frozenset(instance.phases), decision.instance
        foretold.append((before, forecast(definition, decision)))
        if instance.ended:
            break
    states = {record.state for record in instance.phases.values()}
    assume(instance.status is Status.COMPLETED and PhaseState.FAILED not in states)
    ran = {name for name, record in instance.phases.items() if record.state is PhaseState.SUCCEEDED}
    for before, one in foretold:
        expected = {step.phase: step.expected for step in one.path}
        since = {name for name in ran if name not in before or name == one.instance.phase}
        if one.instance.ended:
            continue
        done = {name for name, record in one.instance.phases.items() if record.state is not PhaseState.ACTIVE}
        assert since - done <= set(expected), "a phase ran that was not foretold"
        for name, what in expected.items():
            assert what not in ("now", "runs") or name in ran, f"{name} was to run and did not"
            assert what != "is skipped" or name not in ran, f"{name} was to be skipped and ran"
        if one.determined:
            assert {name for name, what in expected.items() if what != "is skipped"} == since - done


@pytest.fixture
def started() -> tuple[Definition, Decision]:
    definition = parse_definition(BRANCHES, file="branches.yaml")
    decision = decide(definition, new_instance(definition), Trigger(principal=ANN), START)
    assert isinstance(decision, Decision)
    return definition, decision


def test_a_way_not_yet_chosen_is_told_as_open_and_what_decides_it(
    started: tuple[Definition, Decision],
) -> None:
    foreseen = forecast(*started)
    by_name = {step.phase: step for step in foreseen.path}
    assert told(*started) == {
        "choose": "now",
        "a": "may run",
        "b": "is skipped",
        "late": "may run",
        "join": "runs",
    }
    assert by_name["a"].depends_on == ("choose.way",)
    assert by_name["join"].stops_for == "approval: Sure?"
    assert by_name["join"].depends_on == ("choose.sure",)
    assert not foreseen.determined


def test_what_is_known_is_told_as_certain(started: tuple[Definition, Decision]) -> None:
    definition, decision = started
    for way, others in (("a", {"a": "now"}), ("b", {})):
        assert decision.instance.attempt is not None
        outcome = AttemptSucceeded(
            attempt_id=decision.instance.attempt.attempt_id,
            fence=1,
            outputs={"way": way, "sure": True},
            duration_sec=0.0,
        )
        after = decide(definition, decision.instance, outcome, START)
        assert isinstance(after, Decision)
        # on the other way only `join` is left: `b` is not wanted, and nothing can be found in `a` any more
        assert told(definition, after) == ({**others, "join": "runs"} if others else {"join": "now"})
        assert forecast(definition, after).determined
