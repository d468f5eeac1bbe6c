"""`papermill --engine chatflow`: papermill's command and conventions, our truth."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError

from chatflow_jupyter.runner.papermill_engine import ChatFlowEngine
from tests.runner.notebooks import write

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@pytest.fixture(autouse=True)
def _registered() -> None:
    papermill_engines.register("chatflow", ChatFlowEngine)


def execute(folder: Path, cells: list[Any], **options: Any) -> Any:
    """Execute with our engine and return the saved notebook."""
    path = write(folder, cells, kernelspec=KERNEL)
    out = folder / "out.ipynb"
    papermill.execute_notebook(
        str(path), str(out), engine_name="chatflow", progress_bar=False, cwd=str(folder), **options
    )
    return nbformat.read(out, 4)


def test_success_with_parameters(tmp_path: Path) -> None:
    cells = [
        new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
        "import sys; print(n); sys.exit(0)",
        "1/0",
    ]
    notebook = execute(tmp_path, cells, parameters={"n": 5})

    assert notebook.cells[2].outputs[0].text == "5\n"
    assert [cell.metadata.papermill.status for cell in notebook.cells] == ["completed"] * 3 + ["pending"]


def test_a_dead_kernel_is_told_and_raised(tmp_path: Path) -> None:
    with pytest.raises(PapermillExecutionError, match="the kernel died: exit status 0"):
        execute(tmp_path, ["1", "import os; os._exit(0)", "2"])
    cells = [cell for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells if cell.cell_type == "code"]

    assert [cell.metadata.papermill.status for cell in cells] == ["completed", "failed", "pending"]


def test_inside_a_running_loop_with_a_time_out_per_cell(tmp_path: Path) -> None:
    async def go() -> None:
        execute(tmp_path, ["1", "import time; time.sleep(60)"], execution_timeout=1)

    with pytest.raises(PapermillExecutionError, match="time ran out after 1 s"):
        asyncio.run(go())


def test_the_command(tmp_path: Path) -> None:
    path = write(tmp_path, ["x = 1", "print(x)"], kernelspec=KERNEL)
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--engine",
        "chatflow",
        "in.ipynb",
        "out.ipynb",
        "-p",
        "x",
        "7",
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert path.exists()
    assert nbformat.read(tmp_path / "out.ipynb", 4).metadata.chatflow.status == "succeeded"
