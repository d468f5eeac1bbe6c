"""Notebooks as files: read without a kernel, and without nbformat, which hostile ones can slow down."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from review.modules import imports_of
from review.symbols import parse
from review.values import Json, objects, text, whole

_MAGIC = re.compile(r"^(\s*)([%!?]|.*\?\s*$)")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[%!].*$")
_FOREIGN = re.compile(r"^\s*%%(?!time\b|timeit\b|capture\b|once\b|prun\b)\w+")


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """The code of a notebook. Cells are numbered from 1, markdown ones included.

    `problem` is '' when the notebook is readable.
    """

    code_cells: tuple[tuple[int, str], ...] = ()
    stored_errors: tuple[tuple[int, str], ...] = ()
    language: str = "python"
    problem: str = ""

    def imports(self) -> frozenset[str]:
        """Return every dotted name the code cells import."""
        found: set[str] = set()
        for _, source in self.code_cells:
            module = parse(source)
            if module is not None:
                found.update(imports_of(module))
        return frozenset(found)

    def syntax_error(self) -> tuple[int, str] | None:
        """Return (cell, message) of the first cell that is no Python, or None."""
        for number, source in self.code_cells:
            try:
                compile(
                    source,
                    f"<cell {number}>",
                    "exec",
                    flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                    dont_inherit=True,
                )
            except (SyntaxError, ValueError) as error:
                return number, str(error)
            except (RecursionError, MemoryError):
                return number, "too deeply nested"
        return None


def read_notebook(raw: str) -> Notebook:
    """Read a notebook's JSON (nbformat 3 and 4); magics and shell lines become comments."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return Notebook(problem="it is not valid JSON")
    if not isinstance(data, Mapping):
        return Notebook(problem="it is not a notebook: its JSON is no object")
    cells = _cells(data)
    if not cells and not isinstance(data.get("cells"), list):
        return Notebook(problem="it has no cells")
    code = [(number, cell) for number, cell in enumerate(cells, start=1) if cell.get("cell_type") == "code"]
    errors = [
        (number, f"{text(output.get('ename'))}: {text(output.get('evalue'))}")
        for number, cell in code
        for output in objects(cell.get("outputs"))
        if output.get("output_type") in ("error", "pyerr")
    ]
    return Notebook(
        code_cells=tuple((number, plain_python(_source(cell))) for number, cell in code),
        stored_errors=tuple(errors),
        language=_language(data),
    )


def _cells(data: Mapping[str, Json]) -> tuple[Mapping[str, Json], ...]:
    if whole(data.get("nbformat"), 4) >= 4:
        return objects(data.get("cells"))
    return tuple(cell for sheet in objects(data.get("worksheets")) for cell in objects(sheet.get("cells")))


def _source(cell: Mapping[str, Json]) -> str:
    source = cell.get("source", cell.get("input"))
    return (
        source
        if isinstance(source, str)
        else "".join(text(line) for line in source or ())
        if isinstance(source, list)
        else ""
    )


def _language(data: Mapping[str, Json]) -> str:
    metadata = data.get("metadata")
    if isinstance(metadata, Mapping):
        for place in ("kernelspec", "language_info"):
            value = metadata.get(place)
            if isinstance(value, Mapping):
                name = text(value.get("language" if place == "kernelspec" else "name"))
                if name:
                    return name.lower()
    return "python"


def plain_python(source: str) -> str:
    """Turn a cell into Python with the same line numbers; a cell in another language becomes empty."""
    if _FOREIGN.match(source):
        return "\n" * source.count("\n")
    lines = []
    for line in source.split("\n"):
        assigned = _ASSIGNED_MAGIC.match(line)
        magic = _MAGIC.match(line)
        if assigned:
            lines.append(f"{assigned[1]}None")
        elif magic and not line.lstrip().startswith("#"):
            lines.append(f"{magic[1]}pass")
        else:
            lines.append(line)
    return "\n".join(lines)
