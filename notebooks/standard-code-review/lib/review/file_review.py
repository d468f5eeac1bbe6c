"""One changed module: lines no test executes, mutants nobody notices, signatures others rely on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from review.callers import CallSite, callers_of
from review.changes import Changes, FileChange
from review.coverage_map import CoverageMap, statement_lines
from review.findings import Finding, NotAssessed
from review.modules import ModuleIndex
from review.mutants import Mutant
from review.mutation import Mutation, try_mutants
from review.options import Options
from review.process import MissingProgram
from review.reports import PhaseReport
from review.signatures import SignatureChange, breaking_changes
from review.symbols import touched
from review.trees import Tree
from review.values import Json, shortened

_CALLERS_SHOWN = 20


def review_file(
    file: FileChange,
    changes: Changes,
    base: Tree,
    head: Tree,
    coverage: CoverageMap | None,
    options: Options,
    scratch: Path,
) -> PhaseReport:
    """Review one changed module of head. Without `coverage` and `execute` only signatures are compared."""
    parts = [
        _uncovered(file, head, coverage, options),
        _mutants(file, head, coverage, options, scratch),
        _signatures(file, changes, base, head),
    ]
    summary: dict[str, Json] = {"path": file.path, "symbols": list(file.symbols)}
    for part in parts:
        summary.update(part.summary)
    return PhaseReport(
        findings=tuple(finding for part in parts for finding in part.findings),
        assessed=tuple(name for part in parts for name in part.assessed),
        not_assessed=tuple(item for part in parts for item in part.not_assessed),
        summary=summary,
    )


def _missing(what: str, file: FileChange, reason: str) -> PhaseReport:
    return PhaseReport(not_assessed=(NotAssessed(what=f"{what} in {file.path}", reason=reason),))


def _why_no_coverage(coverage: CoverageMap | None, options: Options, file: FileChange) -> str:
    if not options.execute:
        return "the code of the target runs only with execute=true"
    if coverage is None:
        return "no coverage was measured: see the phase testing"
    return "" if file.path in coverage.files else "coverage has no data on this file"


def _uncovered(file: FileChange, head: Tree, coverage: CoverageMap | None, options: Options) -> PhaseReport:
    reason = _why_no_coverage(coverage, options, file)
    if reason or coverage is None:
        return _missing("changed lines no test executes", file, reason)
    source = head.text(file.path)
    first = statement_lines(source)
    executable = sorted({first[line] for line in file.lines if line in first})
    executed = coverage.files[file.path].executed
    uncovered = [line for line in executable if line not in executed]
    none_at_all = len(uncovered) == len(executable)
    findings = [
        Finding(
            severity="medium" if none_at_all else "low",
            kind="coverage",
            rule="not-executed",
            path=file.path,
            line=start,
            title=f"{_place(source, start)}: no test executes {_span(start, end)}",
            evidence=_lines(source, start, end),
            suggestion="Write a test that gets here.",
            source="files",
            subject="\n".join(source.split("\n")[start - 1 : end]),
        )
        for start, end in _ranges(uncovered, executable)
    ]
    summary: dict[str, Json] = {"changed_statements": len(executable), "uncovered": list(uncovered)}
    return PhaseReport(findings=tuple(findings), assessed=("changed lines",), summary=summary)


def _ranges(uncovered: Iterable[int], executable: list[int]) -> list[tuple[int, int]]:
    """Group lines that follow each other among the executable ones."""
    order = {line: number for number, line in enumerate(executable)}
    grouped = groupby(enumerate(uncovered), key=lambda pair: order[pair[1]] - pair[0])
    runs = ([line for _, line in group] for _, group in grouped)
    return [(lines[0], lines[-1]) for lines in runs]


def _place(source: str, line: int) -> str:
    names = touched(source, [line])
    return names[0] if names else "module level"


def _span(start: int, end: int) -> str:
    return f"line {start}" if start == end else f"lines {start} to {end}"


def _lines(source: str, start: int, end: int, most: int = 25) -> str:
    lines = source.split("\n")[start - 1 : end]
    shown = [f"  {start + offset:4} {shortened(line, 160)}" for offset, line in enumerate(lines[:most])]
    return "\n".join([*shown, *(["  …"] if len(lines) > most else [])])


def _mutants(
    file: FileChange, head: Tree, coverage: CoverageMap | None, options: Options, scratch: Path
) -> PhaseReport:
    reason = _why_no_coverage(coverage, options, file)
    if not reason and options.mutants_per_file == 0:
        reason = "mutants_per_file is 0"
    if reason or coverage is None:
        return _missing("mutants of changed lines", file, reason)
    most, sec = options.mutants_per_file, options.mutation_sec
    try:
        mutation = try_mutants(head, file.path, file.lines, coverage, scratch, most=most, sec=sec)
    except MissingProgram as error:
        return _missing("mutants of changed lines", file, str(error))
    findings = tuple(_survivor(file, mutant, head.text(file.path)) for mutant in mutation.survivors)
    missing = (
        (NotAssessed(what=f"mutants of changed lines in {file.path}", reason=mutation.problem),)
        if mutation.problem
        else ()
    )
    return PhaseReport(
        findings=findings,
        assessed=("mutants",) if mutation.tried or not missing else (),
        not_assessed=missing,
        summary=_mutation_summary(mutation),
    )


def _mutation_summary(mutation: Mutation) -> dict[str, Json]:
    tried: list[Json] = [
        {
            "line": mutant.line,
            "kind": mutant.kind,
            "what": mutant.what,
            "before": shortened(mutant.before.strip(), 200),
            "after": shortened(mutant.after.strip(), 200),
            "verdict": verdict,
        }
        for mutant, verdict in mutation.tried
    ]
    return {"mutants": tried, "mutants_possible": mutation.possible}


def _survivor(file: FileChange, mutant: Mutant, source: str) -> Finding:
    return Finding(
        severity="medium",
        kind="mutant",
        rule=mutant.kind,
        path=file.path,
        line=mutant.line,
        title=f"{_place(source, mutant.line)}: {mutant.what}, and every test still passes",
        detail="The tests execute this line and check too little of what it does.",
        evidence=f"- {mutant.line:4} {mutant.before}\n+ {mutant.line:4} {mutant.after}",
        suggestion=_advice(mutant.kind),
        source="files",
        subject=f"{mutant.before.strip()}\n{mutant.after.strip()}",
    )


def _advice(kind: str) -> str:
    if kind == "comparison":
        return "Test the value exactly on the boundary."
    if kind == "guard":
        return "Test the case the guard is for."
    return "Write a test that fails on the changed line."


def _signatures(file: FileChange, changes: Changes, base: Tree, head: Tree) -> PhaseReport:
    if not changes.has_base:
        return _missing("changed signatures", file, "there is no base to compare with")
    if file.status == "added":
        return PhaseReport(assessed=("signatures",), summary={"signatures": []})
    index = ModuleIndex(head)
    findings: list[Finding] = []
    rows: list[Json] = []
    for change in breaking_changes(base.text(file.old_path or file.path), head.text(file.path)):
        sites = callers_of(change, file.path, head, index)
        broken = [site for site in sites if _is_broken(site, changes)]
        findings += [_caller(file, change, site) for site in broken[:_CALLERS_SHOWN]]
        if not broken:
            findings.append(_no_caller(file, change, len(sites)))
        callers: list[Json] = [
            f"{_where(site)}: {shortened(site.code, 120)}" for site in broken[:_CALLERS_SHOWN]
        ]
        rows.append(
            {
                "name": change.name,
                "before": change.before.shown,
                "after": change.after.shown if change.after else "",
                "reasons": list(change.reasons),
                "callers": len(sites),
                "broken": callers,
            }
        )
    return PhaseReport(findings=tuple(findings), assessed=("signatures",), summary={"signatures": rows})


def _is_broken(site: CallSite, changes: Changes) -> bool:
    """Whether a call does not fit. One that this change wrote is believed to mean what it says."""
    file = changes.file(site.path)
    written_now = file is not None and (file.is_notebook or site.line in file.lines)
    return bool(site.breaks) and not (written_now and site.breaks.startswith("argument "))


def _where(site: CallSite) -> str:
    return f"{site.path}, cell {site.cell}" if site.cell is not None else f"{site.path}:{site.line}"


def _caller(file: FileChange, change: SignatureChange, site: CallSite) -> Finding:
    sure = "" if site.certain else " (found by the name of the method alone)"
    return Finding(
        severity="high" if site.certain else "medium",
        kind="signature",
        rule="broken-caller",
        path=site.path,
        line=None if site.cell is not None else site.line,
        title=f"{_where(site)} calls {change.name} as it was{sure}: {site.breaks}",
        detail=f"{file.path} changed the signature: {'; '.join(change.reasons)}.",
        evidence=f"{change.shown}\n\n{_where(site)}\n    {site.code}",
        suggestion="Adapt this call, or keep the old way of calling.",
        source="files",
        subject=f"{change.name} {site.code}",
    )


def _no_caller(file: FileChange, change: SignatureChange, callers: int) -> Finding:
    inside = f"the {callers} caller(s) in this tree fit" if callers else "nobody in this tree calls it"
    return Finding(
        severity="low",
        kind="signature",
        rule="breaking-signature",
        path=file.path,
        line=change.line,
        title=f"{change.name} is called differently now: {'; '.join(change.reasons)}",
        detail=f"{inside[0].upper()}{inside[1:]}; callers elsewhere do not.",
        evidence=change.shown,
        source="files",
        subject=change.name,
    )
