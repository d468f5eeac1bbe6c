"""The job every peer was given: notebook A of three 3-second cells writes a CSV, an approval, notebook B."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from benchmarks.notebooks import stamp, write_notebook

CELL_SEC = 3
CELLS = 3
PARAMETERS = 'stamps = ""\ntable = ""'
DEFINITION = """\
name: same-job
phases:
  - {name: a, notebook: a.ipynb}
  - {name: b, notebook: b.ipynb, gate: {title: Publish the table?}}
"""
WORK = """
import time
time.sleep({seconds})
rows = {before}[("{name}", {number})]"""
WRITE = """
import csv
with open(table, "w", newline="") as file:
    csv.writer(file).writerows(rows)"""
READ = """
import csv
with open(table, newline="") as file:
    found = list(csv.reader(file))
assert len(found) == 3, found"""


def write_job(folder: Path, *, once: bool = False, cell_sec: float = CELL_SEC) -> Path:
    """Write the job's folder; with `once`, each cell of A is kept by `%%once` when it has ended."""
    folder.mkdir(parents=True)
    (folder / "definition.yaml").write_text(DEFINITION)
    cells = [PARAMETERS + ("\nfrom chatflow_sdk import phase" if once else "")]
    for number in range(1, CELLS + 1):
        work = WORK.format(
            seconds=cell_sec, name=f"a{number}", number=number, before="" if number == 1 else "rows + "
        )
        magic = f"%%once a{number} -o rows\n" if once else ""
        last = WRITE if number == CELLS and not once else ""
        cells.append(f"{magic}{stamp(f'a{number}')}{work}{last}")
    write_notebook(folder / "a.ipynb", [*cells, WRITE] if once else cells)
    write_notebook(folder / "b.ipynb", [PARAMETERS, f"{stamp('b1')}{READ}"])
    return folder


def lines_to_write() -> int:
    """Return how many lines somebody writes beside the two notebooks."""
    return len(DEFINITION.splitlines())


def content_of(folder: Path) -> dict[str, str]:
    """Return the hash of every file of the job, to see that nobody touched it."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
