"""Phase `static`: what can be said without running the code."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from review.changes import DIFF, FOLDER, REPOSITORY, Changes
from review.complexity import examine_complexity
from review.findings import NotAssessed
from review.hotspots import Hotspot, hotspot_findings, hotspots
from review.leaks import find_secrets
from review.linting import lint
from review.reports import PhaseReport
from review.security import examine_security
from review.tools import Place, ToolFailed, ToolReport, prepare
from review.trees import Tree
from review.values import BadData, Json


def examine(changes: Changes, base: Tree, head: Tree, rules: str, scratch: Path) -> tuple[ToolReport, ...]:
    """Run the four tools side by side; only changed lines count. A tool that cannot run says why."""
    place = prepare(changes, base, head, scratch)
    tools: dict[str, tuple[str, Callable[[], ToolReport]]] = {
        "ruff": ("likely mistakes", lambda: lint(place, rules)),
        "bandit": ("dangerous calls", lambda: examine_security(place)),
        "detect-secrets": ("keys, tokens, passwords", lambda: find_secrets(place)),
        "radon": ("functions hard to follow", lambda: examine_complexity(place)),
    }
    with ThreadPoolExecutor(max_workers=2) as pool:
        started = [pool.submit(_or_reason, name, what, tool) for name, (what, tool) in tools.items()]
        reports = tuple(future.result() for future in started)
    return tuple(_only_parts(place, report) for report in reports)


def _or_reason(name: str, what: str, tool: Callable[[], ToolReport]) -> ToolReport:
    try:
        return tool()
    except (ToolFailed, BadData, OSError) as error:
        reason = NotAssessed(what=f"{what} ({name})", reason=str(error))
        return ToolReport(tool=name, looks_for=what, not_assessed=(reason,))


def _only_parts(place: Place, report: ToolReport) -> ToolReport:
    """Of a ``.diff`` only new files are complete; say that the tool saw no other."""
    partial = [file.path for file in place.changes.files if file.is_readable and not file.complete]
    if place.changes.mode != DIFF or not partial or report.not_assessed or report.tool == "detect-secrets":
        return report
    reason = f"{len(partial)} file(s) are only known by the lines of the .diff"
    unseen = NotAssessed(what=f"{report.looks_for} ({report.tool}) in changed files", reason=reason)
    return ToolReport(
        tool=report.tool,
        looks_for=report.looks_for,
        files=report.files,
        findings=report.findings,
        not_assessed=(unseen,),
    )


def static_report(
    changes: Changes, base: Tree, head: Tree, rules: str, scratch: Path
) -> tuple[PhaseReport, tuple[ToolReport, ...], tuple[Hotspot, ...]]:
    """Return the phase's report, what each tool did, and the hotspots of a whole repository."""
    reports = examine(changes, base, head, rules, scratch)
    spots: tuple[Hotspot, ...] = ()
    missing: list[NotAssessed] = []
    if changes.mode in (REPOSITORY, FOLDER):
        try:
            spots = hotspots(changes, head)
        except ToolFailed as error:
            missing.append(NotAssessed(what="hotspots", reason=str(error)))
        if changes.churn is None:
            missing.append(NotAssessed(what="how often a file changes", reason="there is no git history"))
    tools: list[Json] = [
        {"tool": report.tool, "looks_for": report.looks_for, "files": report.files, "result": report.result}
        for report in reports
    ]
    rows: list[Json] = [
        {
            "path": spot.path,
            "commits": spot.commits,
            "complexity": spot.complexity,
            "worst": spot.worst,
            "score": spot.score,
        }
        for spot in spots
    ]
    report = PhaseReport(
        findings=(*(finding for each in reports for finding in each.findings), *hotspot_findings(spots)),
        assessed=tuple(each.tool for each in reports if each.files),
        not_assessed=(*(item for each in reports for item in each.not_assessed), *missing),
        summary={"tools": tools, "hotspots": rows, "rules": rules},
    )
    return report, reports, spots
