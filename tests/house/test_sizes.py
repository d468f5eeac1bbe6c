"""Small files, small functions, names that say something."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOT, files, place, python_files, tree

FILE_LINES = 400
FUNCTION_LINES = 40
VAGUE = re.compile(r"^_?(utils?|helpers?|common|misc|base)$")
FOLDERS = {
    *("chatflow_jupyter", "labextension", "server_ext", "notebooks", "hub_config"),
    *("tests", "sdk", "benchmarks", "docs", "requirements", ".ci"),
}


def test_no_source_file_is_longer_than_400_lines() -> None:
    sources = [path for path in files() if path.suffix in {".py", ".ts", ".tsx"}]
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    too_long = {
        f"{place(path, function)} {function.name}": lines
        for path in python_files()
        for function in _functions(path)
        if (lines := _lines(function)) > FUNCTION_LINES
    }
    assert too_long == {}


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end; a contract in the docstring may be as long as it has to be."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_no_module_has_a_name_that_says_nothing() -> None:
    sources = [path for path in files() if path.suffix in {".py", ".ts", ".tsx"}]
    vague = [place(path) for path in sources if any(VAGUE.match(part) for part in _names(path))]
    assert vague == []


def _names(path: Path) -> list[str]:
    relative = path.relative_to(ROOT)
    return [*relative.parts[:-1], relative.stem]


def test_the_folders_at_the_top_are_the_agreed_ones() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in files() if path.parent != ROOT}
    assert top <= FOLDERS
