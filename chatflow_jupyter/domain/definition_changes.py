"""What changed between two definitions, in words, and whether callers notice it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .definition import Definition, Phase
from .json_values import JsonObject, JsonValue, canonical_json
from .parameter_changes import parameter_changes

MAX_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference: which part, and how; `breaks` when what a caller gave may not fit any more."""

    what: str
    how: str
    breaks: bool = False


def changes_between(before: Definition, after: Definition) -> tuple[Change, ...]:
    """Return every difference, those of the whole first, then parameters, then phases in their order."""
    found = [
        Change(what=path, how=how)
        for path, how in _differences(_plain(before, but="phases"), _plain(after, but="phases"))
    ]
    found += [
        Change(what=f"parameter {name}" if name else "parameters", how=how, breaks=breaks)
        for name, how, breaks in parameter_changes(before.parameters, after.parameters)
    ]
    return (*found, *_phase_changes(before, after))


def _phase_changes(before: Definition, after: Definition) -> Iterator[Change]:
    old = {phase.name: phase for phase in before.phases}
    new = {phase.name: phase for phase in after.phases}
    renamed = dict(_renamed(before, after))
    for name in old:
        if name not in new:
            how = f"is called {renamed[name]} now" if name in renamed else "is gone"
            yield Change(what=f"phase {name}", how=how)
    there = [renamed.get(name, name) for name in old if renamed.get(name, name) in new]
    for name, phase in new.items():
        earlier = next((one for one, other in renamed.items() if other == name), name)
        if earlier not in old:
            yield Change(what=f"phase {name}", how=f"is new, {_behind(name, list(new))}")
            continue
        for path, how in _differences(_plain(old[earlier]), _plain(phase)):
            if path != "name":
                yield Change(what=f"phase {name}: {path}", how=how)
    stayed = [name for name in new if name in there]
    for name in sorted(set(stayed) - _in_order(there, stayed), key=stayed.index):
        yield Change(what=f"phase {name}", how=f"comes {_behind(name, list(new))} now")


def _renamed(before: Definition, after: Definition) -> Iterator[tuple[str, str]]:
    """Yield phases that are gone and those that do just what they did under another name."""
    kept = {phase.name for phase in before.phases} & {phase.name for phase in after.phases}
    fresh = [phase for phase in after.phases if phase.name not in kept]
    for phase in before.phases:
        if phase.name in kept:
            continue
        same = next((one for one in fresh if _nameless(one) == _nameless(phase)), None)
        if same is not None:
            fresh.remove(same)
            yield phase.name, same.name


def _nameless(phase: Phase) -> str:
    return canonical_json({key: value for key, value in _plain(phase).items() if key != "name"})


def _behind(name: str, order: list[str]) -> str:
    position = order.index(name)
    return "first" if position == 0 else f"after {order[position - 1]}"


def _in_order(before: list[str], after: list[str]) -> set[str]:
    """Return the longest run of names, not necessarily adjacent, that stand in the same order in both."""
    places = [before.index(name) for name in after]
    best: list[list[int]] = []
    for number, place in enumerate(places):
        earlier = [run for run, last in zip(best, range(number), strict=True) if places[last] < place]
        best.append([*max(earlier, key=len, default=[]), number])
    return {after[number] for number in max(best, key=len, default=[])}


def _plain(model: Definition | Phase, *, but: str | None = None) -> dict[str, JsonValue]:
    """Return what is said in `model`, without what is told apart."""
    leave_out = {"parameters", but} if isinstance(model, Definition) else set()
    said: dict[str, JsonValue] = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {key: value for key, value in said.items() if key not in leave_out}


def _differences(before: JsonObject, after: JsonObject, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each place, as `gate.quorum`, and what became of it."""
    for key in (*before, *(key for key in after if key not in before)):
        here = f"{path}.{key}" if path else key
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, here)
        elif key not in after:
            yield here, f"{shown(old)} is gone"
        elif key not in before:
            yield here, f"is {shown(new)} now"
        elif canonical_json(old) != canonical_json(new):
            yield here, f"{shown(old)} -> {shown(new)}"


def shown(value: JsonValue) -> str:
    """Return a value as a difference shows it."""
    text = value if isinstance(value, str) else canonical_json(value)
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
