"""A finding: one thing a reviewer should see, wherever it came from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from review.values import Json, printable, shortened, text

SEVERITIES = ("high", "medium", "low", "note")
"""From the worst to the least; `high` stops at the gate."""

EVIDENCE_LIMIT = 4000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a reviewer should see.

    `path` is relative to the reviewed tree, with `/`; `line` counts from 1 at head. `kind`
    groups what is the same for a reader (``test``, ``notebook``, ``signature``, ``mutant``,
    ``coverage``, ``lint``, ``security``, ``secret``, ``complexity``, ``hotspot``); `rule` names the check
    within it. `evidence` is shown as code.
    """

    severity: str
    kind: str
    rule: str
    title: str
    source: str
    path: str = ""
    line: int | None = None
    detail: str = ""
    evidence: str = ""
    suggestion: str = ""
    subject: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity is one of {', '.join(SEVERITIES)}; got {self.severity!r}")

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that stay the same while the finding does, even on another line."""
        subject = self.subject or self.evidence.strip() or self.title
        parts = "\0".join((self.kind, self.rule, self.path, subject))
        return hashlib.sha256(parts.encode("utf-8", "backslashreplace")).hexdigest()[:16]

    def as_json(self) -> dict[str, Json]:
        """Return the finding as JSON, fit for a strict decoder and bounded in size."""
        data: dict[str, Json] = {"id": self.fingerprint}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            data[field.name] = (
                shortened(printable(value), EVIDENCE_LIMIT) if isinstance(value, str) else value
            )
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Finding:
        """Read what `as_json` wrote; raise `ValueError` for an unknown severity."""
        words = {field.name: text(data.get(field.name)) for field in dataclasses.fields(cls)}
        line = data.get("line")
        del words["line"]
        return cls(**words, line=line if isinstance(line, int) and line > 0 else None)


@dataclass(frozen=True, kw_only=True)
class NotAssessed:
    """Something that was not looked at, and why: never to be read as "nothing found"."""

    what: str
    reason: str

    def as_json(self) -> dict[str, Json]:
        """Return the statement as JSON."""
        return {"what": printable(self.what), "reason": shortened(printable(self.reason), 2000)}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> NotAssessed:
        """Read what `as_json` wrote."""
        return cls(what=text(data.get("what")), reason=text(data.get("reason")))


def rank(finding: Finding) -> tuple[int, str, int, str]:
    """Sort key: the worst first, then by place."""
    return (SEVERITIES.index(finding.severity), finding.path, finding.line or 0, finding.rule)


def count(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity; every severity is present."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counts[finding.severity] += 1
    return counts
