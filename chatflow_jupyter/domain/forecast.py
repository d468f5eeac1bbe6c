"""Dry run: the path ahead as far as it is determined by what is known now."""

from dataclasses import dataclass

from .compensation import undo_steps
from .conditions import Condition, Truth, evaluate
from .decision import Decision
from .definition import END, Definition, Phase
from .gates import gate_question
from .instance import Instance, PhaseState


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One phase ahead. `depends_on` names the fields that will decide it and are not known yet."""

    phase: str
    expected: str
    depends_on: tuple[str, ...] = ()
    stops_for: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a request would do: the instance as it would be, and the phases that would follow."""

    instance: Instance
    events: tuple[str, ...]
    path: tuple[Step, ...]
    determined: bool


def forecast(definition: Definition, decision: Decision) -> Forecast:
    """Follow the path from the decided instance until something unknown decides it."""
    instance = decision.instance
    if instance.is_undoing:
        return _undoing(definition, decision)
    steps: list[Step] = []
    determined = True
    name = None if instance.ended else _next_open(definition, instance)
    while name is not None:
        phase = definition.phase(name)
        step = _step(phase, instance, current=name == instance.phase)
        steps.append(step)
        following, sure = _successor(definition, phase, instance)
        if step.expected == "is skipped":
            following, sure = definition.following(name), True
        determined = determined and sure and not step.depends_on
        name = following
    return Forecast(
        instance=instance,
        events=tuple(str(event.type) for event in decision.events),
        path=tuple(steps),
        determined=determined,
    )


def _undoing(definition: Definition, decision: Decision) -> Forecast:
    """Nothing but its failure changes the way back."""
    instance = decision.instance
    names = () if instance.ended else undo_steps(definition, instance)
    return Forecast(
        instance=instance,
        events=tuple(str(event.type) for event in decision.events),
        path=tuple(Step(phase=name, expected="now" if name == instance.phase else "runs") for name in names),
        determined=True,
    )


def _next_open(definition: Definition, instance: Instance) -> str | None:
    if instance.phase is None:
        return definition.following(None)
    if instance.phases[instance.phase].state is PhaseState.ACTIVE:
        return instance.phase
    return _successor(definition, definition.phase(instance.phase), instance)[0]


def _step(phase: Phase, instance: Instance, *, current: bool) -> Step:
    if current:
        stops = str(instance.waiting_detail) if instance.waiting_reason else None
        return Step(phase=phase.name, expected="now", stops_for=stops)
    expected, unknown = "runs", _unknown(phase.when, instance)
    if phase.when is not None:
        truth = evaluate(phase.when, instance.view).truth
        expected = {Truth.TRUE: "runs", Truth.FALSE: "is skipped", Truth.UNKNOWN: "runs or is skipped"}[truth]
    if expected == "is skipped":
        return Step(phase=phase.name, expected=expected)
    stops = None
    if phase.waits_for_trigger:
        stops = "a trigger"
    question = gate_question(phase, instance)
    if question is not None:
        auto = None if phase.gate is None else phase.gate.auto
        stops = f"approval: {question[0]}"
        unknown += _unknown(auto, instance)
    return Step(
        phase=phase.name, expected=expected, depends_on=tuple(dict.fromkeys(unknown)), stops_for=stops
    )


def _successor(definition: Definition, phase: Phase, instance: Instance) -> tuple[str | None, bool]:
    """Return the likely successor and whether it is certain."""
    sure = True
    for route in phase.next:
        truth = Truth.TRUE if route.when is None else evaluate(route.when, instance.view).truth
        if truth is Truth.TRUE:
            return (None if route.to == END else route.to), sure
        if truth is Truth.UNKNOWN:
            sure = False
    return definition.following(phase.name), sure


def _unknown(condition: Condition | None, instance: Instance) -> tuple[str, ...]:
    return () if condition is None else evaluate(condition, instance.view).unknown_fields
