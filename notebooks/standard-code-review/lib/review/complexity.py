"""radon: functions that this change made hard to follow."""

from __future__ import annotations

from collections.abc import Iterable

from review.findings import Finding
from review.symbols import parse
from review.tools import INSTALL, Place, ToolFailed, ToolReport
from review.trees import Tree

LIMIT = 20
"""The highest complexity of radon's grade C; beyond it a function has more paths than people can test."""


def examine_complexity(place: Place) -> ToolReport:
    """Return the functions that are beyond grade C at head and were simpler at base."""
    modules = [file for file in place.modules if not file.is_test]
    old_names = {file.path: file.old_path or file.path for file in modules}
    head = measure(place.head, [file.path for file in modules])
    base = measure(place.base, list(old_names.values()))
    findings = []
    for file in modules:
        before = base.get(old_names[file.path], {})
        for name, (value, line) in head.get(file.path, {}).items():
            was = before.get(name, (0, 0))[0]
            if value > LIMIT and value > was:
                findings.append(
                    _finding(file.path, line, name, value, was if place.changes.has_base else None)
                )
    return ToolReport(
        tool="radon",
        looks_for="functions hard to follow",
        files=len(modules),
        findings=tuple(findings),
    )


def measure(tree: Tree, paths: Iterable[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """Return (complexity, line) of every function by path and dotted name.

    Files that do not parse are absent. radon's library is used, as its command line takes two seconds
    to start. Raises `ToolFailed` without it.
    """
    try:
        from radon.visitors import ComplexityVisitor, Function
    except ImportError as error:
        raise ToolFailed(f"radon is not installed ({INSTALL})") from error
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for path in paths:
        module = parse(tree.text(path), path) if path in tree.paths else None
        if module is not None:
            visitor = ComplexityVisitor()  # type: ignore[no-untyped-call]  # radon has no types
            visitor.visit(module)
            blocks = [block for block in visitor.blocks if isinstance(block, Function)]
            found[path] = {block.fullname: (block.complexity, block.lineno) for block in blocks}
    return found


def _finding(path: str, line: int, name: str, value: int, was: int | None) -> Finding:
    before = "" if was is None else f", {was} at base" if was else ", new"
    return Finding(
        severity="medium" if value > 2 * LIMIT else "low",
        kind="complexity",
        rule="complexity",
        path=path,
        line=line,
        title=f"{name} has {value} independent paths{before}",
        detail=f"Beyond {LIMIT} paths a function is rarely tested on all of them.",
        suggestion="Split it where it changes subject.",
        source="static",
        subject=name,
    )
