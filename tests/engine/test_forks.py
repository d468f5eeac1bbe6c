"""A fork that is told what its source was told ends as its source did, wherever it begins."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatflow_jupyter.domain.birth import start_at_once
from chatflow_jupyter.domain.decision import Decision, Refusal
from chatflow_jupyter.domain.definition import Definition, Quota
from chatflow_jupyter.domain.fork import create_fork, shared_phases
from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import ENDED, Failure, Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import (
    AttemptFailed,
    AttemptSucceeded,
    CacheLookedUp,
    ChildrenEnded,
    ChildResult,
    FanOutDue,
    Request,
    RetryDue,
    Trigger,
)
from chatflow_jupyter.domain.transition import decide
from tests.engine.definitions import DEFINITIONS, definitions
from tests.engine.questions import ANN, OUTPUTS, SPAWNED, new_instance, reference_of
from tests.engine.times import START

MANY = 500
"""More requests than any of these definitions takes to its end."""


class Fate:
    """What happens to whoever comes by: the same in the same phase, whoever asks and whenever."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, *place: object) -> Random:
        """Return what decides there."""
        return Random(f"{self._seed} {place}")

    def request(self, instance: Instance) -> Request:
        """Return what is asked of an instance where it stands."""
        phase = str(instance.phase)
        if instance.attempt is not None:
            return self._report(instance, phase)
        match instance.waiting_reason:
            case WaitingReason.RETRY:
                return RetryDue()
            case WaitingReason.CACHE:
                sought = instance.phases[phase].sought
                assert sought is not None
                return CacheLookedUp(attempt=sought.attempt, seq=sought.seq)
            case WaitingReason.CHILDREN:
                return self._children(instance, phase)
            case WaitingReason.APPROVAL:
                at = self.of("gate", phase)
                data = at.choice([{}, {"why": 1}, {"why": 2, "x": [at.randint(0, 9)]}])
                return Trigger(principal=ANN, decision=at.choice(["approve", "approve", "reject"]), data=data)
            case _:
                return Trigger(principal=ANN, data={"why": self.of("trigger", phase).randint(0, 9)})

    def _report(self, instance: Instance, phase: str) -> Request:
        attempt = instance.attempt
        assert attempt is not None
        at = self.of("attempt", phase, attempt.number)
        risk = at.choice([0, 0, 45, 95])
        if at.random() < 0.2:
            failure = Failure(code="cell_error", message="it fails here")
            return AttemptFailed(
                attempt_id=attempt.attempt_id, fence=1, failure=failure, duration_sec=1, risk=risk
            )
        asked = at.choice([(), (), SPAWNED[0]])
        return AttemptSucceeded(
            attempt_id=attempt.attempt_id,
            fence=1,
            outputs=at.choice(OUTPUTS),
            duration_sec=1,
            risk=risk,
            spawned=asked,
        )

    def _children(self, instance: Instance, phase: str) -> Request:
        """Return the end of the next child that nobody has heard of, or what starts more of them."""
        fan_out = instance.fan_out
        assert fan_out is not None
        if fan_out.alive == 0:
            return FanOutDue()
        key = f"{phase}-{fan_out.ended}"
        at = self.of("child", key)
        return ChildrenEnded(
            children=(
                ChildResult(
                    instance_id=InstanceId(f"wfi_{key}"),
                    phase=phase,
                    key=key,
                    status=at.choice([Status.COMPLETED, Status.COMPLETED, Status.FAILED]),
                    outcome={"n": at.randint(0, 9)},
                    spent_sec=1,
                    descendants=0,
                    seq=7,
                ),
            )
        )


def play(definition: Definition, begun: Decision, fate: Fate) -> tuple[Instance, list[Instance]]:
    """Let fate take its course; returns how it ended, and how it stood on the way."""
    instance, way = begun.instance, [begun.instance]
    for _ in range(MANY):
        if instance.status in ENDED:
            return instance, way
        told = decide(definition, instance, fate.request(instance), START)
        assert isinstance(told, Decision), f"{told} of {instance}"
        instance = told.instance
        way.append(instance)
    raise AssertionError("it goes on for ever")


def end_of(instance: Instance) -> Mapping[str, Any]:
    """Return how it ended, without what only a fork has, and what it has not: it ran nothing it shares."""
    own = {"shared": False, "sought": None, "ran_sec": None}
    records = {name: replace(record, **own) for name, record in instance.phases.items()}
    failure = instance.failure
    return {
        "status": instance.status,
        "failure": failure and (failure.code, failure.message),
        "undone": instance.undoing is not None,
        "phases": records,
        "variables": instance.variables,
        "risk": instance.reported_risk,
    }


def without_limits(definition: Definition) -> Definition:
    """A fork has its whole quota again, and undoes less: both are promised, and neither is asked here."""
    return definition.model_copy(update={"quota": Quota(), "on_failure": "fail"})


def fork_of(definition: Definition, source: Instance, phase: str) -> Decision:
    shared = shared_phases(definition, source, phase)
    assert not isinstance(shared, Refusal)
    return create_fork(
        definition,
        reference_of(definition),
        source,
        shared,
        phase,
        instance_id=InstanceId("wfi_fork"),
        changes={},
        principal=ANN,
        now=START,
    )


@given(st.sampled_from(DEFINITIONS) | definitions(), st.integers(0, 10_000))
def test_a_fork_ends_as_its_source_did_when_the_same_happens_to_it(written: Definition, seed: int) -> None:
    definition, fate = without_limits(written), Fate(seed)
    created = new_instance(definition)
    born = Decision(instance=replace(created, seq=1), events=())
    ended, way = play(definition, start_at_once(definition, born, ANN, START), fate)
    for source in (ended, *way):  # also one that still goes on
        for phase in source.phases:
            begun = fork_of(definition, source, phase)
            fork, _ = play(definition, begun, fate)
            assert end_of(fork) == end_of(ended), f"forked at {phase}"
