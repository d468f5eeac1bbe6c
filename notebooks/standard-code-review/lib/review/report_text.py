"""``report.md``: the same report for a terminal, a mail or a pull request."""

from __future__ import annotations

import re

from review.aggregating import Review
from review.decisions import Decision
from review.findings import SEVERITIES, Finding
from review.values import Json, printable, text

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!])")
_SHOWN = 100


def as_markdown(review: Review, decision: Decision | None = None) -> str:
    """Return the review as Markdown; text from the reviewed code is escaped, so it cannot become markup."""
    parts = [
        "# Code review",
        "",
        f"**{plain(review.headline)}**",
        "",
        f"Looked at {review.looked_at}: `{_in_code(review.target)}`",
        *([f"from {plain(review.base)} to {plain(review.head)}"] if review.base else [plain(review.head)]),
        "",
        *([plain(decision.words(known=review.known)), ""] if decision else []),
        *(f"* {plain(note)}" for note in review.notes),
        "",
    ]
    for severity in SEVERITIES:
        chosen = [finding for finding in review.findings if finding.severity == severity]
        if chosen:
            parts += [f"## {severity.capitalize()} ({len(chosen)})", ""]
            for finding in chosen[:_SHOWN]:
                parts += _finding(finding)
            if len(chosen) > _SHOWN:
                parts += [f"… and {len(chosen) - _SHOWN} more in findings.json", ""]
    parts += ["## Assessed", "", plain(", ".join(review.assessed)) or "Nothing.", ""]
    parts += ["## Not assessed", ""]
    parts += _table(("what", "reason"), [[item.what, item.reason] for item in review.not_assessed]) or [
        "Nothing.",
        "",
    ]
    parts += ["## What was looked at", ""]
    columns = ("path", "status", "verdict", "reason")
    rows = [[row.get(name) for name in columns] for row in review.table[:_SHOWN]]
    parts += _table(columns, rows) or ["No file.", ""]
    if len(review.table) > _SHOWN:
        parts += [f"… and {len(review.table) - _SHOWN} more files", ""]
    return "\n".join(parts).rstrip() + "\n"


def plain(value: Json) -> str:
    """Return text in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", printable(text(value))).replace("\n", " ")


def _in_code(value: str) -> str:
    return printable(value).replace("`", "'").replace("\n", " ")


def _finding(finding: Finding) -> list[str]:
    where = f"{finding.path}:{finding.line}" if finding.line else finding.path
    lines = [
        f"### {plain(finding.title)}",
        "",
        f"`{_in_code(where or finding.source)}` · {plain(finding.rule)}",
        "",
    ]
    if finding.detail:
        lines += [plain(finding.detail), ""]
    if finding.evidence:
        lines += [*(f"    {line}" for line in printable(finding.evidence).split("\n")), ""]
    if finding.suggestion:
        lines += [f"→ {plain(finding.suggestion)}", ""]
    return lines


def _table(columns: tuple[str, ...], rows: list[list[Json]]) -> list[str]:
    if not rows:
        return []
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return [*head, *(f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows), ""]
