"""Whatever could not be looked at is never spoken of as if nothing had been found."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.templates.repositories import Made, git

Change = Callable[[Mapping[str, str | bytes], Mapping[str, str | bytes | None]], Made]
PRAISE = ("nothing on a changed line", "no findings", "nothing found", "Nothing was found", "No high finding")

WITHOUT_TOOLS = """
import json, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from review.aggregating import aggregate
from review.collecting import collect
from review.options import Options
from review.publishing import render
from review.static import static_report
from review.trees import Tree

options, scratch = Options.read({"path": sys.argv[3]}), Path(sys.argv[4])
got = collect(options, scratch)
head = Tree(got.head)
report, tools, _ = static_report(got.changes, Tree(got.base), head, options.rules, scratch / "static")
review = aggregate(got.changes, {"static": report}, [])
said = {
    "phase": report.headline("nothing on a changed line"),
    "tools": [tool.result for tool in tools],
    "forms": render(review, "1.0.0"),
}
print(json.dumps(said))
"""


def without_tools(template: Path, target: Path, scratch: Path) -> Any:
    """Let a Python that has nothing but its standard library review `target`."""
    scratch.mkdir()
    sdk = Path(__file__).resolve().parents[2] / "sdk"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", WITHOUT_TOOLS, template / "lib", sdk, target, scratch],
        env={"PATH": os.defpath, "HOME": str(scratch)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_without_its_tools_the_review_says_not_assessed_everywhere(template: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "m.py").write_text("import os\n")
    said = without_tools(template, target, tmp_path / "scratch")
    assert said["phase"].startswith("not assessed: ruff is not installed (pip install")
    assert all(result.startswith("not assessed: ") for result in said["tools"])
    forms = said["forms"]
    assert "<summary>1 not assessed</summary>" in forms["report.html"]
    assert "Not assessed: ruff is not installed" in forms["report.html"]
    assert "**not assessed: ruff is not installed" in forms["report.md"]
    assert json.loads(forms["findings.json"])["headline"].startswith("not assessed: ruff")
    for text in (said["phase"], *forms.values()):
        assert not [praise for praise in PRAISE if praise in text]


def test_partly_assessed_names_both_parts() -> None:
    from review.findings import NotAssessed
    from review.reports import PhaseReport

    missing = (NotAssessed(what="dangerous calls (bandit)", reason="bandit is not installed"),)
    report = PhaseReport(assessed=("ruff", "radon"), not_assessed=missing)
    assert report.headline("nothing on a changed line") == (
        "nothing on a changed line (ruff, radon); not assessed: dangerous calls (bandit)"
    )
    assert PhaseReport.from_json(report.as_json()) == report
    assert PhaseReport(assessed=("ruff",)).headline("nothing") == "nothing"
    assert PhaseReport().headline("nothing") == "there was nothing to look at"


def test_without_leave_each_phase_says_what_it_did_and_did_not(change: Change) -> None:
    made = change({"m.py": "f = 1\n", "test_m.py": "def test_it(): pass\n"}, {"m.py": "f = 2\n"})
    leave = "not assessed: the code of the target runs only with execute=true"
    assert made.testing().report.headline("no test fails that passed at base") == leave
    assert made.review("m.py").headline("nothing that the tests miss") == (
        "nothing that the tests miss (signatures); "
        "not assessed: changed lines no test executes in m.py, mutants of changed lines in m.py"
    )
    book = made.reviewed()
    assert "No high finding in what was looked at" in book["report.html"]


def test_tests_that_cannot_be_imported_at_either_side_are_not_assessed(change: Change) -> None:
    test = "import nowhere_to_be_found\n\n\ndef test_it():\n    assert True\n"
    made = change({"m.py": "f = 1\n", "test_m.py": test}, {"m.py": "f = 2\n"}).with_(execute=True)
    report = made.testing().report
    assert report.assessed == ()
    assert {item.what for item in report.not_assessed} >= {"tests at base", "tests at head"}
    assert all("nowhere_to_be_found" in item.reason for item in report.not_assessed[:2])
    assert "no test fails" not in report.headline("no test fails that passed at base")


def test_tests_that_can_no_longer_be_imported_are_a_finding(change: Change) -> None:
    test = "from m import f\n\n\ndef test_it():\n    assert f\n"
    made = change({"m.py": "f = 1\n", "test_m.py": test}, {"m.py": "g = 2\n"}).with_(execute=True)
    report = made.testing().report
    assert report.severity == "high"
    assert report.assessed == ("tests at base", "tests at head")


@pytest.mark.parametrize("history", [True, False])
def test_a_folder_without_tests_says_why_none_was_run(tmp_path: Path, history: bool) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "m.py").write_text("def f():\n    return 1\n")
    if history:
        git(target, "init", "-q")
        git(target, "add", ".")
        git(target, "commit", "-q", "-m", "first")
    made = Made(folder=target, scratch=tmp_path / "scratch").with_(execute=True)
    said = made.testing().report.headline("no test fails that passed at base")
    assert said == "not assessed: there are no tests: no file is called test_….py or …_test.py"
    assert made.notebooks().headline("no notebook broke") == "there was nothing to look at"


def test_a_tool_without_a_file_to_read_has_found_nothing_out(change: Change) -> None:
    from review.static import static_report

    tests_only = change({"test_a.py": "x = 1\n"}, {"test_a.py": "x = 2\n"})
    report, tools, _ = static_report(
        tests_only.changes, tests_only.base, tests_only.head, "F", tests_only.scratch / "static"
    )
    assert {tool.tool: tool.result for tool in tools}["bandit"] == "no file to look at"
    assert report.assessed == ("ruff", "detect-secrets")
