"""The files of the repository, as the house tests look at them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCT = ("chatflow_jupyter", "sdk/chatflow_sdk", "server_ext/chatflow_server_ext")


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or about to be; in an unpacked sdist, which has no git, every file."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name.decode() for name in listing.stdout.split(b"\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not _hidden(path.relative_to(ROOT))]
    return tuple(sorted({path for path in paths if path.is_file() and not path.is_symlink()}))


def _hidden(path: Path) -> bool:
    built = ("build", "dist", "node_modules", "__pycache__")
    return any(part in built or (part.startswith(".") and part != ".ci") for part in path.parts)


def python_files(*below: str) -> Iterator[Path]:
    """Python files, all or those below the given folders."""
    for path in files():
        if path.suffix == ".py" and (not below or any(path.is_relative_to(ROOT / b) for b in below)):
            yield path


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """`folder/file.py:12`, as an editor opens it."""
    name = str(path.relative_to(ROOT))
    return f"{name}:{node.lineno}" if node is not None and hasattr(node, "lineno") else name


def imported(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every dotted name the file imports, wherever in it; `from a import b` gives `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module or ''}.{alias.name}", node


def dotted(node: ast.expr) -> str:
    """`a.b.c` for an attribute chain, otherwise what can be said of it."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of the file with the dotted name it calls."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node
