"""What a reviewer may choose, read from the phase's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from review.values import Json, number, text, whole

DEFAULT_RULES = "E4,E7,E9,F,W6,B,BLE,C4,PLE,PLW,ASYNC,PIE,LOG,INT"


class BadOption(ValueError):
    """A parameter cannot be used; the message names it and says what to do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parameters of the review, checked. `path` is absolute."""

    path: Path
    base: str = ""
    head: str = ""
    execute: bool = False
    python: str = "auto"
    rules: str = DEFAULT_RULES
    max_files: int = 30
    mutants_per_file: int = 12
    mutation_sec: float = 60.0
    test_command: str = ""
    test_sec: float = 600.0
    notebook_sec: float = 120.0
    max_notebooks: int = 20

    @classmethod
    def read(cls, parameters: Mapping[str, Json]) -> Options:
        """Check `parameters`; a missing one has its default. Raises `BadOption`."""
        execute = parameters.get("execute", False)
        if not isinstance(execute, bool):
            raise BadOption(f"execute is true or false, got {execute!r}")
        given = text(parameters.get("path"), ".") or "."
        path = Path(given).expanduser().absolute()
        words = {name: text(parameters.get(name)).strip() for name in ("base", "head", "test_command")}
        return cls(
            path=path,
            **words,
            execute=execute,
            python=text(parameters.get("python"), "auto") or "auto",
            rules=text(parameters.get("rules")) or DEFAULT_RULES,
            max_files=_at_least(parameters, "max_files", 1, cls.max_files),
            mutants_per_file=_at_least(parameters, "mutants_per_file", 0, cls.mutants_per_file),
            max_notebooks=_at_least(parameters, "max_notebooks", 0, cls.max_notebooks),
            mutation_sec=_seconds(parameters, "mutation_sec", cls.mutation_sec),
            test_sec=_seconds(parameters, "test_sec", cls.test_sec),
            notebook_sec=_seconds(parameters, "notebook_sec", cls.notebook_sec),
        )


def _at_least(parameters: Mapping[str, Json], name: str, least: int, default: int) -> int:
    value = whole(parameters.get(name), default)
    if value < least:
        raise BadOption(f"{name} is at least {least}, got {value}")
    return value


def _seconds(parameters: Mapping[str, Json], name: str, default: float) -> float:
    value = number(parameters.get(name), default)
    if value <= 0:
        raise BadOption(f"{name} is a number of seconds greater than 0, got {value}")
    return value
