"""Whether a file is a notebook the runner can read, told before anything is published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatflow_jupyter.domain.errors import InvalidDefinition

_CELL_TYPES = ("code", "markdown", "raw")
_FORMATS = (2, 3, 4)
_AGAIN = "open it in Jupyter and save it again"


@dataclass(frozen=True, kw_only=True)
class KernelWanted:
    """The kernel a notebook names, None for the default, and its language in lower case."""

    name: str | None
    language: str


def check_notebook(content: bytes, where: str) -> KernelWanted:
    """Return the kernel of a notebook; raise `InvalidDefinition` for what the runner would refuse.

    That is: no JSON, an unknown format, no cells, a malformed cell or metadata. `where` names the file in
    the message. Formats 2 and 3 are upgraded when they run: only that they hold cells with a type is
    looked at.
    """
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        notebook = None
    cells = _cells(notebook) if isinstance(notebook, Mapping) else None
    if cells is None:
        raise InvalidDefinition((f"{where}: not a notebook (JSON with a list of cells)",))
    if problem := _format_problem(notebook) or _problem_in(cells, is_current=notebook["nbformat"] == 4):
        raise InvalidDefinition((f"{where}: {problem}",))
    metadata = notebook.get("metadata", {})
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("papermill", {}), Mapping):
        raise InvalidDefinition((f"{where}: has metadata that is no object",))
    return _kernel_of(metadata)


def _cells(notebook: Mapping[str, object]) -> Sequence[object] | None:
    """Return the cells, of every worksheet in formats 2 and 3; None when there is no list of them."""
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


def _format_problem(notebook: Mapping[str, object]) -> str | None:
    if "nbformat" not in notebook:
        return f"names no notebook format (`nbformat`); {_AGAIN}"
    major, minor = notebook["nbformat"], notebook.get("nbformat_minor")
    if type(major) is not int or major not in _FORMATS:
        return f"has notebook format {json.dumps(major)[:40]}, and 2, 3 and 4 are known; {_AGAIN}"
    if major == 4 and type(minor) is not int:
        return f"names no minor notebook format (`nbformat_minor`); {_AGAIN}"
    if (major == 4) != ("cells" in notebook):
        return f"keeps its cells where notebook format {major} does not; {_AGAIN}"
    return None


def _problem_in(cells: Sequence[object], *, is_current: bool) -> str | None:
    if not cells:
        return "has no cells"
    for number, cell in enumerate(cells, 1):
        if problem := _cell_problem(cell, is_current=is_current):
            return f"cell {number} {problem}"
    return None


def _cell_problem(cell: object, *, is_current: bool) -> str | None:
    if not isinstance(cell, Mapping):
        return "is no object"
    kind = cell.get("cell_type")
    if not isinstance(kind, str) or (is_current and kind not in _CELL_TYPES):
        return f"has no valid cell type ({', '.join(_CELL_TYPES)})"
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    if is_current and not all(isinstance(line, str) for line in lines):
        return "has no source text"
    if not isinstance(cell.get("metadata", {}), Mapping):
        return "has metadata that is no object"
    return None


def _kernel_of(metadata: Mapping[str, object]) -> KernelWanted:
    spec, info = metadata.get("kernelspec"), metadata.get("language_info")
    spec = spec if isinstance(spec, Mapping) else {}
    info = info if isinstance(info, Mapping) else {}
    language = str(info.get("name") or spec.get("language") or "python").lower()
    return KernelWanted(name=str(spec["name"]) if spec.get("name") else None, language=language)
