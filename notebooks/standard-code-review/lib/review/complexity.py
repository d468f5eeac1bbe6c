"""radon: functions that this change made hard to follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from review.findings import Finding
from review.tools import Place, ToolReport, as_path, call_on_files
from review.values import Json, mapping, objects, text, whole

LIMIT = 20
"""The highest complexity of radon's grade C; beyond it a function has more paths than people can test."""


def examine_complexity(place: Place) -> ToolReport:
    """Return the functions that are beyond grade C at head and were simpler at base."""
    modules = [file for file in place.modules if not file.is_test]
    old_names = {file.path: file.old_path or file.path for file in modules}
    head = measure(place, place.head_folder, [file.path for file in modules])
    known = [name for name in old_names.values() if name in place.base.paths]
    base = measure(place, place.base_folder, known)
    findings = []
    for file in modules:
        before = base.get(old_names[file.path], {})
        for name, (value, line) in head.get(file.path, {}).items():
            was = before.get(name, (0, 0))[0]
            if value > LIMIT and value > was:
                findings.append(_finding(file.path, line, name, value, was if place.changes.has_base else None))
    return ToolReport(
        tool="radon", looks_for=f"functions beyond complexity {LIMIT}", files=len(modules), findings=tuple(findings)
    )


def measure(place: Place, folder: Path, paths: Sequence[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """Return (complexity, line) of every function by path and dotted name; files that do not parse are absent."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for answer in call_on_files(place, folder, "radon", ["cc", "--json", "--no-assert"], paths):
        for name, blocks in mapping(answer).items():
            if not isinstance(blocks, Mapping):
                found[as_path(name, folder)] = {
                    _name(block): (whole(block.get("complexity")), whole(block.get("lineno")))
                    for block in objects(blocks)
                    if block.get("type") != "class"
                }
    return found


def _name(block: Mapping[str, Json]) -> str:
    owner = text(block.get("classname"))
    return f"{owner}.{text(block.get('name'))}" if owner else text(block.get("name"))


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
