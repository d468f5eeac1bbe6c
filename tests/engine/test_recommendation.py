"""What is recommended can be done, and its reasons are true."""

from collections import deque
from dataclasses import replace
from typing import get_args

import pytest

from chatflow_jupyter.domain.decision import Decision, Refusal
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.instance import GateOutcome, Instance, PhaseRecord, PhaseState, Status
from chatflow_jupyter.domain.recommendation import NextRequest, Recommendation, recommend_next_phase
from chatflow_jupyter.domain.requests import AttemptSucceeded, Request, Resume, Trigger
from chatflow_jupyter.domain.transition import decide
from tests.engine.definitions import DEFINITIONS
from tests.engine.questions import ANN, new_instance, questions
from tests.engine.times import START
from tests.limits import LIMITS

REVIEW = """
name: review
automation_level: 60
phases:
  - name: static
    notebook: static.ipynb
    next:
      - {to: testing, when: {field: static.high, operator: "<", value: 3}}
      - {to: repair}
  - name: testing
    notebook: testing.ipynb
    risk: 80
    next: [{to: publish}]
  - {name: repair, notebook: repair.ipynb}
  - name: publish
    notebook: publish.ipynb
    gate: {title: Publish?, auto: {field: testing.passed, operator: "==", value: true}}
"""
ASKED: set[str] = set()
DONE = PhaseRecord(state=PhaseState.SUCCEEDED, attempts=1, notebook_done=True)


def request_for(advice: Recommendation, instance: Instance) -> Request | None:
    """Return the request that was recommended, as somebody would make it."""
    match advice.request:
        case "start" | "retry":
            return Trigger(principal=ANN)
        case "trigger":
            return Trigger(principal=ANN, data={"why": 1})
        case "decide":
            return Trigger(principal=ANN, decision="approve", data={"n": 1})
        case "resume":
            return Resume(principal=ANN)
        case "wait" | "nothing":
            return None


@pytest.mark.parametrize("definition", DEFINITIONS, ids=[one.name for one in DEFINITIONS])
def test_what_is_recommended_is_never_refused(definition: Definition) -> None:
    waiting, seen, asked = deque([new_instance(definition)]), set(), set()
    while waiting and len(seen) < LIMITS.instances:
        instance = waiting.popleft()
        advice = recommend_next_phase(definition, instance)
        asked.add(advice.request)
        assert advice.reasons[0].kind == "rule"
        assert all(reason.text for reason in advice.reasons)
        request = request_for(advice, instance)
        if request is not None:
            answer = decide(definition, instance, request, START)
            assert isinstance(answer, Decision), (advice.request, answer)
        elif advice.request == "nothing":
            again = decide(definition, instance, Trigger(principal=ANN), START)
            assert isinstance(again, Refusal), "something could be done"
        for question in questions(instance):
            led_to = decide(definition, instance, question, START)
            shape = (
                type(question),
                instance.phase,
                instance.status,
                instance.waiting_reason,
                instance.paused,
            )
            if isinstance(led_to, Decision) and (shape, led_to.instance.status) not in seen:
                seen.add((shape, led_to.instance.status))
                waiting.append(led_to.instance)
    ASKED.update(asked)
    assert {"start", "wait"} <= asked


def test_every_kind_of_request_was_recommended() -> None:
    if len(ASKED) > 3:  # run alone, there is nothing to look at
        assert set(get_args(NextRequest)) == ASKED


@pytest.fixture
def running() -> tuple[Definition, Instance]:
    definition = parse_definition(REVIEW, file="review.yaml")
    started = decide(definition, new_instance(definition), Trigger(principal=ANN), START)
    assert isinstance(started, Decision)
    return definition, started.instance


def earlier(instance: Instance, *names: str, **records: PhaseRecord) -> Instance:
    phases = {name: records.get(name, DONE) for name in names}
    return replace(instance, phases=phases, status=Status.COMPLETED, phase=names[-1])


def texts(advice: Recommendation, kind: str) -> list[str]:
    return [reason.text for reason in advice.reasons if reason.kind == kind]


def test_of_open_ways_the_one_taken_most_often_is_recommended(running: tuple[Definition, Instance]) -> None:
    definition, instance = running
    repaired = [earlier(instance, "static", "repair", "publish")] * 3
    advice = recommend_next_phase(definition, instance, [*repaired, earlier(instance, "static", "testing")])
    assert (advice.phase, advice.request, advice.compared) == ("repair", "wait", 4)
    assert "after static, 3 of 4 ended instances came here" in texts(advice, "history")
    assert "it ran in 3 ended instances and failed in 0" in texts(advice, "history")
    assert "not known yet: static.high" in texts(advice, "rule")
    assert [(one.phase, one.taken, one.depends_on) for one in advice.alternatives] == [
        ("testing", 1, ("static.high",))
    ]


def test_a_rule_a_risk_and_a_history_are_told_with_what_they_saw(
    running: tuple[Definition, Instance],
) -> None:
    definition, instance = running
    assert instance.attempt is not None
    outcome = AttemptSucceeded(
        attempt_id=instance.attempt.attempt_id, fence=1, outputs={"high": 1}, duration_sec=0.0
    )
    at_gate = decide(definition, instance, outcome, START)
    assert isinstance(at_gate, Decision)
    failed = PhaseRecord(state=PhaseState.FAILED, attempts=2)
    refused = GateOutcome(decision="reject", by="people", at=START)
    past = [
        earlier(instance, "static", "testing", testing=failed),
        earlier(instance, "static", "testing", testing=replace(DONE, attempts=3, gate=refused)),
    ]
    advice = recommend_next_phase(definition, at_gate.instance, past)
    assert (advice.phase, advice.request) == ("testing", "decide")
    assert texts(advice, "risk") == ["risk 80 reaches the automation level 60: people are asked"]
    assert texts(advice, "history") == [
        "it ran in 2 ended instances and failed in 1; 1 needed more than one attempt",
        "people were asked before it once, and refused 1",
    ]


def test_a_gate_tells_whether_its_rule_opens_it(running: tuple[Definition, Instance]) -> None:
    definition, instance = running
    on = replace(
        instance,
        phase="testing",
        phases={"static": DONE, "testing": PhaseRecord(state=PhaseState.ACTIVE, attempts=1)},
        variables={"static": {"high": 1}},
    )
    advice = recommend_next_phase(definition, on)
    assert advice.phase == "publish"
    assert "a route leads from testing to it" in texts(advice, "rule")
    rule = "its gate does not open by its rule: testing.passed == true (it is not known)"
    assert rule in texts(advice, "rule")
