"""Options of a plugin: one place that says which there are, and what is wrong with one."""

import difflib
from collections.abc import Mapping


class Options:
    """Reads the section of one plugin. Every fault is a `ValueError` that names the option."""

    def __init__(self, given: Mapping[str, object], known: tuple[str, ...]) -> None:
        """Take what was given; raises `ValueError` for an option that is not among `known`."""
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
                raise ValueError(f"unknown option {name!r}; {hint}")
        self._given = given

    def choice(self, name: str, *choices: str) -> str:
        """Return one of `choices`, the first by default."""
        value = self._given.get(name, choices[0])
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{name}: expected one of {', '.join(choices)}")
        return value

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._given.get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
            raise ValueError(f"{name}: expected a list of texts, such as [{name!r}]")
        return tuple(value)

    def number(self, name: str, default: int, *, minimum: int = 0) -> int:
        """Return a whole number."""
        value = self._given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"{name}: expected a whole number from {minimum}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._given.get(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name}: expected true or false")
        return value
