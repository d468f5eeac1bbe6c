"""Functions and classes of a module, and which of them a change touches."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

_DEFINES = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)")


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """A function, method or class by its dotted name within the module, with its lines."""

    name: str
    first: int
    last: int


def parse(source: str, path: str = "<module>") -> ast.Module | None:
    """Parse a module; None when it is no Python this interpreter understands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def symbols_of(module: ast.Module) -> tuple[Symbol, ...]:
    """Return every function, method and class, outermost first."""
    found: list[Symbol] = []

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                first = min([child.lineno, *(item.lineno for item in child.decorator_list)])
                found.append(Symbol(name=name, first=first, last=child.end_lineno or child.lineno))
                walk(child, f"{name}.")
            else:
                walk(child, prefix)

    walk(module, "")
    return tuple(found)


def touched(source: str, lines: Iterable[int]) -> tuple[str, ...]:
    """Return the innermost functions and classes that hold one of `lines`."""
    module = parse(source)
    if module is None:
        return ()
    symbols = symbols_of(module)
    names: dict[str, None] = {}
    for line in sorted(lines):
        holding = [symbol for symbol in symbols if symbol.first <= line <= symbol.last]
        if holding:
            names[max(holding, key=lambda symbol: symbol.first).name] = None
    return tuple(names)


def defined_in(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the names defined in loose lines, which is all that a ``.diff`` shows."""
    matches = (_DEFINES.match(line) for line in lines)
    return tuple(dict.fromkeys(match[1] for match in matches if match))


def public_names(module: ast.Module) -> frozenset[str]:
    """Return every name a module binds at its top level, star imports as ``*``."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
    return frozenset(names)
