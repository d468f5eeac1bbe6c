"""Phase `notebooks`: whether every notebook that imports a changed module still runs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from review.changes import CHANGE, DIFF, Changes
from review.dead_notebooks import dead_notebooks, is_kept
from review.findings import Finding, NotAssessed
from review.interpreters import Interpreter, choose
from review.modules import ModuleIndex
from review.notebook_files import Notebook, read_notebook
from review.notebook_run import OK, NotebookEnd, run_notebooks, why_not
from review.options import Options
from review.process import MissingProgram
from review.reports import PhaseReport
from review.sorting_out import is_test
from review.symbols import public_names
from review.trees import Tree
from review.values import Json, shortened

_WHAT = "notebooks"
NOT_THERE, NOT_RUN = "not there", "not run"


@dataclass(frozen=True, kw_only=True)
class _Concerned:
    """A notebook, why it is looked at, and its code."""

    path: str
    why: str
    book: Notebook


def review_notebooks(
    changes: Changes, base: Tree, head: Tree, options: Options, scratch: Path
) -> PhaseReport:
    """Run the notebooks that import a changed module at base and at head, from clean kernels.

    Without `options.execute` they are only read: an import of a name that is gone is found all the same.
    When there is no change to compare, every notebook is looked at, and run at head if that is allowed.
    """
    if changes.mode == DIFF:
        return PhaseReport(
            not_assessed=(NotAssessed(what=_WHAT, reason="a .diff has no tree to run notebooks in"),)
        )
    concerned = _concerned(changes, head)
    first, rest = concerned[: options.max_notebooks], concerned[options.max_notebooks :]
    missing = [
        NotAssessed(what=f"notebook {item.path}", reason=f"beyond max_notebooks ({options.max_notebooks})")
        for item in rest
    ]
    ends, reason = _run(changes, base, head, options, first, scratch)
    if reason and first:
        missing.append(NotAssessed(what=f"{len(first)} notebook(s) at base and head", reason=reason))
    missing += [
        NotAssessed(what=f"notebook {item.path}", reason=f"its language is {item.book.language}")
        for item in first
        if not _is_python(item.book)
    ]
    findings = [finding for item in first if (finding := _finding(item, ends, changes)) is not None]
    told = {finding.path for finding in findings if finding.severity == "high"}
    findings += [finding for finding in _gone_names(changes, base, head, first) if finding.path not in told]
    told = {finding.path for finding in findings}
    findings += [finding for finding in dead_notebooks(changes, head) if finding.path not in told]
    rows: list[Json] = [_row(item, ends) for item in first]
    return PhaseReport(
        findings=tuple(findings),
        assessed=_assessed(first, ends, changes),
        not_assessed=tuple(missing),
        summary={"notebooks": rows, "executed": not reason},
    )


def _assessed(items: list[_Concerned], ends: Ends, changes: Changes) -> tuple[str, ...]:
    """Say what was done: notebooks that ran, and those whose imports were read because there is a base."""
    if not items and changes.mode == CHANGE:
        return ("imports of every notebook",)
    ran = sum(end.outcome != NOT_RUN for (side, _), end in ends.items() if side == "head")
    read = sum(_is_python(item.book) for item in items) if changes.has_base else 0
    return (
        *([f"{ran} notebook(s) run"] if ran else []),
        *([f"imports of {read} notebook(s)"] if read else []),
    )


def _is_python(book: Notebook) -> bool:
    return book.language in ("python", "ipython", "python3")


def _concerned(changes: Changes, head: Tree) -> list[_Concerned]:
    """Return the notebooks to look at; those that import a changed module themselves come first."""
    index = ModuleIndex(head)
    changed = {file.path for file in changes.modules} | {
        file.path for file in changes.files if file.path.endswith(".py") and file.status == "deleted"
    }
    found: list[tuple[int, _Concerned]] = []
    for path, raw in head.texts(".ipynb").items():
        if not is_kept(path) or (changes.mode != CHANGE and is_test(path)):
            continue
        book = read_notebook(raw)
        why = _why(path, book, changes, changed, index)
        if why and not book.problem:
            found.append((why.count(" → "), _Concerned(path=path, why=why, book=book)))
    return [item for _, item in sorted(found, key=lambda pair: (pair[0], pair[1].path))]


def _why(path: str, book: Notebook, changes: Changes, changed: set[str], index: ModuleIndex) -> str:
    file = changes.file(path)
    if changes.mode != CHANGE:
        return "every notebook is looked at" if file is not None and file.is_readable else ""
    names = book.imports()
    ways = index.reached_from(index.files_of(names))
    hits = sorted((way for target, way in ways.items() if target in changed), key=len)
    gone = [name for name in names for target in changed if name in index.names(target)]
    if hits:
        return f"imports {' → '.join(hits[0])}"
    if gone:
        return f"imports {gone[0]}, which is gone"
    return "changed itself" if file is not None and file.is_notebook else ""


Ends = Mapping[tuple[str, str], NotebookEnd]
"""How each notebook ended, by (side, path)."""


def _run(
    changes: Changes, base: Tree, head: Tree, options: Options, items: list[_Concerned], scratch: Path
) -> tuple[Ends, str]:
    """Run both sides at the same time. Returns how each ended, and why none was run."""
    if not options.execute:
        return {}, "the code of the target runs only with execute=true"
    try:
        interpreter = choose(options, scratch / "interpreter")
    except MissingProgram as error:
        return {}, str(error)
    reason = why_not(interpreter)
    if reason:
        return {}, reason
    paths = [item.path for item in items if _is_python(item.book)]
    sides = {"base": base, "head": head} if changes.has_base else {"head": head}

    def run_side(side: str, tree: Tree, chosen: Interpreter) -> dict[tuple[str, str], NotebookEnd]:
        (scratch / side).mkdir(parents=True, exist_ok=True)
        ends = run_notebooks(tree, paths, chosen, scratch / side, sec=options.notebook_sec)
        return {(side, path): end for path, end in ends.items()}

    ends: dict[tuple[str, str], NotebookEnd] = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in [pool.submit(run_side, side, tree, interpreter) for side, tree in sides.items()]:
            ends.update(future.result())
    return ends, ""


def _row(item: _Concerned, ends: Ends) -> dict[str, Json]:
    sides = {side: ends.get((side, item.path)) for side in ("base", "head")}
    row: dict[str, Json] = {"path": item.path, "why": item.why}
    for side, end in sides.items():
        row[side] = (NOT_THERE if ends and side == "base" else NOT_RUN) if end is None else end.outcome
        row[f"{side}_said"] = "" if end is None else shortened(end.said, 300)
    return row


def _finding(item: _Concerned, ends: Ends, changes: Changes) -> Finding | None:
    """Compare the two ends of a notebook. A head that could not be run says nothing."""
    before, after = ends.get(("base", item.path)), ends.get(("head", item.path))
    if after is None or after.outcome == NOT_RUN:
        return None
    if after.outcome == OK:
        if before is None or before.outcome in (OK, NOT_RUN):
            return None
        return _told(
            item, after, "note", "repaired", f"{item.path} runs again; at base it did not: {before.said}"
        )
    if before is not None and before.outcome == OK:
        return _told(item, after, "high", "newly-broken", f"{item.path} ran at base and is {after.said}")
    if before is not None:
        return _told(
            item, after, "note", "still-broken", f"{item.path} does not run, at base or at head: {after.said}"
        )
    severity = "high" if changes.has_base and item.why != "every notebook is looked at" else "medium"
    return _told(item, after, severity, "broken", f"{item.path} does not run: {after.said}")


def _told(item: _Concerned, end: NotebookEnd, severity: str, rule: str, title: str) -> Finding:
    trace = f"\n\n{end.traceback[-1500:]}" if end.traceback else ""
    return Finding(
        severity=severity,
        kind="notebook",
        rule=rule,
        path=item.path,
        title=shortened(title, 400),
        detail=f"It {item.why}." if item.why.startswith("imports") else "",
        evidence=f"cell {end.cell}:\n{end.source}{trace}" if end.cell else end.message,
        suggestion="Run it on the branch and adapt it, or keep what it relies on."
        if severity == "high"
        else "",
        source="notebooks",
        subject=item.path,
    )


def _gone_names(changes: Changes, base: Tree, head: Tree, items: list[_Concerned]) -> list[Finding]:
    """Find imports of names that a changed module had at base and has no more."""
    index = ModuleIndex(head)
    gone: dict[str, str] = {}
    for file in changes.modules if changes.has_base else ():
        before, after = ModuleIndex(base).module(file.old_path or file.path), index.module(file.path)
        if before is not None and after is not None and "__getattr__" not in public_names(after):
            for name in public_names(before) - public_names(after) - {"*"}:
                gone.update({f"{module}.{name}": file.path for module in index.names(file.path)})
    return [
        Finding(
            severity="high",
            kind="notebook",
            rule="import-gone",
            path=item.path,
            title=f"{item.path} imports {name}, which {gone[name]} does not define any more",
            evidence=name,
            suggestion="Adapt the import, or keep the name.",
            source="notebooks",
            subject=name,
        )
        for item in items
        for name in sorted(item.book.imports())
        if name in gone
    ]
