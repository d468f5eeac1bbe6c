"""bandit: calls that are dangerous by what they are."""

from __future__ import annotations

from review.excerpts import excerpt
from review.findings import Finding
from review.tools import Place, ToolReport, as_path, call_on_files
from review.values import mapping, objects, text, whole

_SEVERITY = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
_SKIPPED = "B101"  # assert: every test would be a finding


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
            findings.append(
                Finding(
                    severity=_SEVERITY.get(text(item.get("issue_severity")), "low"),
                    kind="security",
                    rule=text(item.get("test_id")),
                    path=path,
                    line=line,
                    title=text(item.get("issue_text")),
                    detail=f"{text(item.get('test_name'))}, confidence {text(item.get('issue_confidence')).lower()}",
                    evidence=excerpt(place.head.text(path), line),
                    source="static",
                )
            )
    return ToolReport(
        tool="bandit", looks_for="dangerous calls", files=len(paths), findings=tuple(findings)
    )


def _span(value: object, line: int) -> list[int]:
    numbers = [number for number in value if isinstance(number, int)] if isinstance(value, list) else []
    return numbers or [line]
