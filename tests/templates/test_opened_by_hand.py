"""A notebook of the template that somebody opens in JupyterLab looks at the folder it lies in."""

import asyncio
import shutil
from pathlib import Path

import nbformat

from chatflow_jupyter.runner.notebook import NotebookJob, run_notebook
from tests.runner.notebooks import Heard


def test_a_phase_runs_alone(template: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(template, tmp_path / "template", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "mistake.py").write_text("import os\n")
    output = tmp_path / "out.ipynb"
    attempt = NotebookJob(notebook=folder / "static.ipynb", parameters={}, work_dir=folder, output=output)
    result = asyncio.run(run_notebook(attempt, Heard(), asyncio.Event()))
    assert result.ok, result.error
    shown = "".join(
        "".join(out["data"].get("text/html", ""))
        for cell in nbformat.read(output, 4).cells
        for out in cell.get("outputs", [])
        if "data" in out
    )
    assert "mistake.py:1" in shown
    assert "F401" in shown


def test_the_definitions_are_valid(template: Path) -> None:
    from chatflow_jupyter.services.templates import read_definition

    definition = read_definition(template / "definition.yaml")
    assert [phase.name for phase in definition.phases] == [
        *("collect", "static", "testing", "files", "notebooks", "aggregate", "publish")
    ]
    assert definition.aliases == ("code-review",)
    assert read_definition(template / "file-review.yaml").phases[0].name == "review"


def test_notebooks_are_stored_without_outputs(template: Path) -> None:
    for path in template.glob("*.ipynb"):
        cells = nbformat.read(path, 4).cells
        assert not [cell for cell in cells if cell.get("outputs")], path
        assert max(len(cell.source.splitlines()) for cell in cells) <= 30, path


def test_every_parameter_is_explained_and_read(template: Path) -> None:
    from review.options import Options

    from chatflow_jupyter.services.templates import read_definition

    declared = read_definition(template / "definition.yaml").parameters["properties"]
    fields = set(Options.__dataclass_fields__)
    assert set(declared) == fields
    readme = (template / "README.md").read_text()
    assert not [
        name for name, entry in declared.items() if not entry["description"] or f"`{name}`" not in readme
    ]
