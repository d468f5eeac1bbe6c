"""Notebook files: read one leniently, name its cells, write one atomically."""

import json
import os
import re
import warnings
from itertools import takewhile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from chatflow_jupyter.planted_files import is_folder, remove_tree
from chatflow_jupyter.runner.notebook_job import NotebookFailed, NotebookFailure

MAX_NOTEBOOK_BYTES = 100 * 1024 * 1024
"""The largest notebook file that is read, in bytes."""

MAX_NAME_LENGTH = 60
_SKIP_TAG = "skip-execution"
_BARE_MAGIC = re.compile(r"%%?\w+")
_HEADING = re.compile(r"^[ \t]*#+[ \t]*(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any format version, upgraded to version 4, its old outputs dropped.

    Raises `NotebookFailed` with code `bad_notebook` and one clear line.
    """
    try:
        size_bytes = path.stat().st_size
        content = path.read_bytes() if size_bytes <= MAX_NOTEBOOK_BYTES else b""
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}") from None
    if size_bytes > MAX_NOTEBOOK_BYTES:
        raise _bad(path, f"is larger than {MAX_NOTEBOOK_BYTES // 2**20} MiB")
    if not content.strip():
        raise _bad(path, "is empty: save it from Jupyter again")
    return _upgrade(path, _parse(path, content))


def prepare(notebook: NotebookNode) -> NotebookNode:
    """Make sure what execution relies on is there, as papermill does on loading; changes in place."""
    notebook.metadata.setdefault("papermill", NotebookNode())
    for key in ("default_parameters", "parameters", "environment_variables"):
        notebook.metadata.papermill.setdefault(key, NotebookNode())
    for cell in notebook.cells:
        cell.setdefault("metadata", NotebookNode())
        cell.metadata.setdefault("tags", [])
        cell.metadata.setdefault("papermill", NotebookNode())
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def is_executed(cell: NotebookNode) -> bool:
    """Return whether a cell is code that a run executes (not empty, not tagged `skip-execution`)."""
    return (
        cell.cell_type == "code"
        and bool(cell.source.strip())
        and _SKIP_TAG not in cell.metadata.get("tags", [])
    )


def cell_name(cell: NotebookNode, before: NotebookNode | None = None) -> str:
    """Return a code cell's name: its first comment, else the heading just before, else its first line.

    Lines that say nothing are passed over: an empty comment, a cell marker, a lone bracket, a bare `%%time`.
    The name is empty when no line says anything; then the cell's number has to do.
    """
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    opening = list(takewhile(lambda line: line.startswith("#"), lines))
    comments = [line.strip("#%!=-* ") for line in opening if not line.startswith("#!/")]
    if "injected-parameters" in cell.metadata.get("tags", []):
        name = "parameters"
    else:
        code = (line for line in lines if not line.startswith("#") and _says_something(line))
        said = (*filter(None, comments), _heading(before), *code)
        name = next(filter(None, said), "")
    return shortened(name)


def shortened(line: str) -> str:
    """Return a line as the name of a cell: printable, and no longer than a name may be."""
    printable = "".join(char if char.isprintable() else " " for char in line)
    return printable if len(printable) <= MAX_NAME_LENGTH else printable[: MAX_NAME_LENGTH - 1] + "…"


def _says_something(line: str) -> bool:
    return any(map(str.isalnum, line)) and not _BARE_MAGIC.fullmatch(line)


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that readers see the old file or the new one, never a part. Raises `OSError`."""
    text = nbformat.v4.nbjson.writes(notebook)
    temporary = path.with_name(f".{path.name}.part")
    try:
        # A lone surrogate, which UTF-8 cannot hold, becomes its JSON escape and is read back unchanged.
        handle = _anew(temporary)
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - a handle
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _anew(path: Path) -> int:
    """Open a new file for writing in place of whatever lies there: a notebook may have put a pipe there."""
    if is_folder(path):
        remove_tree(path)
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def _parse(path: Path, content: bytes) -> dict[str, object]:
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _bad(path, "is not UTF-8 text") from None
    except RecursionError:
        raise _bad(path, "is nested too deeply") from None
    except ValueError as error:
        raise _bad(path, f"is not JSON ({error})") from None
    if not isinstance(document, dict) or not ({"cells", "worksheets"} & document.keys()):
        raise _bad(path, "is JSON but no notebook: it has no list of cells")
    return document


def _upgrade(path: Path, document: dict[str, object]) -> NotebookNode:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbformat warns of missing cell ids, which it then adds
            # Validation is left out on purpose: what runs in Jupyter and papermill runs here too.
            notebook = nbformat.convert(nbformat.from_dict(document), 4)
            notebook = nbformat.v4.upgrade(notebook)
        _check(path, notebook)
        return prepare(notebook)
    except NotebookFailed:
        raise
    except Exception as error:  # noqa: BLE001 - nbformat raises anything on a malformed document
        detail = str(error) or type(error).__name__
        raise _bad(path, f"cannot be upgraded to notebook format 4 ({detail.splitlines()[0]})") from None


def _check(path: Path, notebook: NotebookNode) -> None:
    if not isinstance(notebook.get("cells"), list) or not notebook.cells:
        raise _bad(path, "has no cells")
    if not isinstance(notebook.setdefault("metadata", NotebookNode()), dict):
        raise _bad(path, "has metadata that is no object")
    for number, cell in enumerate(notebook.cells, 1):
        if not isinstance(cell, NotebookNode) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            raise _bad(path, f"has no valid cell type in cell {number}")
        if isinstance(cell.get("source"), list) and all(isinstance(line, str) for line in cell.source):
            cell["source"] = "".join(cell.source)
        if not isinstance(cell.get("source"), str):
            raise _bad(path, f"has no source text in cell {number}")
        if not isinstance(cell.setdefault("metadata", NotebookNode()), dict):
            raise _bad(path, f"has metadata that is no object in cell {number}")


def _heading(cell: NotebookNode | None) -> str:
    """Return the last heading of a markdown cell: the one nearest to the code. Fenced blocks hold none."""
    if cell is None or cell.cell_type != "markdown":
        return ""
    found = _HEADING.findall(_FENCED.sub("", cell.source))
    return str(found[-1]) if found else ""


def _bad(path: Path, problem: str) -> NotebookFailed:
    return NotebookFailed(NotebookFailure(code="bad_notebook", message=f"{path.name} {problem}"))
