"""SARIF 2.1.0, the format code hosts and editors read findings in."""

from __future__ import annotations

from urllib.parse import quote

from review.aggregating import Review
from review.findings import Finding
from review.values import Json, printable

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {"high": "error", "medium": "warning", "low": "note", "note": "note"}


def as_sarif(review: Review, version: str) -> dict[str, Json]:
    """Return the review as a SARIF log. What was not assessed is a notification of the invocation."""
    findings = [Finding.from_json(finding.as_json()) for finding in review.findings]  # text fit for JSON
    rules = sorted({_rule_id(finding) for finding in findings})
    notifications: list[Json] = [
        {"level": "warning", "message": {"text": printable(f"not assessed: {item.what}: {item.reason}")}}
        for item in review.not_assessed
    ]
    driver: dict[str, Json] = {
        "name": "standard-code-review",
        "semanticVersion": version,
        "rules": [_rule(rule) for rule in rules],
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {
                    "SRCROOT": {"description": {"text": "The root of the reviewed tree."}}
                },
                "results": [_result(finding, rules) for finding in findings],
            }
        ],
    }


def _rule_id(finding: Finding) -> str:
    return f"{finding.kind}/{finding.rule}"


def _rule(rule: str) -> dict[str, Json]:
    kind, _, name = rule.partition("/")
    return {"id": rule, "shortDescription": {"text": f"{kind}: {name}"}}


def _result(finding: Finding, rules: list[str]) -> dict[str, Json]:
    rule = _rule_id(finding)
    said = finding.title if not finding.suggestion else f"{finding.title}\n{finding.suggestion}"
    result: dict[str, Json] = {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": _LEVEL[finding.severity],
        "message": {"text": said or rule},
        "partialFingerprints": {"chatflowFindingId/v1": finding.fingerprint},
        "properties": {"severity": finding.severity, "phase": finding.source},
    }
    if finding.path:
        place: dict[str, Json] = {"artifactLocation": {"uri": quote(finding.path), "uriBaseId": "SRCROOT"}}
        if finding.line:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    return result
