"""Small notebooks and definitions whose cells leave marks, and wait for a file when the test says so."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREPARE = """\
import os, time
from pathlib import Path
from chatflow_sdk import phase
ctx = phase.context()
ROOM = Path({room!r})
def mark(name):
    with open(ROOM / "marks", "a") as marks:
        marks.write(name + "\\n")
def wait_for(name):
    while not (ROOM / name).exists():
        time.sleep(0.02)
"""


@dataclass
class Workshop:
    """Makes notebooks and templates; `marks` counts what their cells did, `let` lets them go on."""

    folder: Path

    def __post_init__(self) -> None:
        self.room = self.folder / "room"
        self.room.mkdir()

    @property
    def marks(self) -> Counter[str]:
        """How often each mark was left."""
        file = self.room / "marks"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    def let(self, name: str) -> None:
        """Let everything that waits for `name` go on."""
        (self.room / name).touch()

    def notebook(self, path: str, cells: Sequence[str], *, parameters: str | None = None) -> Path:
        """Write a notebook whose first cell prepares `ctx`, `mark` and `wait_for`."""
        first = [_cell(parameters, tags=["parameters"])] if parameters is not None else []
        nodes = [*first, _cell(PREPARE.format(room=str(self.room))), *map(_cell, cells)]
        for number, node in enumerate(nodes):
            node["id"] = f"cell-{number}"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {"cells": nodes, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content))
        return target

    def template(self, name: str, definition: str, **files: str) -> Path:
        """Write a template folder with further files (`leaf__yaml`); its notebooks are written apart."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "definition.yaml").write_text(definition)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text)
        return folder

    def approval(self) -> Path:
        """A, an approval, B: the job every durable tool is asked to do."""
        folder = self.template(
            "approval",
            "name: approval\nautomation_level: 100\nphases:\n"
            "  - {name: a, notebook: a.ipynb}\n"
            "  - {name: b, notebook: b.ipynb, gate: {title: Publish it?}}\n",
        )
        cells = ["mark('a1')", "mark('a2'); wait_for('a')", "ctx.output('rows', 3); mark('a3')"]
        self.notebook("approval/a.ipynb", cells)
        self.notebook("approval/b.ipynb", ["mark('b1')", "ctx.output('seen', ctx.get('a.rows'))"])
        return folder

    def fan_out(self) -> Path:
        """A first phase, three children of which two run at once, a gate, and a last phase that adds up."""
        folder = self.template(
            "fan-out",
            "name: fan-out\nautomation_level: 100\nphases:\n"
            "  - {name: collect, notebook: collect.ipynb}\n"
            "  - name: files\n    children: {schema: ./leaf.yaml, foreach: collect.files,\n"
            "               key: {field: item}, context: {file: {field: item}}, max_parallel: 2}\n"
            "  - {name: report, notebook: report.ipynb, gate: {title: Publish it?}}\n",
            leaf__yaml="name: leaf\nautomation_level: 100\nparameters:\n  type: object\n"
            "  properties: {file: {type: string}}\nphases:\n  - {name: look, notebook: look.ipynb}\n",
        )
        self.notebook("fan-out/collect.ipynb", ["ctx.output('files', ['x', 'y', 'z'])"])
        self.notebook(
            "fan-out/look.ipynb",
            ["file = ctx.parameters['file']; wait_for('children')", "ctx.output('size', ord(file))"],
        )
        self.notebook(
            "fan-out/report.ipynb",
            [
                "sizes = [ctx.get(f'children.{key}.look.size') for key in 'xyz']",
                "ctx.output('total', sum(sizes)); ctx.artifact('report.txt', data=str(sizes), kind='report')",
            ],
        )
        return folder


def _cell(source: str | None, tags: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "",
        "source": source or "",
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "execution_count": None,
    }
