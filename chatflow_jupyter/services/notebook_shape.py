"""Whether a file is a notebook the runner can read, told before anything is published."""

import json
from collections.abc import Mapping, Sequence

from chatflow_jupyter.domain.errors import InvalidDefinition

_CELL_TYPES = ("code", "markdown", "raw")


def check_notebook(content: bytes, where: str) -> None:
    """Raise `InvalidDefinition` for what the runner would refuse: no JSON, no cells' list, a malformed cell.

    `where` names the file in the message. Older formats (1 to 3) are upgraded when they run: only that they
    hold cells with a type is looked at.
    """
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        notebook = None
    cells = _cells(notebook) if isinstance(notebook, Mapping) else None
    if cells is None:
        raise InvalidDefinition((f"{where}: not a notebook (JSON with a list of cells)",))
    is_current = notebook.get("nbformat", 4) == 4 and "cells" in notebook
    for number, cell in enumerate(cells, 1):
        if problem := _problem(cell, is_current=is_current):
            raise InvalidDefinition((f"{where}: cell {number} {problem}",))


def _cells(notebook: Mapping[str, object]) -> Sequence[object] | None:
    """Return the cells, of every worksheet in format 3; None when there is no list of them."""
    if "cells" in notebook:
        return _listed(notebook["cells"])
    found: list[object] = []
    sheets = _listed(notebook.get("worksheets"))
    for sheet in sheets or ():
        cells = _listed(sheet.get("cells")) if isinstance(sheet, Mapping) else None
        if cells is None:
            return None
        found += cells
    return None if sheets is None else found


def _listed(value: object) -> Sequence[object] | None:
    return value if isinstance(value, list) else None


def _problem(cell: object, *, is_current: bool) -> str | None:
    if not isinstance(cell, Mapping):
        return "is no object"
    kind = cell.get("cell_type")
    if not isinstance(kind, str) or (is_current and kind not in _CELL_TYPES):
        return f"has no valid cell type ({', '.join(_CELL_TYPES)})"
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    if is_current and not all(isinstance(line, str) for line in lines):
        return "has no source text"
    return None
