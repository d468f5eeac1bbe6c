"""What one phase hands to `aggregate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from review.findings import SEVERITIES, Finding, NotAssessed, rank
from review.values import Json, mapping, objects, shortened

SHOWN_LETTERS = 56


@dataclass(frozen=True, kw_only=True)
class PhaseReport:
    """Findings, what was not assessed, and a summary the final page draws its tables from."""

    findings: tuple[Finding, ...] = ()
    not_assessed: tuple[NotAssessed, ...] = ()
    summary: Mapping[str, Json] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """The severity of the worst finding, or `none`; the tree of a followed review is coloured by it."""
        return min((finding.severity for finding in self.findings), key=SEVERITIES.index, default="none")

    def headline(self, fine: str) -> str:
        """One line for the tree: the worst findings by title, or `fine`; and what was not assessed."""
        ranked = sorted(self.findings, key=rank)
        said = "; ".join(shortened(_placed(finding), SHOWN_LETTERS) for finding in ranked[:2]) or fine
        if len(ranked) > 2:
            said += f"; {len(ranked) - 2} more"
        missing = len(self.not_assessed)
        return f"{said}; {missing} not assessed" if missing else said

    def bounded(self, most: int, letters: int) -> PhaseReport:
        """Return the report with at most `most` findings, the worst, each with at most `letters` of evidence.

        What a child reports travels with its parent's state, so it has to stay small.
        """
        ranked = sorted(self.findings, key=rank)
        kept = tuple(
            replace(
                item,
                evidence=shortened(item.evidence, letters),
                subject=item.subject or item.evidence[:letters],
            )
            for item in ranked[:most]
        )
        left = len(ranked) - len(kept)
        more = NotAssessed(
            what=f"{left} more finding(s) of single files", reason="only the worst of a file are listed"
        )
        missing = (*self.not_assessed, *((more,) if left else ()))
        return replace(self, findings=kept, not_assessed=missing)

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


def _placed(finding: Finding) -> str:
    """Return the title, with file and line in front unless it begins with them."""
    name = finding.path.rpartition("/")[2]
    if finding.title.startswith(finding.path):
        return finding.title.removeprefix(finding.path.removesuffix(name))
    return f"{name}:{finding.line} {finding.title}" if finding.line else finding.title
