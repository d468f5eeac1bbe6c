"""What is recommended where time is limited: what is said to follow from a deadline does follow."""

from collections import deque
from datetime import timedelta

import pytest

from chatflow_jupyter.domain.decision import Decision
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.due import Due, own_deadline
from chatflow_jupyter.domain.instance import Instance, Status, WaitingReason
from chatflow_jupyter.domain.recommendation import recommend_next_phase
from chatflow_jupyter.domain.requests import InstanceDeadlineDue, PhaseDeadlineDue, Trigger
from chatflow_jupyter.domain.timely import recommend_in_time
from chatflow_jupyter.domain.transition import decide
from tests.engine.definitions import DEFINITIONS
from tests.engine.questions import ANN, new_instance, questions
from tests.engine.times import START
from tests.limits import LIMITS

FURTHER = "further people are asked"
LIMITED = [one for one in DEFINITIONS if one.deadline_sec or any(phase.deadline_sec for phase in one.phases)]
GATED = """
name: gated
automation_level: 100
deadline_sec: 86400
phases:
  - {name: one, notebook: one.ipynb, deadline_sec: 600, fallback: two, next: [{to: end}], gate: GATE}
  - {name: two, notebook: two.ipynb}
"""


def waiting(gate: str) -> tuple[Definition, Instance]:
    definition = parse_definition(GATED.replace("GATE", gate), file="gated.yaml")
    begun = decide(definition, new_instance(definition), Trigger(principal=ANN), START)
    assert isinstance(begun, Decision)
    return definition, begun.instance


@pytest.mark.parametrize("definition", LIMITED, ids=[one.name for one in LIMITED])
def test_what_is_said_to_follow_follows(definition: Definition) -> None:
    left, seen, told = deque([new_instance(definition)]), set(), 0
    while left and len(seen) < LIMITS.instances:
        instance = left.popleft()
        due = own_deadline(instance)
        if due is not None:
            told += 1
            before = recommend_in_time(definition, instance, (), due=due, now=due.at - timedelta(seconds=1))
            if instance.gate is None or instance.gate.expires_at is None:
                plain = recommend_next_phase(definition, instance)
                assert (before.phase, before.request) == (plain.phase, plain.request)
                assert f"the deadline of {due.what} is over in 1 s" in before.reasons[1].text
                after = recommend_in_time(definition, instance, (), due=due, now=due.at)
                request = PhaseDeadlineDue() if due.whose == "phase" else InstanceDeadlineDue()
                led_to = decide(definition, instance, request, due.at)
                assert isinstance(led_to, Decision)
                assert (after.request, after.overdue) == ("wait", True)
                if after.phase is None:
                    assert led_to.instance.is_undoing or led_to.instance.status is Status.FAILED
                else:
                    held = led_to.instance.paused or led_to.instance.waiting_reason is WaitingReason.CHILDREN
                    assert led_to.instance.phase == (instance.phase if held else after.phase)
        for question in questions(instance):
            answer = decide(definition, instance, question, START)
            if isinstance(answer, Decision):
                now = answer.instance
                shape = (type(question), now.phase, now.status, now.waiting_reason, now.paused)
                if shape not in seen:
                    seen.add(shape)
                    left.append(now)
    assert told


def test_nobody_is_told_to_answer_a_gate_whose_phase_is_overdue() -> None:
    definition, instance = waiting("{}")
    due = own_deadline(instance)
    soon = recommend_in_time(definition, instance, (), due=due, now=START + timedelta(seconds=300))
    assert (soon.phase, soon.request, soon.overdue) == ("one", "decide", False)
    assert soon.reasons[0].text == "people are asked: gate before one"
    assert not any("its gate asks people" in reason.text for reason in soon.reasons), "that was just said"
    assert soon.reasons[1].text == (
        "the deadline of phase one is over in 5 min, at 2026-01-01T12:10:00+00:00; "
        "phase one fails and two comes instead then"
    )
    late = recommend_in_time(definition, instance, (), due=due, now=START + timedelta(seconds=600))
    assert (late.phase, late.request, late.overdue) == ("two", "wait", True)
    assert late.reasons[0].kind == "rule"
    assert late.reasons[0].text == (
        "the deadline of phase one is over since 2026-01-01T12:10:00+00:00: phase one fails and two comes "
        "instead, as soon as a command drives it; nothing else can be done before"
    )


@pytest.mark.parametrize(
    ("gate", "then"),
    [
        ("{expires_sec: 60}", "it is rejected"),
        ("{expires_sec: 60, on_expire: approve}", "it opens"),
        (
            "{expires_sec: 60, on_expire: escalate, approvers: [a], escalate_to: [b]}",
            FURTHER,
        ),
    ],
)
def test_the_time_of_a_gate_is_told_and_what_comes_then(gate: str, then: str) -> None:
    definition, instance = waiting(gate)
    due = own_deadline(instance)
    soon = recommend_in_time(definition, instance, (), due=due, now=START + timedelta(seconds=30))
    assert f"the time of its gate is over in 30 s, at 2026-01-01T12:01:00+00:00; {then} then" in [
        reason.text for reason in soon.reasons
    ]
    late = recommend_in_time(definition, instance, (), due=due, now=START + timedelta(seconds=60))
    assert (late.phase, late.request, late.overdue) == (None, "wait", True)


def test_the_deadline_of_a_parent_is_told_of_its_child() -> None:
    definition, instance = waiting("{}")
    above = Due(at=START, whose="above", what="the instance of its parent wfi_1")
    late = recommend_in_time(definition, instance, (), due=above, now=START)
    assert late.phase is None
    assert "the instance of its parent wfi_1 fails, and the instance with it" in late.reasons[0].text
