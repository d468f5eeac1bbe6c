"""What differs between two states of a template, in words of its files."""

from collections.abc import Mapping, Sequence

from chatflow_jupyter.domain.instance import DefinitionRef

MAX_NAMED = 5


def differences(
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    pins: tuple[Mapping[str, DefinitionRef], Mapping[str, DefinitionRef]],
) -> Sequence[str]:
    """Return what changed from `before` to `after`, and of which children the pins did: `changed: a, b`."""
    both = before.keys() & after.keys()
    groups = {
        "changed": sorted(name for name in both if before[name] != after[name]),
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
    }
    told = [f"{verb}: {_some(names)}" for verb, names in groups.items() if names]
    old, new = pins
    moved = [
        f"{old[name].schema_id} to {new[name].schema_id}"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name] and not name.startswith("./")
    ]
    return [*told, f"pins: {_some(moved)}"] if moved else told


def _some(names: Sequence[str]) -> str:
    left = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {left} more" if left > 0 else "")
