"""A changed copy of a frozen value, some six times quicker than `dataclasses.replace`.

Every transition changes an instance many times, and `replace` goes through a constructor of thirty arguments
each time. Only for dataclasses with slots and without `__post_init__`.
"""

from typing import TypeVar

Value = TypeVar("Value")


def evolve(value: Value, changes: dict[str, object]) -> Value:
    """Return a copy of `value` with `changes`; raises `TypeError` for a field it does not have."""
    kind = type(value)
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]  # a dataclass with slots
    copy = object.__new__(kind)
    put, found = object.__setattr__, 0
    for name in names:
        if name in changes:
            put(copy, name, changes[name])
            found += 1
        else:
            put(copy, name, getattr(value, name))
    if found != len(changes):
        unknown = ", ".join(sorted(changes.keys() - set(names)))
        raise TypeError(f"{kind.__name__} has no field {unknown}")
    return copy
