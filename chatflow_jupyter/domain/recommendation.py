"""What to do next with an instance, and why: by its rules, by its risks, and by what came of earlier ones."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .compensation import is_step
from .condition_words import in_words
from .conditions import Truth, evaluate
from .definition import Definition, Phase
from .fan_out import children_over, counted
from .forecast import Step, nearest_ahead
from .gates import gate_question, risk_question
from .instance import FINAL, Instance, PhaseState, Status, WaitingReason
from .trust import readable_by

NextRequest: TypeAlias = Literal["start", "trigger", "decide", "retry", "resume", "wait", "nothing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One ground for a recommendation."""

    kind: Literal["rule", "risk", "history"]
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """Another phase it may go to, how many earlier instances did, and what is still to decide that."""

    phase: str
    taken: int
    depends_on: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """The phase that should come next (None: none), the request that leads there, and the reasons.

    `decide` asks for an approval or a rejection; what to answer is not recommended. `compared` is how many
    earlier instances were looked at.
    """

    phase: str | None
    request: NextRequest
    reasons: tuple[Reason, ...]
    alternatives: tuple[Alternative, ...] = ()
    compared: int = 0
    overdue: bool = False
    """Whether a time is over, and what follows from that comes before anything else."""


def recommend_next_phase(
    definition: Definition, instance: Instance, earlier: Sequence[Instance] = ()
) -> Recommendation:
    """Return what should be done next; `earlier` are ended instances of any version of the definition."""
    request, why = _request(instance)
    rule = [Reason(kind="rule", text=why)]
    if request == "nothing" or instance.is_undoing:
        step = instance.phase if request == "retry" else None
        return Recommendation(phase=step, request=request, reasons=tuple(rule), compared=len(earlier))
    possible = _possible(definition, instance, request)
    taken = Counter(_went_to(one, instance.phase) for one in earlier if _came_by(one, instance.phase))
    first = _likeliest(possible, taken)
    if first is None:
        rule.append(Reason(kind="rule", text="no phase comes after this one"))
        return Recommendation(phase=None, request=request, reasons=tuple(rule), compared=len(earlier))
    phase = definition.phase(first.phase)
    reasons = [*rule, *_rules(definition, instance, phase, first), *_risks(phase, instance)]
    if instance.phase not in (None, phase.name) and taken:
        text = f"after {instance.phase}, {taken[phase.name]} of {taken.total()} ended instances came here"
        reasons.append(Reason(kind="history", text=text))
    reasons += _record_of(phase, earlier)
    return Recommendation(
        phase=phase.name,
        request=request,
        reasons=tuple(reasons),
        alternatives=tuple(
            Alternative(phase=step.phase, taken=taken[step.phase], depends_on=step.depends_on)
            for step in possible
            if step is not first
        ),
        compared=len(earlier),
    )


def _request(instance: Instance) -> tuple[NextRequest, str]:
    """Return what has to be asked of the instance for it to go on, and why that."""
    if instance.status in FINAL:
        return "nothing", f"it is {instance.status}"
    if instance.compensated:
        return "nothing", "what it did was undone; start a new one"
    if instance.paused:
        return "resume", "it is paused"
    if instance.status is Status.FAILED:
        return _after_failure(instance)
    match instance.status, instance.waiting_reason:
        case Status.CREATED, _:
            return "start", "it has not begun"
        case Status.WAITING, WaitingReason.TRIGGER:
            return "trigger", f"it waits for {instance.waiting_detail}"
        case Status.WAITING, WaitingReason.APPROVAL:
            return "decide", f"people are asked: {instance.waiting_detail}"
        case Status.WAITING, WaitingReason.BUDGET:
            return "nothing", f"the budget is exhausted: {instance.waiting_detail}"
        case Status.WAITING, _:
            return "wait", f"it waits for {instance.waiting_reason}: {instance.waiting_detail}"
        case _:
            return "wait", f"phase {instance.phase} is at work"


def _after_failure(instance: Instance) -> tuple[NextRequest, str]:
    failure = instance.failure
    over = children_over(instance)
    if instance.phase is None:
        return "nothing", "it failed before its first phase, and its context never changes; start a new one"
    if over:
        return "nothing", f"{counted(over)} terminated or undone, which cannot be resumed; start a new one"
    return "retry", f"it failed with {failure.code}: {failure.message}" if failure else "it failed"


def _possible(definition: Definition, instance: Instance, request: NextRequest) -> list[Step]:
    """Return the phases that may be the next one; a failed one is, while what is at work is not."""
    if request == "retry" and instance.phase and _failed_in(instance, instance.phase):
        return [Step(phase=instance.phase, expected="now")]
    return list(nearest_ahead(definition, instance, beyond=request == "wait"))


def _failed_in(instance: Instance, phase: str) -> bool:
    """Whether it failed with that phase, rather than between it and the next one."""
    failed = instance.phases[phase].state is PhaseState.FAILED
    return failed and (instance.failure is None or instance.failure.phase is not None)


def _likeliest(possible: Sequence[Step], taken: Counter[str | None]) -> Step | None:
    """Return the phase taken most often; of equals the first in the written order."""
    return max(possible, key=lambda step: taken[step.phase], default=None)


def _rules(definition: Definition, instance: Instance, phase: Phase, step: Step) -> Iterable[Reason]:
    view = instance.view
    if instance.phase not in (None, phase.name):
        yield Reason(kind="rule", text=_how_it_follows(definition, instance, phase))
    if phase.when is not None and phase.name != instance.phase:
        yield Reason(kind="rule", text=f"it runs when {in_words(phase.when, view)}")
    if step.depends_on:
        yield Reason(kind="rule", text=f"not known yet: {', '.join(step.depends_on)}")
    if phase.gate is not None and phase.gate.auto is not None:
        read = readable_by(phase.gate, instance)
        rule = in_words(phase.gate.auto, read)
        opens = evaluate(phase.gate.auto, read).truth is Truth.TRUE
        yield Reason(
            kind="rule", text=f"its gate {'opens' if opens else 'does not open'} by its rule: {rule}"
        )
    elif phase.gate is not None and not _asked_now(instance) and gate_question(phase, instance) is not None:
        yield Reason(kind="rule", text=f"its gate asks people: {phase.gate.title or 'it has no rule'}")


def _asked_now(instance: Instance) -> bool:
    """Whether the first reason says already that people are asked, and what."""
    return instance.waiting_reason is WaitingReason.APPROVAL and not instance.paused


def _how_it_follows(definition: Definition, instance: Instance, phase: Phase) -> str:
    assert instance.phase is not None
    before = definition.phase(instance.phase)
    for route in before.next:
        if route.to == phase.name:
            when = "" if route.when is None else f" when {in_words(route.when, instance.view)}"
            return f"a route leads from {before.name} to it{when}"
    if definition.following(before.name) == phase.name:
        return f"it follows {before.name} in the written order"
    return f"a way leads from {before.name} to it over others"


def _risks(phase: Phase, instance: Instance) -> Iterable[Reason]:
    asks = risk_question(phase, instance)
    score = max(phase.risk, instance.reported_risk)
    if asks is not None:
        yield Reason(kind="risk", text=f"{asks}: people are asked")
    elif score:
        yield Reason(
            kind="risk", text=f"risk {score} asks nobody at automation level {instance.automation_level}"
        )


def _record_of(phase: Phase, earlier: Sequence[Instance]) -> Iterable[Reason]:
    """Return what became of the phase in earlier instances."""
    known = [one.phases[phase.name] for one in earlier if phase.name in one.phases]
    records = [record for record in known if not record.shared]  # what a fork shares was done once
    ran = [record for record in records if record.attempts]
    if ran:
        failed = sum(record.state is PhaseState.FAILED for record in ran)
        again = sum(record.state is PhaseState.SUCCEEDED and record.attempts > 1 for record in ran)
        instances = "1 ended instance" if len(ran) == 1 else f"{len(ran)} ended instances"
        text = f"it ran in {instances} and failed in {failed}"
        yield Reason(kind="history", text=text + (f"; {again} needed more than one attempt" if again else ""))
    answers = [record.gate for record in records if record.gate is not None and record.gate.by == "people"]
    if answers:
        refused = sum(answer.decision == "reject" for answer in answers)
        times = "once" if len(answers) == 1 else f"{len(answers)} times"
        text = f"people were asked before it {times}, and refused {refused}"
        yield Reason(kind="history", text=text)


def _came_by(instance: Instance, phase: str | None) -> bool:
    return phase is not None and phase in instance.phases and not instance.phases[phase].shared


def _went_to(instance: Instance, phase: str | None) -> str | None:
    """Return what came after `phase` in an earlier instance, whose phases are in the order of their entry."""
    names = [
        name
        for name, record in instance.phases.items()
        if name == phase or (record.state is not PhaseState.SKIPPED and not is_step(name))
    ]
    position = names.index(phase) + 1 if phase in names else len(names)
    return names[position] if position < len(names) else None
