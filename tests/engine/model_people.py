"""Who answers gates in the histories, and what an answer consists of."""

from dataclasses import dataclass, field
from typing import Any

VERBS = {
    "ann": ("read", "run"),
    "bob": ("read", "run", "author"),
    "cyd": ("read", "run", "author", "admin"),
}


class No(Exception):
    """Nothing happens. The text is the code with which the product must refuse."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What somebody says to an instance; `saw` is the version of its artifact they looked at, if they say."""

    who: str = "ann"
    decision: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    phase: str | None = None
    saw: int | None = None
