"""`decide` answers everything: state by request, always a decision that keeps the rules or a refusal."""

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatflow_jupyter.domain.decision import Decision, Refusal, TimerKind
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.hooks import NO_HOOKS, HookPlan
from chatflow_jupyter.domain.instance import Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import GateExpiryDue, Request, Trigger
from chatflow_jupyter.domain.transition import decide
from tests.engine.cache_invariants import check_reuse
from tests.engine.definitions import DEFINITIONS, definitions
from tests.engine.hook_invariants import check_hooks
from tests.engine.invariants import check_decision, check_timers, timers_after
from tests.engine.questions import new_instance, questions
from tests.engine.times import HOUR, START
from tests.limits import LIMITS


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a history has come to."""

    instance: Instance
    timers: dict[TimerKind, datetime]
    now: datetime
    plan: HookPlan = NO_HOOKS

    @property
    def cell(self) -> tuple[Status, WaitingReason | None, bool]:
        """The row of the table of states."""
        return self.instance.status, self.instance.waiting_reason, self.instance.paused

    @property
    def shape(self) -> object:
        """What tells two places apart as far as the rules go."""
        instance = self.instance
        records = tuple(
            (
                name,
                one.state,
                one.failures,
                one.lost,
                one.cut_off,
                one.triggered,
                one.approved,
                one.notebook_done,
                repr(one.clearance),
                one.ran_sec is not None,
                one.unjudged,
                one.sought and (one.sought.answered, one.sought.key, one.sought.mixed),
                one.reused_from is not None,
            )
            for name, one in instance.phases.items()
        )
        attempt = instance.attempt and instance.attempt.started
        asked = tuple(one.key for one in instance.spawned)
        failed_in = instance.failure and instance.failure.phase
        undoing = instance.undoing and (instance.undoing.goal, instance.undoing.done)
        return (
            *self.cell,
            undoing,
            instance.hooks_asked and instance.hooks_asked.point,
            instance.phase,
            failed_in,
            attempt,
            instance.fan_out,
            records,
            instance.reported_risk,
            asked,
        )


def ask(definition: Definition, place: Place, request: Request, now: datetime) -> Place | None:
    """Ask twice, check everything, and return where it leads (None: refused)."""
    answer = decide(definition, place.instance, request, now, hooks=place.plan)
    again = decide(definition, place.instance, request, now, hooks=place.plan)
    assert again == answer, "the same question, another answer"
    if isinstance(answer, Refusal):
        assert answer.code
        assert answer.message
        return None
    assert isinstance(answer, Decision)
    check_decision(definition, place.instance, answer, now)
    check_hooks(place.instance, answer, place.plan)
    check_reuse(definition, place.instance, request, answer)
    timers = timers_after(place.timers, answer)
    check_timers(definition, answer.instance, timers)
    return Place(instance=answer.instance, timers=timers, now=now, plan=place.plan)


def successors(definition: Definition, place: Place) -> Iterator[tuple[Request, Place]]:
    untouched = copy.deepcopy(place.instance)
    for request in questions(place.instance):
        for now in (place.now, place.now + HOUR):
            led_to = ask(definition, place, request, now)
            if led_to is not None:
                yield request, led_to
    assert place.instance == untouched, "a question changed the instance it was about"


def start(definition: Definition, *, as_child: bool, plan: HookPlan = NO_HOOKS) -> Place:
    return Place(instance=new_instance(definition, as_child=as_child), timers={}, now=START, plan=plan)


REACHED: set[tuple[Status, WaitingReason | None, bool]] = set()


HOOKED = HookPlan(before=("one", "two"), after=("two",))


@pytest.mark.parametrize("definition", DEFINITIONS, ids=[one.name for one in DEFINITIONS])
def test_every_state_answers_every_request(definition: Definition) -> None:
    walk_everywhere(definition, NO_HOOKS)


@pytest.mark.parametrize("name", ["linear", "gates", "risky", "saga", "spawning"])
def test_every_state_answers_every_request_with_hooks_in_force(name: str) -> None:
    walk_everywhere(next(one for one in DEFINITIONS if one.name == name), HOOKED)


def walk_everywhere(definition: Definition, plan: HookPlan) -> None:
    waiting = deque([start(definition, as_child=definition.name in ("linear", "family"), plan=plan)])
    seen = {waiting[0].shape}
    while waiting:
        place = waiting.popleft()
        REACHED.add(place.cell)
        for _, following in successors(definition, place):
            if following.shape not in seen and len(seen) < LIMITS.instances * 2:
                seen.add(following.shape)
                waiting.append(following)


def test_the_table_was_walked_whole() -> None:
    expected = {(status, None, False) for status in Status if status is not Status.WAITING}
    expected |= {(status, None, True) for status in (Status.CREATED, Status.RUNNING, Status.COMPENSATING)}
    expected |= {(Status.WAITING, reason, paused) for reason in WaitingReason for paused in (False, True)}
    if len(REACHED) > 3:  # run alone, there is nothing to look at
        assert expected == REACHED


@settings(max_examples=max(LIMITS.examples // 4, 10))
@given(definitions(), st.booleans(), st.lists(st.integers(0, 10_000), max_size=12))
def test_drawn_definitions_answer_every_request(
    definition: Definition, as_child: bool, choices: list[int]
) -> None:
    place = start(definition, as_child=as_child)
    for choice in choices:
        led_to = list(successors(definition, place))
        if not led_to:
            return
        place = led_to[choice % len(led_to)][1]
    list(successors(definition, place))


def test_a_chain_of_two_hundred_fallbacks_does_not_exhaust_the_stack() -> None:
    phases = [
        {
            "name": f"p{n}",
            "children": {"schema": "leaf", "foreach": "context.absent"},
            "fallback": f"p{n + 1}",
        }
        for n in range(199)
    ]
    last = {"name": "p199", "children": {"schema": "leaf", "foreach": "context.absent"}}
    definition = Definition.model_validate({"name": "chain", "phases": [*phases, last]})
    led_to = ask(
        definition,
        start(definition, as_child=False),
        Trigger(principal=new_instance(definition).principal),
        START,
    )
    assert led_to is not None
    assert led_to.instance.status is Status.FAILED
    assert led_to.instance.failure is not None
    assert led_to.instance.failure.phase == "p199"


def test_a_gate_is_not_closed_by_the_timer_of_an_earlier_one() -> None:
    definition = next(one for one in DEFINITIONS if one.name == "gates")
    place = start(definition, as_child=False)
    for request in (*[q for q in questions(place.instance) if isinstance(q, Trigger)][:1],):
        led_to = ask(definition, place, request, START)
        assert led_to is not None
        place = led_to
    assert place.instance.attempt is not None
    outcome = next(q for q in questions(place.instance) if getattr(q, "outputs", None) == {})
    at_gate = ask(definition, place, outcome, START)
    assert at_gate is not None
    assert at_gate.instance.waiting_reason is WaitingReason.APPROVAL
    assert ask(definition, at_gate, GateExpiryDue(), START + timedelta(seconds=500)) is None
    expired = ask(definition, at_gate, GateExpiryDue(), START + timedelta(seconds=600))
    assert expired is not None
    assert expired.instance.status is Status.FAILED
