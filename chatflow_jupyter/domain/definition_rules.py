"""Rules that span several phases of a definition: names, order, references, reachability."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .conditions import Condition, comparisons_of
from .declaration_rules import Declared, depth_problems, retry_problems, schema_problems
from .definition_faults import nearest
from .errors import InvalidInput
from .json_schema import check_value
from .json_values import JsonValue
from .references import field_reference
from .trust import trust_problems

if TYPE_CHECKING:
    from .definition import Definition, Phase

RESERVED_NAMES = frozenset(
    {
        *("context", "trigger", "children", "item", "index", "end"),
        *("status", "phase", "instance_id", "spent_sec", "descendants", "seq", "compensation"),
    }
)
ALWAYS_THERE = frozenset({"context", "trigger", "children"})
END = "end"

Path: TypeAlias = tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A contradiction and where in the definition it is."""

    path: Path
    message: str


class Contradictions(ValueError):
    """The parts of a definition do not fit together."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep every problem."""
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def problems_of(definition: "Definition") -> tuple[Problem, ...]:
    """Return every contradiction of `definition`."""
    names = [phase.name for phase in definition.phases]
    problems = [
        Problem(path=("phases", position, "name"), message=f"the name {name!r} appears twice")
        for position, name in enumerate(names)
        if name in names[:position]
    ]
    if problems:
        return tuple(problems)
    problems += _default_problems(definition)
    if definition.on_failure == "compensate" and not any(phase.compensate for phase in definition.phases):
        message = "`compensate` undoes nothing: no phase has a notebook `compensate`"
        problems.append(Problem(path=("on_failure",), message=message))
    declared = Declared(definition)
    for path, message in (*schema_problems(definition), *depth_problems(definition)):
        problems.append(Problem(path=path, message=message))
    for position, phase in enumerate(definition.phases):
        here: Path = ("phases", position)
        for key, message in (
            *_phase_problems(phase, position, names),
            *_gate_problems(phase, definition.phases[:position], names[position + 1 :]),
            *retry_problems(phase),
        ):
            problems.append(Problem(path=(*here, *key), message=message))
        for key, message in _reference_problems(phase, position, names, declared):
            problems.append(Problem(path=(*here, *key), message=message))
    if not problems:
        reached = _reachable(definition)
        problems += [
            Problem(path=("phases", position), message="no phase leads to it")
            for position, name in enumerate(names)
            if name not in reached
        ]
    return tuple(problems)


def _default_problems(definition: "Definition") -> Iterator[Problem]:
    properties = definition.parameters.get("properties")
    for name, schema in (properties if isinstance(properties, Mapping) else {}).items():
        if isinstance(schema, Mapping) and "default" in schema:
            rest = {"$defs": definition.parameters.get("$defs", {}), "properties": {name: schema}}
            try:
                check_value({name: schema["default"]}, rest, what="default of parameters")
            except InvalidInput as error:
                path = ("parameters", "properties", name, "default")
                yield Problem(path=path, message=error.message)


def _phase_problems(phase: "Phase", position: int, names: list[str]) -> Iterator[tuple[Path, str]]:
    if phase.name in RESERVED_NAMES:
        yield ("name",), f"the name is reserved ({', '.join(sorted(RESERVED_NAMES))})"
    if phase.notebook is None and phase.children is None:
        yield (), "needs a `notebook`, `children`, or both"
    for key, notebook in (("notebook", phase.notebook), ("compensate", phase.compensate)):
        if notebook is not None and not notebook.endswith(".ipynb"):
            yield (key,), f"the notebook {notebook!r} must end in .ipynb"
    if phase.compensate_after != "success" and phase.compensate is None:
        yield ("compensate_after",), "there is no notebook `compensate` to undo it with"
    if phase.spawns is not None and phase.children is not None:
        yield ("spawns",), "a phase has `children` or `spawns`: put one of them into a phase of its own"
    if phase.cache is not None and phase.notebook is None:
        yield ("cache",), "needs a `notebook`: only what a notebook handed over can be reused"
    elif phase.cache is not None and phase.offspring is not None:
        yield ("cache",), "a phase with children is always made anew; put the notebook into one of its own"
    if phase.spawns is not None and phase.notebook is None:
        yield ("spawns",), "needs a `notebook`, which asks for them with ctx.spawn"
    later = names[position + 1 :]
    names_later = ", ".join(later) or "there is none"
    if phase.fallback is not None and phase.fallback not in later:
        hint = nearest(phase.fallback, later)
        yield ("fallback",), f"{phase.fallback!r} must name a later phase ({names_later}){hint}"
    for number, route in enumerate(phase.next):
        if route.to != END and route.to not in later:
            hint = nearest(route.to, [*later, END])
            problem = f"{route.to!r} must name a later phase or `end` ({names_later}){hint}"
            yield ("next", number, "to"), problem
    for number, route in enumerate(phase.next[:-1]):
        if route.when is None:
            problem = f"the routes after `to: {route.to}` are never reached, it has no `when`"
            yield ("next", number), problem


def _gate_problems(
    phase: "Phase", earlier: Sequence["Phase"], later: list[str]
) -> Iterator[tuple[Path, str]]:
    """Check that a gate can be answered, and that what it says fits together."""
    gate = phase.gate
    if gate is None:
        return
    if gate.on_reject == "goto" and gate.reject_to is None:
        yield ("gate", "on_reject"), "say where to: `on_reject: {goto: phase}`"
    if gate.reject_to is not None:
        if gate.on_reject != "goto":
            yield ("gate", "on_reject"), "is written `on_reject: {goto: phase}`"
        if gate.reject_to != END and gate.reject_to not in later:
            hint = nearest(gate.reject_to, [*later, END])
            there = ", ".join(later) or "there is none"
            problem = f"goto: {gate.reject_to!r} must name a later phase or `end` ({there}){hint}"
            yield ("gate", "on_reject"), problem
    people = gate.approvers + gate.escalate_to
    if people and gate.quorum > len(set(people)) and not any(name.startswith("verb:") for name in people):
        yield ("gate", "quorum"), f"{gate.quorum} can never agree: it asks {len(set(people))}"
    for problem in trust_problems(phase, earlier):
        yield ("gate", "governed"), problem
    if gate.on_expire != "reject" and gate.expires_sec is None:
        yield ("gate", "on_expire"), "needs `expires_sec`, or it never happens"
    if (gate.on_expire == "escalate") != bool(gate.escalate_to):
        yield ("gate", "on_expire"), "`escalate` and `escalate_to`, whom to ask then, go together"
    if gate.escalate_to and not gate.approvers:
        yield ("gate", "escalate_to"), "adds to `approvers`; without them anybody may answer anyway"


def _reference_problems(
    phase: "Phase", position: int, names: list[str], declared: Declared
) -> Iterator[tuple[Path, str]]:
    """Check that fields are of the context, a trigger, a child or a phase that can have ended by then.

    What is declared of them has to be as the definition uses it.
    """
    before = ALWAYS_THERE | set(names[:position])
    through = before | {phase.name}
    for path, condition, allowed in _conditions(phase, before, through):
        for comparison in comparisons_of(condition):
            yield from _unknown_root(path, comparison.field, allowed)
            yield from ((path, problem) for problem in declared.of_comparison(comparison))
    for field in _fields_in(phase.parameters):
        yield from _unknown_root(("parameters",), field, before)
        yield from ((("parameters",), problem) for problem in declared.of_field(field))
    if phase.children is not None:
        if phase.children.foreach is not None:
            yield from _unknown_root(("children", "foreach"), phase.children.foreach, through)
            here: Path = ("children", "foreach")
            yield from ((here, problem) for problem in declared.of_list(phase.children.foreach))
        for field in _fields_in(phase.children.context):
            yield from _unknown_root(("children", "context"), field, through | {"item", "index"})
            yield from ((("children", "context"), problem) for problem in declared.of_field(field))
        for field in _fields_in(phase.children.key):
            yield from _unknown_root(("children", "key"), field, {"item", "index"})


def _unknown_root(path: Path, field: str, allowed: Collection[str]) -> Iterator[tuple[Path, str]]:
    root = field.split(".", maxsplit=1)[0]
    if root not in allowed:
        known = ", ".join(sorted(allowed))
        hint = nearest(root, allowed)
        yield path, f"unknown field {field[:80]!r}; it must start with one of {known}{hint}"


def _fields_in(value: JsonValue) -> Iterator[str]:
    reference = field_reference(value)
    if reference is not None:
        yield reference
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _fields_in(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _fields_in(entry)


def _conditions(
    phase: "Phase", before: frozenset[str], through: frozenset[str]
) -> Iterator[tuple[Path, Condition, frozenset[str]]]:
    if phase.when is not None:
        yield ("when",), phase.when, before
    if phase.gate is not None and phase.gate.auto is not None:
        yield ("gate", "auto"), phase.gate.auto, before
    for number, route in enumerate(phase.next):
        if route.when is not None:
            yield ("next", number, "when"), route.when, through


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
        if phase.gate is not None and phase.gate.reject_to not in (None, END):
            successors.append(str(phase.gate.reject_to))
        falls_through = not phase.next or phase.next[-1].when is not None or phase.when is not None
        following = definition.following(name)
        if falls_through and following:
            successors.append(following)
        waiting += successors
    return seen
