"""Tables inside the notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from review.findings import Finding, NotAssessed, rank
from review.markup import code, table, tag
from review.values import printable, shortened

_MOST_ROWS = 300


@dataclass(frozen=True)
class Shown:
    """Something to look at: HTML in a notebook, plain text elsewhere."""

    html: str
    plain: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.plain


def rows(columns: Sequence[str], cells: Iterable[Sequence[object]], caption: str) -> Shown:
    """Show a table, at most 300 rows of it; how many are left out is said."""
    every = [list(row) for row in cells]
    kept = every[:_MOST_ROWS]
    if len(every) > len(kept):
        caption = f"{caption} (the first {len(kept)} of {len(every)})"
    plain = "\n".join([caption, *("  ".join(printable(str(cell)) for cell in row) for row in kept)])
    return Shown(html=_to_the_left(table(columns, kept, caption)), plain=plain)


def _to_the_left(html: str) -> str:
    """Set cells to the left: notebook front ends set them to the right. Text of a cell holds no '<'."""
    left = "text-align: left"
    for name, style in (
        ("td", f"{left}; vertical-align: top"),
        ("caption", f"{left}; font-weight: bold"),
        ("pre", left),
    ):
        html = html.replace(f"<{name}>", f'<{name} style="{style}">')
    html = html.replace("<table>", '<table style="margin-left: 0">')
    html = html.replace('<th scope="row">', f'<th scope="row" style="{left}; font-weight: normal">')
    return html.replace('<th scope="col">', f'<th scope="col" style="{left}">')


def findings(items: Iterable[Finding], assessed: Sequence[str], caption: str = "Findings") -> Shown:
    """Show findings, the worst first; "none" is only said of what was `assessed`."""
    ranked = sorted(items, key=rank)
    if not ranked:
        none = f"none. Looked at: {', '.join(assessed)}" if assessed else "not assessed"
        return sentence(f"{caption}: {none}")
    cells = [
        (
            finding.severity,
            code(f"{finding.path}:{finding.line}" if finding.line else finding.path),
            finding.rule,
            tag(
                "div", finding.title, tag("pre", shortened(finding.evidence, 600)) if finding.evidence else ""
            ),
        )
        for finding in ranked
    ]
    return rows(("severity", "where", "rule", "what"), cells, caption)


def not_assessed(items: Iterable[NotAssessed]) -> Shown:
    """Show what was not looked at, and why."""
    cells = [(item.what, item.reason) for item in items]
    if not cells:
        return sentence("Everything this phase can look at was looked at.")
    return rows(("not assessed", "reason"), cells, "Not assessed: no statement is made about these")


def sentence(words: str) -> Shown:
    """Show one sentence."""
    return Shown(html=tag("p", words), plain=printable(words))
