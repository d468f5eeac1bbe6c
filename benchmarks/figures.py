"""What a benchmark hands back: figures, each with the promise it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Comparison = Literal["<=", ">="]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value in `unit`; without a `goal` it is told for information only."""

    name: str
    value: float
    unit: str
    how: str
    goal: float | None = None
    comparison: Comparison = "<="

    @property
    def verdict(self) -> Literal["met", "MISSED", "told"]:
        """Whether the promise is kept."""
        if self.goal is None:
            return "told"
        kept = self.value <= self.goal if self.comparison == "<=" else self.value >= self.goal
        return "met" if kept else "MISSED"

    @property
    def line(self) -> str:
        """The figure for a reader."""
        promise = "" if self.goal is None else f"goal {self.comparison} {_number(self.goal)} {self.unit}"
        value = f"{_number(self.value)} {self.unit}"
        return f"  {self.verdict:<7}{self.name:<52} {value:>14}   {promise:<20} {self.how}".rstrip()

    @property
    def record(self) -> Mapping[str, str | float | None]:
        """The figure for a program."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "comparison": self.comparison,
            "goal": self.goal,
            "verdict": self.verdict,
            "how": self.how,
        }


def holds(name: str, kept: bool, how: str) -> Figure:
    """Return a promise that is kept or not, as 1 or 0 of 1."""
    return Figure(name=name, value=float(kept), unit="of 1", goal=1.0, comparison=">=", how=how)


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
