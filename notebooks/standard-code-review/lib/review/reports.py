"""What one phase hands to `aggregate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from review.findings import Finding, NotAssessed
from review.values import Json, mapping, objects


@dataclass(frozen=True, kw_only=True)
class PhaseReport:
    """Findings, what was not assessed, and a summary the final page draws its tables from."""

    findings: tuple[Finding, ...] = ()
    not_assessed: tuple[NotAssessed, ...] = ()
    summary: Mapping[str, Json] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """Return the report as JSON."""
        return {
            "findings": [finding.as_json() for finding in self.findings],
            "not_assessed": [item.as_json() for item in self.not_assessed],
            "summary": dict(self.summary),
        }

    @classmethod
    def from_json(cls, data: Json) -> PhaseReport:
        """Read what `as_json` wrote; raise `BadData` when it is something else."""
        given = mapping(data, "phase report")
        return cls(
            findings=tuple(Finding.from_json(item) for item in objects(given.get("findings"))),
            not_assessed=tuple(NotAssessed.from_json(item) for item in objects(given.get("not_assessed"))),
            summary=mapping(given.get("summary") or {}, "summary"),
        )
