"""What is wrong with a definition, said to its author: where, what, and what to write instead."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel

from .json_values import JsonValue, type_name

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path: TypeAlias = tuple[int | str, ...]

_PATTERNS = {
    "version": "is written like 1.0.0, three numbers with dots",
    "name": "starts with a letter a-z and goes on with a-z, 0-9, - and _ (at most 64 characters)",
    "phase name": "starts with a letter a-z and goes on with a-z, 0-9 and _ (at most 64 characters)",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "model": "a mapping",
    "tuple": "a list",
    "list": "a list",
}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the most similar of the `known` names, or nothing."""
    matches = difflib.get_close_matches(name[:80], list(known), n=1, cutoff=0.6)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def path_of(error: "ErrorDetails") -> Path:
    """Return where in the source the fault is; pydantic's own marks of union branches are left out."""
    parts = error["loc"]
    marks = [n + 1 for n, part in enumerate(parts) if part == "start" and n == 2]
    return tuple(part for n, part in enumerate(parts) if n not in marks)


def is_echo(error: "ErrorDetails", root: JsonValue) -> bool:
    """Whether the fault only follows from others.

    Such are a list counted without its faulty entries, and a form of `start` that the author did not choose.
    """
    location = error["loc"]
    if error["type"] == "too_short":
        written = _look(root, location)
        return isinstance(written, (list, tuple)) and len(written) > 0
    if "start" not in location:
        return False
    at = location.index("start")
    chosen = _look(root, location[: at + 1])
    branch = "TriggerStart" in location[at + 1 : at + 2]
    return branch != isinstance(chosen, Mapping)


def sentence(error: "ErrorDetails", models: Mapping[str, type[BaseModel]]) -> str:
    """Return the fault in the author's words; `models` are the mappings with fixed keys, by the key above."""
    kind, path, given = error["type"], path_of(error), error["input"]
    limits = error.get("ctx", {})
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return _unknown_key(key, path, models)
    if kind == "missing":
        return f"`{key}` is missing"
    if kind == "literal_error":
        known = [word.strip("'") for word in re.findall(r"'[^']*'", str(limits["expected"]))]
        if key == "on_reject":
            known[known.index("goto")] = "{goto: phase}"
        forms = " or ".join(known) + (" or a mapping" if key == "start" else "")
        return (
            f"must be {forms}, not {_shown(given)}{nearest(given, known) if isinstance(given, str) else ''}"
        )
    if kind == "string_pattern_mismatch":
        return f"{_shown(given)} will not do: it {_PATTERNS[_pattern_name(path)]}"
    if kind in _BOUNDS:
        words, limit = _BOUNDS[kind]
        return f"must be {words} {limits[limit]:.15g}, not {_shown(given)}"
    if kind.endswith(("too_short", "too_long")):
        return _length(kind, limits)
    if kind == "value_error":
        return str(limits["error"])
    if path == ("version",):
        return f"must be a version, not {_shown(given)}: it {_PATTERNS['version']}"
    wanted = _KINDS.get(kind.split("_")[0], "something else")
    if wanted == "a number" and key.endswith("_sec"):
        wanted = "a number of seconds"
    quotes = "; put it in quotes" if wanted == "text" and not isinstance(given, (list, Mapping)) else ""
    return f"must be {wanted}, not {_shown(given)}{quotes if given is not None else ''}"


def is_about_a_key(error: "ErrorDetails") -> bool:
    """Whether the fault is the presence or absence of a key, so that it lies in the mapping around it."""
    return error["type"] in ("extra_forbidden", "missing")


def place(path: Path, root: JsonValue) -> str:
    """Return `phase collect: retries.on[0]: ` for a path into the definition."""
    words, rest = "", path
    if len(path) >= 2 and path[0] == "phases" and isinstance(path[1], int):
        name = _look(root, (*path[:2], "name"))
        words = f"phase {name}: " if isinstance(name, str) and name else f"phase number {path[1] + 1}: "
        rest = path[2:]
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest).lstrip(".")
    return f"{words}{dotted}: " if dotted else words


def _unknown_key(key: str, path: Path, models: Mapping[str, type[BaseModel]]) -> str:
    parents = [part for part in path[:-1] if isinstance(part, str)]
    model = models.get(parents[-1] if parents else "")
    known = [] if model is None else list(model.model_json_schema(by_alias=True)["properties"])
    there = f"; there are {', '.join(known)}" if known else ""
    return f"unknown key {key[:80]!r}{nearest(key, known) or there}"


def _pattern_name(path: Path) -> str:
    if path[-1] == "version":
        return "version"
    return "phase name" if "phases" in path else "name"


def _length(kind: str, limits: Mapping[str, object]) -> str:
    if kind == "string_too_short":
        return "may not be empty"
    if kind.startswith("string"):
        return f"may have at most {limits['max_length']} characters"
    if kind.endswith("too_short"):
        return f"needs at least {limits['min_length']} entry"
    return f"may have at most {limits['max_length']} entries"


def _shown(value: object) -> str:
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:59] + "…")
    return type_name(value)


def _look(root: JsonValue, path: Sequence[int | str]) -> JsonValue:
    value = root
    for part in path:
        if isinstance(value, Mapping) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value
