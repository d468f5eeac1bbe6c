"""Rules that span several phases of a definition: names, order, references, reachability."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .conditions import Condition, fields_of

if TYPE_CHECKING:
    from .definition import Definition, Phase

RESERVED_NAMES = frozenset(
    {"context", "trigger", "children", "item", "index", "end", "status", "phase", "instance_id", "spent_sec"}
)
END = "end"


def problems_of(definition: "Definition") -> tuple[str, ...]:
    """Return every contradiction of `definition`, each as one line that names the phase."""
    names = [phase.name for phase in definition.phases]
    problems = [
        f"the phase name {name!r} appears twice" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if problems:
        return tuple(problems)
    for position, phase in enumerate(definition.phases):
        problems += [f"phase {phase.name}: {problem}" for problem in _phase_problems(phase, position, names)]
        problems += [
            f"phase {phase.name}: {problem}" for problem in _reference_problems(phase, position, names)
        ]
    if not problems:
        unreachable = [name for name in names if name not in _reachable(definition)]
        problems += [f"phase {name}: no phase leads to it" for name in unreachable]
    return tuple(problems)


def _phase_problems(phase: "Phase", position: int, names: list[str]) -> Iterator[str]:
    if phase.name in RESERVED_NAMES:
        yield f"the name is reserved ({', '.join(sorted(RESERVED_NAMES))})"
    if phase.notebook is None and phase.children is None:
        yield "needs a `notebook`, `children`, or both"
    if phase.notebook is not None and not phase.notebook.endswith(".ipynb"):
        yield f"the notebook {phase.notebook!r} must end in .ipynb"
    later = names[position + 1 :]
    if phase.fallback is not None and phase.fallback not in later:
        yield f"fallback {phase.fallback!r} must name a later phase ({', '.join(later) or 'there is none'})"
    for route in phase.next:
        if route.to != END and route.to not in later:
            names_later = ", ".join(later) or "there is none"
            yield f"next: {route.to!r} must name a later phase or `end` ({names_later})"
    for route in phase.next[:-1]:
        if route.when is None:
            yield f"next: the routes after `to: {route.to}` are never reached, it has no `when`"


def _reference_problems(phase: "Phase", position: int, names: list[str]) -> Iterator[str]:
    """Conditions may read the context, triggers, children and phases that can have ended by then."""
    before, through = set(names[:position]), set(names[: position + 1])
    for label, condition, allowed in _conditions(phase, before, through):
        for field in fields_of(condition):
            root = field.split(".")[0]
            if root not in allowed | {"context", "trigger", "children"}:
                known = ", ".join(sorted(allowed | {"context", "trigger", "children"}))
                yield f"{label}: unknown field {field!r}; it must start with one of {known}"


def _conditions(
    phase: "Phase", before: set[str], through: set[str]
) -> Iterator[tuple[str, Condition, set[str]]]:
    if phase.when is not None:
        yield "when", phase.when, before
    if phase.gate is not None and phase.gate.auto is not None:
        yield "gate.auto", phase.gate.auto, before
    for route in phase.next:
        if route.when is not None:
            yield "next", route.when, through


def _reachable(definition: "Definition") -> set[str]:
    start = definition.following(None)
    waiting, seen = [start] if start else [], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        phase = definition.phase(name)
        successors = [route.to for route in phase.next if route.to != END]
        if phase.fallback:
            successors.append(phase.fallback)
        falls_through = not phase.next or phase.next[-1].when is not None or phase.when is not None
        following = definition.following(name)
        if falls_through and following:
            successors.append(following)
        waiting += successors
    return seen
