"""The tables and charts of ``report.html``; '' where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from review.aggregating import Review
from review.changes import LOOKED
from review.charts import Bar, Segment, chart
from review.findings import SEVERITIES
from review.markup import Html, code, scrolling, table, tag
from review.values import Json, mapping, objects, strings, text, whole

_MOST_ROWS = 500


def tiles(review: Review) -> Html:
    """Return the numbers at the top."""
    counts = review.counts
    cells: list[tuple[object, str, str]] = [
        (counts[name] if review.known else "?", name, f"is-{name}" if review.known else "is-note")
        for name in ("high", "medium", "low")
    ]
    cells.append((len(review.not_assessed), "not assessed", "is-note"))
    head = _tally(review, "head")
    if head:
        bad = whole(head.get("failed")) + whole(head.get("error"))
        cells.append(
            (whole(head.get("passed")), "tests pass" + (f", {bad} do not" if bad else ""), "is-good")
        )
    tried = [mutant for file in review.files for mutant in objects(file.get("mutants"))]
    if tried:
        survived = sum(mutant.get("verdict") == "survived" for mutant in tried)
        cells.append((survived, f"of {len(tried)} mutants unnoticed", "is-medium" if survived else "is-good"))
    return tag(
        "ul",
        *(tag("li", tag("strong", number, class_=how), tag("span", name)) for number, name, how in cells),
        class_="tiles",
        aria_label="In numbers",
    )


def _tally(review: Review, side: str) -> Mapping[str, Json]:
    value = review.summaries.get("testing", {}).get(side)
    return value if isinstance(value, Mapping) else {}


def charts(review: Review) -> Html:
    """Draw findings by kind, changed statements and mutants by file, tests by side."""
    drawn = [
        chart("Findings by kind", _by_kind(review)),
        chart("Changed statements that a test executes", _by_coverage(review)),
        chart("Mutants that a test noticed", _by_mutants(review)),
        chart("Tests", _by_side(review)),
        chart("Hotspots: commits by complexity", _by_hotspot(review)),
    ]
    drawn = [picture for picture in drawn if picture]
    return tag("div", *drawn, class_="charts") if drawn else Html("")


def _by_kind(review: Review) -> list[Bar]:
    kinds = dict.fromkeys(finding.kind for finding in review.findings)
    return [
        Bar(
            label=kind,
            segments=tuple(
                Segment(value=number, colour=severity, name=severity)
                for severity in SEVERITIES
                if (number := sum(f.kind == kind and f.severity == severity for f in review.findings))
            ),
        )
        for kind in kinds
    ]


def _by_coverage(review: Review) -> list[Bar]:
    bars = []
    for file in review.files:
        if "uncovered" in file and whole(file.get("changed_statements")):
            total, missed = whole(file.get("changed_statements")), _length(file.get("uncovered"))
            parts = (
                Segment(value=total - missed, colour="good", name="executed"),
                Segment(value=missed, colour="medium", name="not executed"),
            )
            bars.append(Bar(label=text(file.get("path")), segments=parts, said=f"{total - missed}/{total}"))
    return bars


def _by_mutants(review: Review) -> list[Bar]:
    bars = []
    for file in review.files:
        verdicts = [text(mutant.get("verdict")) for mutant in objects(file.get("mutants"))]
        if verdicts:
            survived = verdicts.count("survived")
            parts = (
                Segment(value=len(verdicts) - survived, colour="good", name="noticed"),
                Segment(value=survived, colour="medium", name="unnoticed"),
            )
            said = f"{len(verdicts) - survived}/{len(verdicts)}"
            bars.append(Bar(label=text(file.get("path")), segments=parts, said=said))
    return bars


def _by_side(review: Review) -> list[Bar]:
    colours = {"passed": "good", "failed": "high", "error": "medium", "skipped": "note"}
    return [
        Bar(
            label=side,
            segments=tuple(
                Segment(value=whole(tally.get(name)), colour=colour, name=name)
                for name, colour in colours.items()
                if whole(tally.get(name))
            ),
        )
        for side in ("base", "head")
        if (tally := _tally(review, side))
    ]


def _by_hotspot(review: Review) -> list[Bar]:
    return [
        Bar(
            label=text(spot.get("path")),
            segments=(Segment(value=whole(spot.get("score")), colour="accent", name="score"),),
        )
        for spot in objects(review.summaries.get("static", {}).get("hotspots"))[:10]
    ]


def _length(value: Json) -> int:
    return len(value) if isinstance(value, list | tuple) else 0


def framed(
    columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str, numbers: Sequence[str] = ()
) -> Html:
    """Return a table that scrolls in a frame of its own where the page is too narrow for it."""
    return scrolling(table(columns, rows, caption, numbers=numbers), caption)


def files_table(review: Review) -> Html:
    """Return one row a changed module."""
    rows = []
    for file in review.files:
        mutants = objects(file.get("mutants"))
        survived = [mutant for mutant in mutants if mutant.get("verdict") == "survived"]
        broken = [site for item in objects(file.get("signatures")) for site in strings(item.get("broken"))]
        covered = "not assessed"
        if "uncovered" in file:
            missed = ", ".join(str(line) for line in _list(file.get("uncovered"))[:12])
            covered = f"lines {missed}" if missed else "none"
        tried = f"{len(survived)} of {len(mutants)} tried" if "mutants" in file else "not assessed"
        rows.append(
            (
                code(file.get("path")),
                ", ".join(strings(file.get("symbols"))[:8]) or "—",
                covered,
                tried,
                "; ".join(broken) or ("none" if "signatures" in file else "not assessed"),
            )
        )
    columns = ("module", "touched", "not executed", "mutants unnoticed", "callers that do not fit")
    return framed(columns, rows, "What the change does to each module") if rows else Html("")


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list | tuple) else []


def tests_table(review: Review) -> Html:
    """Return how the tests ended at both sides, and which changed their mind."""
    summary = review.summaries.get("testing", {})
    if not _tally(review, "head"):
        return Html("")
    names = ("passed", "failed", "error", "skipped")
    rows = [
        (side, *(tally.get(name, 0) for name in names))
        for side in ("base", "head")
        if (tally := _tally(review, side))
    ]
    tallies = framed(("side", *names), rows, f"Started with: {text(summary.get('command'))}", numbers=names)
    lists = []
    for name in ("newly_failing", "newly_passing", "flaky", "failing_at_both", "gone"):
        tests = strings(summary.get(name))
        if tests:
            lists += [
                tag("dt", name.replace("_", " ")),
                tag("dd", *(tag("div", code(test)) for test in tests)),
            ]
    return Html(tallies + (tag("dl", *lists) if lists else ""))


def notebooks_table(review: Review) -> Html:
    """Return one row a notebook."""
    items = objects(review.summaries.get("notebooks", {}).get("notebooks"))
    rows = [
        (code(item.get("path")), item.get("why"), _outcome(item, "base"), _outcome(item, "head"))
        for item in items
    ]
    return (
        framed(("notebook", "why", "at base", "at head"), rows, "Each from a clean kernel")
        if rows
        else Html("")
    )


def _outcome(item: Mapping[str, Json], side: str) -> Html:
    outcome = text(item.get(side))
    how = {"ok": "is-good", "not run": "is-note", "not there": "is-note"}.get(outcome, "is-high")
    said = text(item.get(f"{side}_said"))
    return tag("span", outcome if outcome in ("ok", "not run", "not there") else said or outcome, class_=how)


def hotspots_table(review: Review) -> Html:
    """Return the modules of a whole repository that change often and are complicated."""
    spots = objects(review.summaries.get("static", {}).get("hotspots"))
    rows = [
        (
            code(spot.get("path")),
            "unknown" if spot.get("commits") is None else spot.get("commits"),
            spot.get("complexity"),
            code(spot.get("worst")),
        )
        for spot in spots
    ]
    columns = ("module", "commits", "paths in all functions", "most complicated")
    numbers = ("commits", "paths in all functions")
    return framed(columns, rows, "Changed often and complicated", numbers=numbers) if rows else Html("")


def _verdict(row: Mapping[str, Json], review: Review) -> str:
    said = text(row.get("verdict"))
    return said if review.known or said != LOOKED else "not assessed"


def looked_at(review: Review) -> Html:
    """Return every file, and what became of it."""
    verdicts = [_verdict(row, review) for row in review.table]
    tally = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts)) or "no file"
    rows = [
        (
            code(row.get("path")),
            row.get("status"),
            f"+{whole(row.get('added'))} -{whole(row.get('removed'))}",
            _verdict(row, review),
            row.get("reason"),
        )
        for row in review.table[:_MOST_ROWS]
    ]
    more = len(review.table) - len(rows)
    caption = f"Files{f' (the first {len(rows)}, {more} more in findings.json)' if more else ''}"
    body = framed(("file", "status", "lines", "verdict", "reason"), rows, caption)
    tools = objects(mapping(review.summaries.get("static", {}) or {}).get("tools"))
    checks = [
        (tool.get("tool"), tool.get("looks_for"), tool.get("files"), tool.get("result")) for tool in tools
    ]
    rules = text(review.summaries.get("static", {}).get("rules"))
    heading = f"Tools (rules of ruff: {rules.replace(',', ', ')})" if rules else "Tools"
    checked = framed(("tool", "looks for", "files", "result"), checks, heading) if checks else ""
    return Html(checked + tag("details", tag("summary", tally), body, open="" if len(rows) <= 30 else None))
