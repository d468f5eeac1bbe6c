"""``report.html``: one file, nothing loaded from anywhere, no script."""

from __future__ import annotations

from pathlib import Path, PurePath

from review.aggregating import Review
from review.decisions import Decision
from review.findings import SEVERITIES, Finding
from review.markup import Html, code, join, tag
from review.page_tables import (
    charts,
    files_table,
    framed,
    hotspots_table,
    looked_at,
    notebooks_table,
    tests_table,
    tiles,
)
from review.values import shortened

STYLE = Path(__file__).with_name("report.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_MOST_CARDS = 30
_HEADINGS = {
    "high": "Before this is merged",
    "medium": "Worth a look",
    "low": "Small things",
    "note": "For your information",
}


def as_page(review: Review, decision: Decision | None = None, *, draft: bool = False) -> str:
    """Return the review as an HTML page with the `decision` to publish it. A `draft` still waits for one."""
    title = PurePath(review.target).name or review.target
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"Code review of {title}"),
        tag("style", Html(STYLE.read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag("a", "Skip to the findings", href="#findings", class_="skip"),
        _header(review, title, decision, draft=draft),
        tag("main", *_sections(review), id="findings", tabindex="-1"),
        tag(
            "footer",
            "Made by the template standard-code-review of ChatFlow for Jupyter. Not assessed is no praise.",
        ),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _header(review: Review, title: str, decision: Decision | None, *, draft: bool) -> Html:
    facts: list[tuple[str, object]] = [("Looked at", review.looked_at), ("Target", code(review.target))]
    if review.base:
        facts.append(("From", review.base))
    facts.append(("To" if review.base else "State", review.head))
    facts += [("Decision", decision.words(known=review.known))] if decision else []
    facts += [("Note", note) for note in review.notes]
    return tag(
        "header",
        tag("p", "Code review" + (", draft: waiting for a decision" if draft else ""), class_="eyebrow"),
        tag("h1", title),
        _verdict(review),
        tag("dl", *(part for name, value in facts for part in (tag("dt", name), tag("dd", value)))),
        tiles(review),
    )


def _verdict(review: Review) -> Html:
    high = review.counts["high"]
    if high:
        said, mark, how = f"{high} finding{'s' if high != 1 else ''} should be settled first", "✕", " stop"
    elif not review.known:
        said, mark, how = review.headline.capitalize(), "?", " unknown"
    else:
        said, mark, how = "No high finding", "✓", ""
        if review.not_assessed:
            said += f" in what was looked at; {len(review.not_assessed)} not assessed"
    return tag(
        "p", tag("span", mark, class_="mark", aria_hidden="true"), tag("span", said), class_=f"verdict{how}"
    )


def _sections(review: Review) -> list[Html]:
    sections = []
    for severity in SEVERITIES:
        chosen = [finding for finding in review.findings if finding.severity == severity]
        if chosen:
            heading = tag("h2", f"{_HEADINGS[severity]} ({len(chosen)})", id=severity)
            cards = map(_card, chosen[:_MOST_CARDS])
            sections.append(
                tag("section", heading, *cards, _rest(chosen[_MOST_CARDS:]), aria_labelledby=severity)
            )
    if not review.findings:
        nothing = "Nothing was found in what was looked at; the tables below say what that is."
        if not review.known:
            nothing = "No statement is made: nothing was assessed. The table below says why."
        sections.append(_section("Findings", tag("p", nothing, class_="nothing")))
    missing = [(item.what, item.reason) for item in review.not_assessed]
    parts = [
        ("In pictures", charts(review)),
        ("Files one by one", files_table(review)),
        ("Tests", tests_table(review)),
        ("Notebooks", notebooks_table(review)),
        ("Hotspots", hotspots_table(review)),
        (
            "Not assessed",
            framed(("what", "reason"), missing, "No statement is made about these") if missing else Html(""),
        ),
        ("What was looked at" if review.known else "What there was to look at", looked_at(review)),
    ]
    sections += [_section(name, part) for name, part in parts if part]
    return sections


def _section(name: str, part: Html) -> Html:
    ident = name.lower().replace(" ", "-")
    return tag("section", tag("h2", name, id=ident), part, aria_labelledby=ident)


def _rest(findings: list[Finding]) -> Html:
    """Return the findings beyond the first, which have a card of their own, as a table to be opened."""
    if not findings:
        return Html("")
    rows = [
        (code(f"{item.path}:{item.line}" if item.line else item.path), item.rule, item.title)
        for item in findings
    ]
    more = f"{len(findings)} more"
    return tag("details", tag("summary", more), framed(("where", "rule", "what"), rows, more))


def _where(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}" if finding.line else finding.path


def _card(finding: Finding) -> Html:
    where = _where(finding)
    tags = [
        tag("span", finding.severity, class_=f"severity is-{finding.severity}"),
        *([code(where)] if where else []),
        tag("span", f"{finding.kind} / {finding.rule}"),
        tag("span", f"phase {finding.source}"),
    ]
    return tag(
        "article",
        tag("h3", finding.title),
        tag("p", *tags, class_="tags"),
        tag("p", finding.detail) if finding.detail else "",
        _evidence(finding) if finding.evidence else "",
        tag("p", finding.suggestion, class_="advice") if finding.suggestion else "",
        class_=f"card {finding.severity}",
        id=f"finding-{finding.fingerprint}",
    )


def _evidence(finding: Finding) -> Html:
    """Show code line by line; a diff's lines and the line in question stand out."""
    marks = {"+": "plus", "-": "minus", ">": "here"}
    lines = []
    for line in finding.evidence.split("\n"):
        marked = marks.get(line[:1]) if line[1:2] in (" ", "") and len(line) > 1 else None
        lines.append(tag("span", line or " ", class_=marked))
    name = f"Evidence: {shortened(finding.title, 80)}"
    return tag("pre", join(lines), tabindex="0", role="region", aria_label=name)
