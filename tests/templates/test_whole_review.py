"""The notebooks, in real kernels, on the sample repository: what it hides is found, and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from chatflow_jupyter.interfaces.demo.sample_repo import make_sample_repository
from tests.templates.phases import Instance

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
    for phase in ("notebooks", "aggregate", "publish"):
        instance.run(phase)
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
    assert "monthly\\_report.ipynb ran at base" in reviewed.artifact("publish", "report.md").read_text()
    assert len(reviewed.read("publish", "findings.sarif")["runs"][0]["results"]) == 3


def test_the_notebooks_can_be_read(reviewed: Instance) -> None:
    """A reader sees headings, tables and no traceback."""
    for phase in (*PHASES, "aggregate", "publish"):
        book = nbformat.read(reviewed.folder / phase / "out.ipynb", 4)
        assert book.cells[0].source.startswith("# ")
        shown = json.dumps(book)
        assert "<table>" in shown
        assert "Traceback (most recent call last)" not in shown or phase in ("notebooks", "aggregate", "publish")


def test_a_second_review_gives_the_same_report(reviewed: Instance, template: Path, tmp_path: Path) -> None:
    again = review(template, tmp_path / "phases", reviewed.context)
    for name in ("report.html", "report.md", "findings.json", "findings.sarif"):
        assert again.artifact("publish", name).read_bytes() == reviewed.artifact("publish", name).read_bytes()


def test_without_leave_nothing_of_the_target_runs(template: Path, tmp_path: Path) -> None:
    target = make_sample_repository(tmp_path / "shop").path
    (target / "tests" / "__init__.py").write_text("import pathlib; pathlib.Path('ran').write_text('')\n")
    instance = review(template, tmp_path / "phases", {"path": str(target), "execute": False})
    assert not list(tmp_path.rglob("ran"))
    outcome = instance.variables["aggregate"]
    assert outcome["high"] == 1  # the caller that no longer fits is seen without running anything
    assert any("execute=true" in said for said in outcome["not_assessed"])
