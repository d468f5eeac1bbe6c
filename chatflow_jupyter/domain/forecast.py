"""Dry run: the path ahead as far as it is determined by what is known now."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .compensation import undo_steps
from .conditions import Comparison, Condition, Truth, evaluate, mapped
from .decision import Decision
from .definition import END, Definition, Phase
from .gates import gate_question
from .instance import Instance, PhaseState, WaitingReason
from .json_values import JsonValue
from .trust import TRUSTED

_ASKS = (WaitingReason.TRIGGER, WaitingReason.APPROVAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One phase ahead. `depends_on` names the fields that will decide it and are not known yet.

    `expected` is "now", "runs", "is skipped", "runs or is skipped", or "may run" for what lies only on some
    of the ways that are open.
    """

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
    """Follow every way from the decided instance that may be taken when nothing fails and nobody refuses."""
    instance = decision.instance
    path = () if instance.ended else ways_ahead(definition, instance)
    return Forecast(
        instance=instance,
        events=tuple(str(event.type) for event in decision.events),
        path=path,
        determined=not any(step.depends_on or step.expected == "may run" for step in path),
    )


def ways_ahead(definition: Definition, instance: Instance) -> tuple[Step, ...]:
    """Return every phase that may be entered from where the instance stands, in order."""
    if instance.is_undoing:  # nothing but its failure changes the way back
        names = undo_steps(definition, instance)
        return tuple(Step(phase=name, expected="now" if name == instance.phase else "runs") for name in names)
    return _Ways(definition, instance).steps()


def nearest_ahead(definition: Definition, instance: Instance, *, beyond: bool) -> tuple[Step, ...]:
    """Return the phases that may come next, in order; with `beyond`, next after the one it stands in."""
    ways = _Ways(definition, instance)
    steps = {step.phase: step for step in ways.steps()}
    names = ways.nearest(beyond=beyond)
    return tuple(step for name, step in steps.items() if name in names)


class _Ways:
    """The ways ahead. Phases lead only forward, so one pass in their written order sees every way."""

    def __init__(self, definition: Definition, instance: Instance) -> None:
        """Begin where `instance` stands."""
        self.definition = definition
        self.instance = instance
        self.view: dict[str, JsonValue] = dict(instance.view)
        self.open_fields: set[str] = set()
        self.leads: dict[str, tuple[str | None, ...]] = {}
        self.chosen_by: defaultdict[str | None, list[str]] = defaultdict(list)
        self.found: dict[str, Step] = {}
        self.may_be_skipped: set[str] = set()

    def steps(self) -> tuple[Step, ...]:
        """Return every phase that may still be entered, in order."""
        first = self._first()
        for phase in self.definition.phases:
            if phase.name in first or any(phase.name in ends for ends in self.leads.values()):
                self._look_at(phase)
        certain = self._on_every_way(first)
        return tuple(self._told(name, step, name in certain) for name, step in self.found.items())

    def nearest(self, *, beyond: bool) -> set[str]:
        """Return the next phases of which one may be entered, looking through those that may be skipped."""
        current = self.instance.phase
        begun = beyond and current is not None and current in self.leads
        waiting = list(self.leads[current] if begun and current is not None else self._first())
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name is None or name in found:
                continue
            step = self.found[name]
            if step.expected != "is skipped":
                found.add(name)
            if step.expected == "is skipped" or name in self.may_be_skipped:
                waiting.append(self.definition.following(name))
        return found

    def _first(self) -> tuple[str | None, ...]:
        name = self.instance.phase
        if name is None:
            return (self.definition.following(None),)
        phase, state = self.definition.phase(name), self.instance.phases[name].state
        if state is PhaseState.ACTIVE:
            return (name,)
        if state is PhaseState.FAILED and phase.fallback is not None:
            return (phase.fallback,)
        return self._routes(phase) if state is PhaseState.SUCCEEDED else (self.definition.following(name),)

    def _look_at(self, phase: Phase) -> None:
        """Work out what becomes of one phase, and where it leads."""
        name, following = phase.name, self.definition.following(phase.name)
        if name == self.instance.phase:
            stops = str(self.instance.waiting_detail) if self.instance.waiting_reason else None
            asked = self.instance.waiting_reason in _ASKS
            if self.instance.waiting_reason is WaitingReason.HOOK and not self.instance.phases[name].approved:
                ahead = self._expected(phase)  # behind the hooks stands its gate
                asked = ahead.stops_for is not None
                stops = f"{stops}; then {ahead.stops_for}" if asked else stops
            self.found[name] = Step(phase=name, expected="now", stops_for=stops)
        else:
            self.found[name] = self._expected(phase)
            asked = self.found[name].stops_for is not None
        if self.found[name].expected == "is skipped":
            self.view[name] = {"status": str(PhaseState.SKIPPED)}
            self.leads[name] = (following,)
            return
        self._open(name, "children" if phase.offspring else None, "trigger" if asked else None)
        perhaps: tuple[str | None, ...] = ()
        if self.found[name].expected == "runs or is skipped":
            self.may_be_skipped.add(name)
            perhaps = (following,)
        self.leads[name] = tuple(dict.fromkeys((*self._routes(phase), *perhaps)))

    def _open(self, *names: str | None) -> None:
        """Note that what these hold is decided only later."""
        for name in names:
            if name is not None:
                self.view.pop(name, None)
                self.open_fields.add(name)

    def _expected(self, phase: Phase) -> Step:
        truth, unknown = self._judge(phase.when)
        if truth is Truth.FALSE:
            return Step(phase=phase.name, expected="is skipped")
        stops = "a trigger" if phase.waits_for_trigger else None
        auto, auto_unknown = self._judge_gate(phase)
        ungated = phase.gate is None or (phase.gate.auto is not None and auto is Truth.TRUE)
        asked = phase.model_copy(update={"gate": None if ungated else phase.gate})
        question = gate_question(asked, replace(self.instance, reported_risk=0))
        if question is not None:
            stops = f"approval: {question[0]}"
            unknown += auto_unknown
        return Step(
            phase=phase.name,
            expected="runs" if truth is Truth.TRUE else "runs or is skipped",
            depends_on=tuple(dict.fromkeys(unknown)),
            stops_for=stops,
        )

    def _routes(self, phase: Phase) -> tuple[str | None, ...]:
        """Return what may follow a phase that succeeds; the first route that is certain ends the list."""
        possible: list[str | None] = []
        undecided: list[str] = []
        for route in phase.next:
            truth, unknown = self._judge(route.when)
            if truth is not Truth.FALSE:
                possible.append(None if route.to == END else route.to)
            undecided += unknown
            if truth is Truth.TRUE:
                break
        else:
            possible.append(self.definition.following(phase.name))
        for name in possible:
            self.chosen_by[name] += undecided
        return tuple(dict.fromkeys(possible))

    def _judge_gate(self, phase: Phase) -> tuple[Truth, tuple[str, ...]]:
        """Judge the rule of a gate; of a governed one over what will be the tenant's word by then."""
        if phase.gate is None or phase.gate.auto is None:
            return Truth.TRUE, ()
        if not phase.gate.governed:
            return self._judge(phase.gate.auto)
        whole, self.view = self.view, {**self.view}
        for name, record in self.instance.phases.items():
            if record.origin != TRUSTED and name not in self.open_fields:
                self.view.pop(name, None)
        told = self._judge(phase.gate.auto)
        self.view = whole
        return told

    def _judge(self, condition: Condition | None) -> tuple[Truth, tuple[str, ...]]:
        """Return whether it will hold, or UNKNOWN with the fields not known yet that decide it.

        What will never be known does not match: that is certain too.
        """
        if condition is None:
            return Truth.TRUE, ()
        verdict = evaluate(mapped(condition, self._undecided), self.view)
        undecided = tuple(name for name in verdict.unknown_fields if self._is_open(name))
        if verdict.truth is Truth.UNKNOWN and not undecided:
            return Truth.FALSE, ()
        return verdict.truth, undecided if verdict.truth is Truth.UNKNOWN else ()

    def _undecided(self, comparison: Comparison) -> Comparison:
        """Keep `exists` from answering for what is only not there yet."""
        return replace(comparison, operator="==") if self._is_open(comparison.field) else comparison

    def _is_open(self, name: str) -> bool:
        return name.partition(".")[0] in self.open_fields

    def _on_every_way(self, first: Iterable[str | None]) -> set[str]:
        """Return the phases that lie on every way to the end: as many ways lead through them as there are."""
        ahead: dict[str | None, int] = {None: 1}
        for name in reversed(self.leads):
            ahead[name] = sum(ahead[following] for following in self.leads[name])
        to: Counter[str | None] = Counter(first)
        for name, ends in self.leads.items():
            for following in ends:
                to[following] += to[name]
        return {name for name in self.leads if to[name] * ahead[name] == to[None]}

    def _told(self, name: str, step: Step, certain: bool) -> Step:
        """Mark a phase that lies only on some ways, with what decides which of them."""
        if certain or step.expected == "is skipped":
            return step
        causes = list(self.chosen_by[name])
        for before, ends in self.leads.items():
            if name in ends:
                causes += self.found[before].depends_on
        told = replace(step, expected="may run", depends_on=tuple(dict.fromkeys((*causes, *step.depends_on))))
        self.found[name] = told
        return told
