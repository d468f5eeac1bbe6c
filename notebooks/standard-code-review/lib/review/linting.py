"""ruff, with rules we choose and none of the reviewed project's configuration."""

from __future__ import annotations

from review.excerpts import excerpt
from review.findings import Finding
from review.tools import Place, ToolReport, as_path, call_on_files
from review.values import Json, mapping, objects, text, whole

_LIKELY_BUGS = ("F", "E9", "B0", "PLE", "ASYNC2", "LOG")
_REEXPORTS = "**/__init__.py:F401"


def lint(place: Place, rules: str) -> ToolReport:
    """Return what ruff says about changed lines. A file that does not parse is a high finding."""
    paths = [file.path for file in place.modules]
    flags = [
        "check",
        "--isolated",
        "--no-cache",
        "--exit-zero",
        "--quiet",
        "--output-format=json",
        f"--per-file-ignores={_REEXPORTS}",
    ]
    answers = call_on_files(place, place.head_folder, "ruff", [*flags, f"--select={rules}", "--"], paths)
    findings = []
    for answer in answers:
        for item in objects(answer):
            path = as_path(item.get("filename"), place.head_folder)
            line = whole(mapping(item.get("location") or {}).get("row"))
            file = place.changes.file(path)
            broken = item.get("code") in (None, "invalid-syntax")
            if file is not None and (broken or file.counts(line)):
                findings.append(_finding(place, path, line, item, broken=broken))
    return ToolReport(tool="ruff", looks_for="likely mistakes", files=len(paths), findings=tuple(findings))


def _finding(place: Place, path: str, line: int, item: dict[str, Json] | object, *, broken: bool) -> Finding:
    data = mapping(item)  # type: ignore[arg-type]  # one object of ruff's JSON
    rule = "invalid-syntax" if broken else text(data.get("code"))
    severity = "high" if broken else "medium" if rule.startswith(_LIKELY_BUGS) else "low"
    fix = data.get("fix")
    advice = text(mapping(fix).get("message")) if isinstance(fix, dict) else ""
    return Finding(
        severity=severity,
        kind="lint",
        rule=rule,
        path=path,
        line=line or None,
        title=text(data.get("message")).split("\n")[0],
        detail="The file is not valid Python at head." if broken else "",
        evidence=excerpt(place.head.text(path), line),
        suggestion=advice,
        source="static",
    )
