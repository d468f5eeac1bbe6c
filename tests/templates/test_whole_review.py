"""The notebooks, in real kernels, on the sample repository: what it hides is found, and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from chatflow_jupyter.interfaces.demo.sample_repo import make_sample_repository
from tests.templates.phases import Instance
from tests.templates.repositories import Made, git

GATE = {"by": "people", "principal": "ann", "reason": "seen", "at": "2026-01-01T12:00:00+00:00"}
PHASES = ("collect", "static", "testing", "notebooks")


def review(template: Path, folder: Path, context: Mapping[str, Any]) -> Instance:
    """Run every phase, children included, and return the instance."""
    instance = Instance(template=template, folder=folder, context=context)
    for phase in PHASES[:3]:
        instance.run(phase)
    instance.variables["children"] = {}
    for file in instance.variables["collect"]["files"]:
        child = Instance(
            template=template, folder=folder / file["key"], context={**context, "file": file}, parent=instance
        )
        child.run("review")
        instance.variables["children"][file["key"]] = child.variables
    for phase in ("notebooks", "aggregate"):
        instance.run(phase)
    instance.run("publish", variables={"publish": {"status": "active", "gate": GATE}})
    return instance


@pytest.fixture(scope="module")
def reviewed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    folder = tmp_path_factory.mktemp("review")
    target = make_sample_repository(folder / "shop").path
    return review(template, folder / "phases", {"path": str(target), "execute": True})


def test_the_three_hidden_faults_are_found(reviewed: Instance) -> None:
    findings = reviewed.read("publish", "findings.json")["findings"]
    told = [(f["severity"], f["kind"], f["path"], f["line"]) for f in findings]
    assert told == [
        ("high", "notebook", "notebooks/monthly_report.ipynb", None),
        ("high", "signature", "shop/labels.py", 8),
        ("medium", "mutant", "shop/pricing.py", 22),
    ]
    assert "'Quote' object is not subscriptable" in findings[0]["title"]
    assert "shipping_cents(weight_grams, express=True)" in findings[1]["evidence"]
    assert "if quantity > BULK_FROM:" in findings[2]["evidence"]


def test_the_gate_gets_what_it_decides_by(reviewed: Instance) -> None:
    outcome = reviewed.variables["aggregate"]
    assert (outcome["high"], outcome["medium"], outcome["low"], outcome["total"]) == (2, 1, 0, 3)
    assert outcome["not_assessed"] == []
    assert "draft: waiting for a decision" in reviewed.artifact("aggregate", "report.html").read_text()


def test_all_four_forms_are_published(reviewed: Instance) -> None:
    page = reviewed.artifact("publish", "report.html").read_text()
    assert "2 findings should be settled first" in page
    assert "draft" not in page
    assert "Approved by ann (2026-01-01 12:00:00 UTC): seen" in page
    assert "monthly\\_report.ipynb ran at base" in reviewed.artifact("publish", "report.md").read_text()
    assert len(reviewed.read("publish", "findings.sarif")["runs"][0]["results"]) == 3


def test_the_notebooks_can_be_read(reviewed: Instance) -> None:
    """A reader sees headings, tables and no traceback."""
    for phase in (*PHASES, "aggregate", "publish"):
        book = nbformat.read(reviewed.folder / phase / "out.ipynb", 4)
        assert book.cells[0].source.startswith("# ")
        shown = json.dumps(book)
        assert "<table " in shown
        assert "Traceback (most recent call last)" not in shown or phase in (
            "notebooks",
            "aggregate",
            "publish",
        )


def test_another_review_of_a_copy_gives_the_same_report(reviewed: Instance, tmp_path: Path) -> None:
    """Neither the place, nor the time, nor the order of the children shows."""
    forms = []
    for name in ("one", "another"):
        made = Made(
            folder=make_sample_repository(tmp_path / name / "shop").path, scratch=tmp_path / name / "scratch"
        )
        written = made.with_(execute=True).reviewed(GATE)
        forms.append({form: text.replace(str(made.folder), "shop") for form, text in written.items()})
    assert forms[0] == forms[1]
    page = (
        reviewed.artifact("publish", "report.html").read_text().replace(str(reviewed.context["path"]), "shop")
    )
    assert forms[0]["report.html"] == page


def test_without_leave_nothing_of_the_target_runs(tmp_path: Path) -> None:
    target = make_sample_repository(tmp_path / "shop").path
    (target / "shop" / "labels.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    git(target, "commit", "-q", "-am", "a trap")
    made = Made(folder=target, scratch=tmp_path / "scratch")
    findings = json.loads(made.reviewed()["findings.json"])
    assert not (tmp_path / "ran").exists()
    reasons = {item["reason"] for item in findings["not_assessed"]}
    assert "the code of the target runs only with execute=true" in reasons
