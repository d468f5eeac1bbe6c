"""Notebooks of every age and state are read, or refused in one clear line."""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from chatflow_jupyter.runner.notebook_file import cell_name, read_notebook, write_notebook
from chatflow_jupyter.runner.notebook_job import NotebookFailed
from tests.runner.notebooks import run_file

V3 = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "old"},
    "worksheets": [
        {"cells": [{"cell_type": "code", "input": ["x = 1\n", "x + 1"], "language": "python", "outputs": []}]}
    ],
}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"[]", "is JSON but no notebook"),
        (b"{}", "is JSON but no notebook"),
        (b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "has no cells"),
        (b'{"cells": 7, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', ""),
        (
            b'{"cells": [{"cell_type": "magic"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
            "cell 1",
        ),
        (b'{"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}', "cell 1"),
        (b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', ""),
        (b'{"cells": [], "nbformat": 99, "nbformat_minor": 0, "metadata": {}}', ""),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_notebooks_are_refused_in_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookFailed) as caught:
        read_notebook(path)
    message = caught.value.failure.message
    assert caught.value.failure.code == "bad_notebook"
    assert message.startswith("bad.ipynb ")
    assert problem in message
    assert "\n" not in message


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ipynb", tmp_path):
        with pytest.raises(NotebookFailed, match="cannot be read"):
            read_notebook(path)


def test_old_format_without_kernelspec_runs(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(V3))
    done = run_file(path, tmp_path, parameters={"y": 5})

    assert done.result.error is None
    assert done.notebook.nbformat == 4
    assert [cell.outputs for cell in done.notebook.cells][1][0].data["text/plain"] == "2"


def test_lenient_where_jupyter_is(tmp_path: Path) -> None:
    path = tmp_path / "odd.ipynb"
    cell = {"cell_type": "code", "source": ["1"], "metadata": {}, "outputs": [{"odd": 1}], "extra": True}
    path.write_text(
        "\ufeff" + json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 2})
    )
    notebook = read_notebook(path)

    assert notebook.cells[0].source == "1"
    assert notebook.cells[0].outputs == []
    assert notebook.cells[0].execution_count is None


@pytest.mark.parametrize(
    ("before", "source", "name"),
    [
        (None, "# Load it\nx = 1", "Load it"),
        (new_markdown_cell("some text\n## A *title* ##\nmore"), "x = 1", "A *title*"),
        (new_markdown_cell("# Title"), "# comment wins\nx", "comment wins"),
        (None, "\n\n  x = 1\ny", "x = 1"),
        (None, "# %% cell marker", "cell marker"),
        (None, "x = '" + "a" * 90 + "'", "x = '" + "a" * 54 + "…"),
        (None, "# tab\there", "tab here"),
        (None, "#!/usr/bin/env python\nload()", "load()"),
        (None, "#" * 80 + "\n# Title\nx = 1", "Title"),
        (None, "# %%\nfit(model)", "fit(model)"),
        (None, "#\n\nx = 1", "x = 1"),
        (None, "(\n    frame.head()\n)", "frame.head()"),
        (None, "%%time\nfit(model)", "fit(model)"),
        (None, "%%once train -o model\nfit()", "%%once train -o model"),
        (None, "x = 1\n# later", "x = 1"),
        (None, "#\n#", ""),
        (new_markdown_cell("Only prose, without a heading."), "import os\nos.getcwd()", "import os"),
        (new_markdown_cell("# Chapter\n\ntext\n\n## Step"), "x = 1", "Step"),
        (new_markdown_cell("```\n# no heading\n```"), "x = 1", "x = 1"),
    ],
)
def test_cell_names(before: Any, source: str, name: str) -> None:
    assert cell_name(new_code_cell(source), before) == name
    assert len(name) <= 60


def test_writing_replaces_the_whole_file_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.ipynb"
    path.write_text("old")
    notebook = new_notebook(cells=[new_code_cell("print('\ud83d')")])
    write_notebook(notebook, path)
    assert nbformat.read(path, 4).cells[0].source == notebook.cells[0].source
    assert list(tmp_path.iterdir()) == [path]

    with pytest.raises(OSError, match="No such file"):
        write_notebook(notebook, tmp_path / "gone" / "out.ipynb")


@pytest.mark.parametrize(
    "plant",
    [os.mkfifo, Path.mkdir, lambda part: part.symlink_to("elsewhere")],
    ids=["pipe", "folder", "link"],
)
def test_writing_waits_for_no_pipe_and_follows_no_link(tmp_path: Path, plant: Any) -> None:
    path = tmp_path / "out.ipynb"
    plant(tmp_path / ".out.ipynb.part")
    write_notebook(new_notebook(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["out.ipynb"]
    assert json.loads(path.read_text())["cells"] == []
