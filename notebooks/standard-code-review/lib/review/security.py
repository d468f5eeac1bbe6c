"""bandit: calls that are dangerous by what they are."""

from __future__ import annotations

from collections.abc import Mapping

from review.excerpts import excerpt
from review.findings import Finding
from review.leaks import HIDDEN
from review.tools import Place, ToolReport, as_path, call_on_files
from review.values import Json, mapping, objects, text, whole

_SEVERITY = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
_SKIPPED = "B101,B404,B603,B607"  # assert, and subprocess used at all: remarks on taste, not on a danger
_PASSWORDS = ("B105", "B106", "B107")


def examine_security(place: Place) -> ToolReport:
    """Return what bandit says about changed lines, ``# nosec`` honoured."""
    paths = [file.path for file in place.modules if not file.is_test]
    flags = ["--format=json", "--quiet", "--exit-zero", f"--skip={_SKIPPED}"]
    findings = []
    for answer in call_on_files(place, place.head_folder, "bandit", flags, paths):
        for item in objects(mapping(answer).get("results")):
            path, line = as_path(item.get("filename"), place.head_folder), whole(item.get("line_number"))
            file = place.changes.file(path)
            if file is None or not any(file.counts(number) for number in _span(item.get("line_range"), line)):
                continue
            findings.append(_finding(item, path, line, place.head.text(path)))
    return ToolReport(tool="bandit", looks_for="dangerous calls", files=len(paths), findings=tuple(findings))


def _finding(item: Mapping[str, Json], path: str, line: int, source: str) -> Finding:
    rule = text(item.get("test_id"))
    is_password = rule in _PASSWORDS
    return Finding(
        severity=_SEVERITY.get(text(item.get("issue_severity")), "low"),
        kind="security",
        rule=rule,
        path=path,
        line=line,
        title="Possibly a password in the source" if is_password else text(item.get("issue_text")),
        detail=f"{text(item.get('test_name'))}, confidence {text(item.get('issue_confidence')).lower()}",
        evidence=HIDDEN if is_password else excerpt(source, line),
        source="static",
        subject=f"{rule} {line}" if is_password else "",
    )


def _span(value: object, line: int) -> list[int]:
    numbers = [number for number in value if isinstance(number, int)] if isinstance(value, list) else []
    return numbers or [line]
