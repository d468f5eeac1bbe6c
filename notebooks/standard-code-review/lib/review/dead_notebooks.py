"""Notebooks that cannot run, found by reading them: no parse, no such module, an error kept as output."""

from __future__ import annotations

import importlib.util
import sys

from review.changes import CHANGE, Changes
from review.findings import Finding
from review.modules import ModuleIndex
from review.notebook_files import Notebook, read_notebook
from review.trees import Tree


def is_kept(path: str) -> bool:
    """Whether a notebook is one people keep: no checkpoint, nothing vendored."""
    folders = path.split("/")[:-1]
    return not any(folder in (".ipynb_checkpoints", "node_modules", "site-packages") for folder in folders)


def dead_notebooks(changes: Changes, head: Tree) -> list[Finding]:
    """Return what is wrong with notebooks; in a review of a change only with those it touches."""
    index = ModuleIndex(head)
    findings = []
    for path, raw in head.texts(".ipynb").items():
        file = changes.file(path)
        if file is not None and file.is_readable and is_kept(path) and not file.is_test:
            findings += _examine(path, read_notebook(raw), index, head, changed=changes.mode == CHANGE)
    return findings


def _examine(path: str, book: Notebook, index: ModuleIndex, head: Tree, *, changed: bool) -> list[Finding]:
    if book.problem:
        return [_finding("medium", path, "unreadable", f"{path} cannot be read: {book.problem}")]
    if not book.language.startswith(("python", "ipython")):
        return []
    findings = []
    error = book.syntax_error()
    if error is not None:
        title = f"{path}, cell {error[0]} is no valid Python: {error[1]}"
        findings.append(_finding("medium", path, "syntax", title))
    missing = sorted(
        {name.split(".")[0] for name in book.imports() if name and not _is_there(name, path, index, head)}
    )
    if missing:
        title = f"{path} imports what is neither in the tree nor installed here: {', '.join(missing)}"
        findings.append(_finding("low", path, "missing-module", title))
    if book.stored_errors:
        cell, said = book.stored_errors[0]
        title = f"{path} was saved with an error in cell {cell}: {said}"
        findings.append(_finding("low" if changed else "medium", path, "stored-error", title))
    return findings


def _is_there(name: str, path: str, index: ModuleIndex, head: Tree) -> bool:
    """Whether a module's topmost package is in the tree, beside the notebook, or installed."""
    top = name.split(".", maxsplit=1)[0]
    folder = path.rpartition("/")[0]
    beside = {f"{folder}/{top}.py".lstrip("/"), f"{folder}/{top}/__init__.py".lstrip("/")}
    in_tree = top in index.by_name or any(found.startswith(f"{top}.") for found in index.by_name)
    if in_tree or beside & head.paths or top in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _finding(severity: str, path: str, rule: str, title: str) -> Finding:
    return Finding(
        severity=severity,
        kind="notebook",
        rule=rule,
        path=path,
        title=title,
        source="notebooks",
        subject=rule,
    )
