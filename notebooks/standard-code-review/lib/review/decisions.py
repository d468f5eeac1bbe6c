"""Who let the report be published, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from review.values import Json, text

RULE = "no high finding"
"""What the rule of the gate says in words; the rule itself stands in ``definition.yaml``."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How the gate was opened: by its rule (`approver` is empty) or by a person; `at` is ISO 8601 in UTC."""

    approver: str = ""
    reason: str = ""
    at: str = ""

    def words(self, *, known: bool) -> str:
        """Return one sentence for the report. The rule opens also when nothing is `known`, and it says so."""
        if not self.approver:
            why = RULE if known else f"{RULE}, because nothing was assessed"
            return f"Opened by rule: {why} ({self._when})"
        return f"Approved by {self.approver} ({self._when}): {self.reason or 'no reason given'}"

    @property
    def _when(self) -> str:
        return self.at.replace("T", " ").replace("+00:00", " UTC")

    def as_json(self) -> dict[str, Json]:
        """Return the decision as JSON."""
        return {
            "decision": "approve",
            "by": "people" if self.approver else "rule",
            "approver": self.approver or f"rule: {RULE}",
            "reason": self.reason,
            "at": self.at,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Decision:
        """Read the variable `<phase>.gate` of an instance."""
        by_people = data.get("by") == "people"
        return cls(
            approver=text(data.get("principal"), "somebody") if by_people else "",
            reason=text(data.get("reason")),
            at=text(data.get("at")),
        )
