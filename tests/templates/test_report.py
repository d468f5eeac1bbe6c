"""One list, and four forms of it that hostile text cannot break out of."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import pytest

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>`|\n# \x1b[31m\u202e\udcff"


def finding(**values: Any) -> Any:
    from review.findings import Finding

    defaults = {
        "severity": "medium",
        "kind": "lint",
        "rule": "F401",
        "title": "unused",
        "source": "static",
        "path": "a.py",
        "line": 3,
    }
    return Finding(**{**defaults, **values})


def review(*findings: Any, **values: Any) -> Any:
    from review.aggregating import Review
    from review.findings import NotAssessed

    defaults = {
        "target": "shop",
        "looked_at": "a change",
        "base": "1 one",
        "head": "2 two",
        "findings": findings,
        "not_assessed": (NotAssessed(what="tests", reason="no tests"),),
    }
    return Review(**{**defaults, **values})


@pytest.fixture
def hostile() -> dict[str, str]:
    from review.findings import NotAssessed
    from review.publishing import render

    words = dict.fromkeys(("title", "rule", "kind", "path", "detail", "evidence", "suggestion"), ATTACK)
    attacked = review(
        finding(severity="high", **words),
        target=ATTACK,
        base=ATTACK,
        head=ATTACK,
        notes=(ATTACK,),
        not_assessed=(NotAssessed(what=ATTACK, reason=ATTACK),),
        table=({"path": ATTACK, "verdict": ATTACK, "reason": ATTACK, "status": ATTACK},),
        files=(
            {
                "path": ATTACK,
                "symbols": [ATTACK],
                "uncovered": [1],
                "changed_statements": 2,
                "mutants": [{"verdict": ATTACK}],
            },
        ),
        summaries={
            "testing": {"head": {"passed": 1}, "command": ATTACK, "newly_failing": [ATTACK]},
            "notebooks": {
                "notebooks": [{"path": ATTACK, "why": ATTACK, "head": ATTACK, "head_said": ATTACK}]
            },
            "static": {
                "tools": [{"tool": ATTACK}],
                "hotspots": [{"path": ATTACK, "score": 3, "worst": ATTACK}],
            },
        },
    )
    written: dict[str, str] = render(attacked, "1.0.0")
    return written


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_text_from_the_target_becomes_no_element(hostile: dict[str, str]) -> None:
    parser = _Tags()
    parser.feed(hostile["report.html"])
    assert not {"script", "img", "iframe", "link", "object", "base", "form"} & {tag for tag, _ in parser.seen}
    assert not [name for _, attributes in parser.seen for name in attributes if name.startswith("on")]
    assert all((a.get("href") or "#").startswith("#") for _, a in parser.seen)
    assert "\x1b" not in hostile["report.html"]
    for text in hostile.values():
        text.encode()


def test_the_page_loads_nothing(hostile: dict[str, str]) -> None:
    assert not re.search(r"url\(|@import|\bsrc=", hostile["report.html"].replace("img src=x", ""))
    parser = _Tags()
    parser.feed(hostile["report.html"])
    policies = [attributes.get("content") or "" for tag, attributes in parser.seen if tag == "meta"]
    assert any(policy.startswith("default-src 'none'") for policy in policies)


def test_the_page_can_be_heard(hostile: dict[str, str]) -> None:
    page = hostile["report.html"]
    assert '<html lang="en">' in page
    assert page.count("<table>") == page.count("<caption>") > 3
    assert page.count("<svg") == page.count('role="img"') == page.count("<desc>") > 2
    parser = _Tags()
    parser.feed(page)
    ids = [attributes["id"] for _, attributes in parser.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    headed = [attributes["aria-labelledby"] for tag, attributes in parser.seen if tag == "section"]
    assert set(headed) <= set(ids)
    assert len(headed) == page.count("<h2 ")
    assert page.count('<th scope="row">') == page.count("<tr>") - page.count("<thead>")
    wide = [
        attributes for tag, attributes in parser.seen if tag == "pre" or attributes.get("class") == "scroll"
    ]
    assert len(wide) == page.count("<table>") + page.count("<pre ")
    assert all(part["tabindex"] == "0" and part["role"] == "region" and part["aria-label"] for part in wide)
    assert ":focus-visible { outline" in page
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_markdown_stays_text(hostile: dict[str, str]) -> None:
    assert "<script" not in re.sub(
        r"^    .*|`[^`\n]*`", "", hostile["report.md"], flags=re.MULTILINE
    ).replace("\\<script", "")


def test_contrast_is_enough_for_text() -> None:
    from review.report_page import STYLE

    def brightness(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = (
        dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6})", part))
        for part in STYLE.read_text().split("@media", 2)[:2]
    )
    for theme in (light, dark):
        for ink in ("ink", "soft", "high", "medium", "low", "note", "good", "accent"):
            for ground in ("paper", "ground"):
                bright, dim = sorted((brightness(theme[ink]), brightness(theme[ground])), reverse=True)
                assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)
        tinted = [("high", "high-tint"), ("good", "good-tint"), ("soft", "paper")]
        for ink, ground in (*tinted, *(("ink", name) for name in ("code", "plus", "minus", "track"))):
            bright, dim = sorted((brightness(theme[ink]), brightness(theme[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)


def test_an_empty_review_still_says_what_was_not_assessed() -> None:
    from review.publishing import render

    forms = render(review(), "1.0.0")
    assert "Not assessed: no tests" in forms["report.html"]
    assert "No high finding" not in forms["report.html"]
    assert "no tests" in forms["report.html"]
    assert "| tests | no tests |" in forms["report.md"]


@pytest.mark.parametrize(
    ("gate", "said", "approver"),
    [
        (
            {"by": "people", "principal": "ann <b>", "reason": "seen", "at": "2026-01-01T12:00:00+00:00"},
            "Approved by ann &lt;b&gt; (2026-01-01 12:00:00 UTC): seen",
            "ann <b>",
        ),
        (
            {"by": "rule", "principal": None, "reason": None, "at": "2026-01-01T12:00:00+00:00"},
            "Opened by rule: no high finding (2026-01-01 12:00:00 UTC)",
            "rule: no high finding",
        ),
    ],
)
def test_the_report_says_who_opened_the_gate(gate: dict[str, Any], said: str, approver: str) -> None:
    from review.decisions import Decision
    from review.publishing import render

    blind = render(review(), "1.0.0", Decision.from_json(gate))["report.md"]
    assert ("because nothing was assessed" in blind) == (gate["by"] == "rule")
    forms = render(review(assessed=("ruff",)), "1.0.0", Decision.from_json(gate))
    assert f"<dt>Decision</dt><dd>{said}</dd>" in forms["report.html"]
    assert said.replace("&lt;", "\\<").replace("&gt;", "\\>") in forms["report.md"]
    decision = json.loads(forms["findings.json"])["decision"]
    assert (decision["approver"], decision["decision"]) == (approver, "approve")
    assert (decision["reason"], decision["at"]) == (gate["reason"] or "", gate["at"])
    assert "Decision" not in render(review(), "1.0.0")["report.html"]


def test_findings_of_one_kind_on_one_line_are_one() -> None:
    from review.aggregating import merge

    merged = merge(
        [finding(title="b", rule="B1"), finding(title="a", rule="A1", severity="high"), finding(line=4)]
    )
    assert [(item.severity, item.line) for item in merged] == [("high", 3), ("medium", 4)]
    assert "Also on this line: b" in merged[0].detail


def test_a_finding_keeps_its_id_when_it_moves() -> None:
    assert finding(evidence="x", subject="x = 1").fingerprint == finding(line=99, subject="x = 1").fingerprint
    assert finding(subject="x = 1").fingerprint != finding(subject="x = 2").fingerprint


def test_the_list_is_bounded_and_says_so() -> None:
    from review.aggregating import aggregate
    from review.changes import Changes
    from review.reports import PhaseReport

    many = tuple(finding(line=line, severity="low") for line in range(1, 900))
    made = aggregate(
        Changes(mode="repository", target="x"), {"static": PhaseReport(findings=many)}, [("a.py", None)]
    )
    assert len(made.findings) == 400
    reasons = {item.reason for item in made.not_assessed}
    assert "499 more of the lowest severity are left out of the list" in reasons
    assert "its child instance did not complete" in reasons


def test_risk_stops_at_the_gate_only_with_a_high_finding() -> None:
    many = [finding(line=line) for line in range(1, 200)]
    assert review(*many).risk < 60
    assert review(finding(severity="high")).risk >= 60
    assert review().risk == 0


def test_sarif_holds_to_the_standard(hostile: dict[str, str]) -> None:
    """The constraints of SARIF 2.1.0 that our log touches; the schema itself ships in no package."""
    from review.publishing import render

    for text in (
        hostile["findings.sarif"],
        render(review(finding(path="a b/ü#.py")), "1.0.0")["findings.sarif"],
    ):
        log = json.loads(text)
        assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
        run = log["runs"][0]
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert len(rules) == len(set(rules))
        assert re.fullmatch(r"\d+\.\d+\.\d+", run["tool"]["driver"]["semanticVersion"])
        assert run["invocations"][0]["executionSuccessful"] is True
        for result in run["results"]:
            assert result["level"] in ("none", "note", "warning", "error")
            assert rules[result["ruleIndex"]] == result["ruleId"]
            assert result["message"]["text"]
            place = result["locations"][0]["physicalLocation"]
            assert place["region"]["startLine"] >= 1
            uri = place["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", uri)
            assert not uri.startswith("/")
            assert place["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
    assert unquote(uri) == "a b/ü#.py"
