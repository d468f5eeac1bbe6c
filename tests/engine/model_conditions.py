"""The model's own reading of conditions and references: True, False, or None for unknown."""

import re
from typing import Any

ABSENT = object()


def look(view: Any, path: str) -> Any:
    """Return what is at the dotted path, or `ABSENT`."""
    for part in path.split("."):
        if isinstance(view, dict) and part in view:
            view = view[part]
        elif isinstance(view, list) and part.isdigit() and int(part) < len(view):
            view = view[int(part)]
        else:
            return ABSENT
    return view


def holds(condition: Any, view: dict[str, Any]) -> bool | None:
    """Return whether the condition holds; None when it cannot be said."""
    if "not" in condition:
        inner = holds(condition["not"], view)
        return None if inner is None else not inner
    found, wanted = look(view, condition["field"]), condition.get("value", True)
    if condition["operator"] == "exists":
        return (found is not ABSENT) == wanted
    if found is ABSENT or isinstance(found, str) != isinstance(wanted, str) or isinstance(found, list):
        return None
    if condition["operator"] == "matches":
        return bool(re.search(wanted, found)) if isinstance(found, str) else None
    return {
        "==": found == wanted,
        "<": found < wanted,
        ">": found > wanted,
        ">=": found >= wanted,
    }[condition["operator"]]


def fill_in(template: Any, view: dict[str, Any]) -> Any:
    """Return `template` with references replaced; raises `LookupError` for one to nothing."""
    if isinstance(template, dict):
        if list(template) == ["field"]:
            found = look(view, template["field"])
            if found is ABSENT:
                raise LookupError(template["field"])
            return found
        return {key: fill_in(value, view) for key, value in template.items()}
    return template
