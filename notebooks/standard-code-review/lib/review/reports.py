"""What one phase hands to `aggregate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from review.findings import SEVERITIES, Finding, NotAssessed, rank
from review.values import Json, mapping, objects, shortened, strings

SHOWN_LETTERS = 56


@dataclass(frozen=True, kw_only=True)
class PhaseReport:
    """Findings, what was and was not assessed, and a summary the final page draws its tables from.

    `assessed` names what was really looked at: only about that "nothing found" may be said.
    """

    findings: tuple[Finding, ...] = ()
    assessed: tuple[str, ...] = ()
    not_assessed: tuple[NotAssessed, ...] = ()
    summary: Mapping[str, Json] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """The severity of the worst finding, or `none`; the tree of a followed review is coloured by it."""
        return min((finding.severity for finding in self.findings), key=SEVERITIES.index, default="none")

    def headline(self, fine: str) -> str:
        """One line for the tree: the worst findings by title, or `fine`; and what was not assessed.

        `fine` is only said of what was looked at; when that is nothing, the line says so with the reason.
        """
        ranked = sorted(self.findings, key=rank)
        said = "; ".join(shortened(_placed(finding), SHOWN_LETTERS) for finding in ranked[:2])
        if len(ranked) > 2:
            said += f"; {len(ranked) - 2} more"
        return said_of(said, fine, self.assessed, self.not_assessed)

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
            "assessed": list(self.assessed),
            "not_assessed": [item.as_json() for item in self.not_assessed],
            "summary": dict(self.summary),
        }

    @classmethod
    def from_json(cls, data: Json) -> PhaseReport:
        """Read what `as_json` wrote; raise `BadData` when it is something else."""
        given = mapping(data, "phase report")
        return cls(
            findings=tuple(Finding.from_json(item) for item in objects(given.get("findings"))),
            assessed=strings(given.get("assessed")),
            not_assessed=tuple(NotAssessed.from_json(item) for item in objects(given.get("not_assessed"))),
            summary=mapping(given.get("summary") or {}, "summary"),
        )


def said_of(found: str, fine: str, assessed: Sequence[str], missing: Sequence[NotAssessed]) -> str:
    """Return one line of what was `found`, or of what was `fine`, that never says more than was looked at."""
    if not missing:
        return found or (fine if assessed else "there was nothing to look at")
    if not found and not assessed:
        return f"not assessed: {_listed([item.reason for item in missing], most=2, letters=100)}"
    said = found or f"{fine} ({_listed(assessed)})"
    return f"{said}; not assessed: {_listed([item.what for item in missing])}"


def _listed(words: Sequence[str], *, most: int = 3, letters: int = SHOWN_LETTERS) -> str:
    """Return the first of `words`, each once, and how many more there are."""
    every = list(dict.fromkeys(words))
    said = ", ".join(shortened(word, letters) for word in every[:most])
    return f"{said} and {len(every) - most} more" if len(every) > most else said


def _placed(finding: Finding) -> str:
    """Return the title, with file and line in front unless it begins with them."""
    name = finding.path.rpartition("/")[2]
    if finding.title.startswith(finding.path):
        return finding.title.removeprefix(finding.path.removesuffix(name))
    return f"{name}:{finding.line} {finding.title}" if finding.line else finding.title
