"""Phase `aggregate`: one list, the worst first, nothing twice, no secret repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from review.changes import CHANGE, DIFF, FOLDER, Changes
from review.findings import SEVERITIES, Finding, NotAssessed, count, rank
from review.leaks import HIDDEN
from review.reports import PhaseReport, said_of
from review.values import Json, cleaned, mapping, objects, shortened, strings, text

MOST_FINDINGS = 400
_NUMBERED = re.compile(r"^([>+\- ] +)(\d+)( .*)?$")
_MODES = {
    CHANGE: "a change",
    DIFF: "a .diff alone",
    FOLDER: "a whole folder, without history",
}


@dataclass(frozen=True, kw_only=True)
class Review:
    """Everything the report shows.

    `summaries` are those of the phases, by name; `files` those of single files.
    """

    target: str
    looked_at: str
    base: str
    head: str
    findings: tuple[Finding, ...]
    assessed: tuple[str, ...] = ()
    not_assessed: tuple[NotAssessed, ...] = ()
    notes: tuple[str, ...] = ()
    table: tuple[Mapping[str, Json], ...] = ()
    summaries: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    files: tuple[Mapping[str, Json], ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each severity."""
        return count(self.findings)

    @property
    def known(self) -> bool:
        """Whether anything was found or looked at; otherwise no number means anything."""
        return bool(self.findings or self.assessed)

    @property
    def headline(self) -> str:
        """One line for the gate, the tree and the top of the page."""
        counts = self.counts
        said = ", ".join(f"{counts[name]} {name}" for name in SEVERITIES if counts[name])
        return said_of(said, "no findings", self.assessed, self.not_assessed)

    @property
    def risk(self) -> int:
        """The risk reported to the gate, 0 to 100: from 60 on with any high finding, below 60 without."""
        counts = self.counts
        if counts["high"]:
            return min(100, 60 + 10 * counts["high"])
        return min(55, 5 * counts["medium"] + counts["low"])

    def as_json(self) -> dict[str, Json]:
        """Return the review as JSON."""
        data: Json = {
            "target": self.target,
            "looked_at": self.looked_at,
            "base": self.base,
            "head": self.head,
            "headline": self.headline,
            "counts": dict(self.counts),
            "findings": [finding.as_json() for finding in self.findings],
            "assessed": list(self.assessed),
            "not_assessed": [item.as_json() for item in self.not_assessed],
            "notes": list(self.notes),
            "table": [dict(row) for row in self.table],
            "summaries": {name: dict(summary) for name, summary in self.summaries.items()},
            "files": [dict(summary) for summary in self.files],
        }
        return dict(mapping(cleaned(data)))

    @classmethod
    def from_json(cls, data: Json) -> Review:
        """Read what `as_json` wrote; raise `BadData` when it is something else."""
        given = mapping(data, "review")
        notes = given.get("notes")
        summaries = mapping(given.get("summaries") or {}, "summaries")
        return cls(
            target=text(given.get("target")),
            looked_at=text(given.get("looked_at")),
            base=text(given.get("base")),
            head=text(given.get("head")),
            findings=tuple(Finding.from_json(item) for item in objects(given.get("findings"))),
            assessed=strings(given.get("assessed")),
            not_assessed=tuple(NotAssessed.from_json(item) for item in objects(given.get("not_assessed"))),
            notes=tuple(text(note) for note in notes) if isinstance(notes, list | tuple) else (),
            table=objects(given.get("table")),
            summaries={name: mapping(value, name) for name, value in summaries.items()},
            files=objects(given.get("files")),
        )


def aggregate(
    changes: Changes, reports: Mapping[str, PhaseReport], files: Iterable[tuple[str, PhaseReport | None]]
) -> Review:
    """Put the reports of all phases together.

    `files` are (path, report); None means that the review of the file failed.
    """
    singles = list(files)
    lost = [
        NotAssessed(what=f"the review of {path}", reason="its child instance did not complete")
        for path, report in singles
        if report is None
    ]
    every = [*reports.values(), *(report for _, report in singles if report is not None)]
    findings = merge(finding for report in every for finding in report.findings)
    findings = hide_secrets(findings)
    missing = [*changes.not_assessed, *(item for report in every for item in report.not_assessed), *lost]
    if len(findings) > MOST_FINDINGS:
        reason = f"{len(findings) - MOST_FINDINGS} more of the lowest severity are left out of the list"
        missing.append(NotAssessed(what=f"findings beyond the first {MOST_FINDINGS}", reason=reason))
        findings = findings[:MOST_FINDINGS]
    data = changes.as_json()
    return Review(
        target=text(data.get("target")),
        looked_at=_MODES.get(changes.mode, "a whole repository"),
        base=text(data.get("base")),
        head=text(data.get("head")),
        findings=findings,
        assessed=tuple(dict.fromkeys(name for report in every for name in report.assessed)),
        not_assessed=summed_up(missing),
        notes=tuple(text(note) for note in changes.notes),
        table=tuple(_row(item) for item in objects(data.get("files"))),
        summaries={name: report.summary for name, report in reports.items()},
        files=tuple(report.summary for _, report in singles if report is not None),
    )


def _row(file: Mapping[str, Json]) -> dict[str, Json]:
    kept = ("path", "old_path", "status", "verdict", "reason", "added", "removed", "symbols")
    return {name: file.get(name) for name in kept}


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Make one finding of those of one kind on one line, and rank them, the worst first."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in sorted(findings, key=rank):
        where = finding.line if finding.line is not None else finding.fingerprint
        groups.setdefault((finding.path, finding.kind, where), []).append(finding)
    return tuple(sorted((_merged(group) for group in groups.values()), key=rank))


def _merged(group: list[Finding]) -> Finding:
    first = group[0]
    others = list(dict.fromkeys(item.title for item in group[1:] if item.title != first.title))
    if not others:
        return first
    also = "Also on this line: " + "; ".join(others)
    evidence = "\n".join(dict.fromkeys(item.evidence for item in group if item.evidence))
    detail = f"{first.detail} {also}".strip()
    return replace(
        first, detail=shortened(detail, 2000), evidence=evidence, subject=first.subject or first.title
    )


def hide_secrets(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Take the lines that hold a secret out of the evidence of every other finding."""
    secret = {(finding.path, finding.line) for finding in findings if finding.kind == "secret"}
    if not secret:
        return findings
    return tuple(_hidden(finding, secret) for finding in findings)


def _hidden(finding: Finding, secret: set[tuple[str, int | None]]) -> Finding:
    if (finding.path, finding.line) in secret:
        fingerprint = finding.subject or finding.fingerprint
        title = (
            finding.title if finding.kind == "secret" else f"{finding.rule}, on a line that may hold a secret"
        )
        return replace(finding, title=title, evidence=HIDDEN, subject=fingerprint)
    lines = []
    for line in finding.evidence.split("\n"):
        numbered = _NUMBERED.match(line)
        hide = numbered is not None and (finding.path, int(numbered[2])) in secret
        lines.append(f"{numbered[1]}{numbered[2]} {HIDDEN}" if hide and numbered else line)
    return replace(finding, evidence="\n".join(lines))


def summed_up(items: Iterable[NotAssessed]) -> tuple[NotAssessed, ...]:
    """Say once what has the same reason: forty files without coverage are one line."""
    by_reason: dict[str, list[str]] = {}
    for item in items:
        what = by_reason.setdefault(item.reason, [])
        if item.what not in what:
            what.append(item.what)
    return tuple(
        NotAssessed(
            what=shortened(
                "; ".join(what[:12]) + (f"; and {len(what) - 12} more" if len(what) > 12 else ""), 1500
            ),
            reason=reason,
        )
        for reason, what in by_reason.items()
    )
