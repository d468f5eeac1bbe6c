"""Parameters are read and written exactly as papermill does, though papermill itself is not imported."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from chatflow_jupyter.runner.notebook_file import prepare
from chatflow_jupyter.runner.parameters import inferred_parameters, inject_parameters

DECLARED = new_code_cell('limit: int = 10  # how many\nname = "x"', metadata={"tags": ["parameters"]})
INJECTED = new_code_cell("limit = 1", metadata={"tags": ["injected-parameters"]})
TEXT, CODE = new_markdown_cell("# Title"), new_code_cell("limit")
VALUES = {"limit": 3, "name": "it's", "deep": {"a": [1, None, True, 0.5]}}


def notebook(*cells: NotebookNode) -> NotebookNode:
    return prepare(nbformat.from_dict(new_notebook(cells=list(cells))))


def shown(node: NotebookNode) -> list[tuple[str, list[str]]]:
    return [(cell.source, cell.metadata.get("tags", [])) for cell in node.cells]


@pytest.mark.parametrize(
    "cells", [(CODE,), (TEXT, DECLARED, CODE), (TEXT, DECLARED, INJECTED, CODE), (INJECTED, CODE, DECLARED)]
)
@pytest.mark.parametrize("language", ["python", "R", "julia", "scala"])
def test_injection_is_papermills(cells: tuple[NotebookNode, ...], language: str) -> None:
    from papermill.parameterize import parameterize_notebook

    theirs = parameterize_notebook(notebook(*cells), VALUES, kernel_name="kernel", language=language)
    ours = inject_parameters(notebook(*cells), VALUES, kernel_name="kernel", language=language)
    assert shown(ours) == shown(theirs)
    assert ours.metadata.papermill.parameters == theirs.metadata.papermill.parameters


def test_inference_is_papermills(tmp_path: Path) -> None:
    from papermill.inspection import inspect_notebook

    path = tmp_path / "in.ipynb"
    node = new_notebook(cells=[TEXT, DECLARED, CODE])
    node.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python"}
    nbformat.write(node, path)
    theirs = inspect_notebook(str(path))
    ours = {
        name: (found.type_hint, found.default, found.help)
        for name, found in inferred_parameters(path).items()
    }
    assert ours == {
        name: (
            None if found["inferred_type_name"] == "None" else found["inferred_type_name"],
            found["default"],
            found["help"],
        )
        for name, found in theirs.items()
    }


def test_papermill_itself_is_not_imported(tmp_path: Path) -> None:
    path = tmp_path / "in.ipynb"
    nbformat.write(new_notebook(cells=[DECLARED]), path)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from chatflow_jupyter.runner.parameters import inferred_parameters\n"
        f"assert set(inferred_parameters(Path({str(path)!r}))) == {{'limit', 'name'}}\n"
        "assert not {'papermill', 'requests', 'nbclient'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
