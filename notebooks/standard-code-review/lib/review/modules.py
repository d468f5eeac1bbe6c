"""Which file a dotted name means, and what imports what: read from the source, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath

from review.symbols import parse
from review.trees import Tree

_HOPS = 5


class ModuleIndex:
    """The Python modules of a tree, by every dotted name they may be imported under."""

    def __init__(self, tree: Tree) -> None:
        """Index `tree`; files are parsed when they are first asked for."""
        self._tree = tree
        self._parsed: dict[str, ast.Module | None] = {}

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Path by dotted name; when two files claim a name, the one nearer to the root has it."""
        found: dict[str, str] = {}
        for path in sorted(self._tree.paths, key=lambda path: (path.count("/"), path)):
            if path.endswith(".py"):
                for name in self.names(path):
                    found.setdefault(name, path)
        return found

    def names(self, path: str) -> tuple[str, ...]:
        """Return the dotted names of a file: below its topmost package, then from the root of the tree."""
        parts = list(PurePosixPath(path).with_suffix("").parts)
        package = parts[:-1]
        top = len(package)
        while top > 0 and "/".join([*package[:top], "__init__.py"]) in self._tree.paths:
            top -= 1
        if parts[-1] == "__init__":
            parts = parts[:-1]
        candidates = [parts[top:], parts, parts[1:] if parts[:1] in (["src"], ["lib"]) else []]
        return tuple(dict.fromkeys(".".join(found) for found in candidates if found))

    def module(self, path: str) -> ast.Module | None:
        """Return a file parsed, or None."""
        if path not in self._parsed:
            self._parsed[path] = parse(self._tree.text(path), path)
        return self._parsed[path]

    def imported_by(self, path: str) -> frozenset[str]:
        """Return the files of the tree that a file imports, the packages on the way included."""
        module = self.module(path)
        if module is None:
            return frozenset()
        return self.files_of(imports_of(module, self.package(path)))

    def package(self, path: str) -> str:
        """Return the dotted package that relative imports of a file start from."""
        name = (self.names(path) or ("",))[0]
        return name if path.endswith("__init__.py") else name.rpartition(".")[0]

    def files_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the files behind dotted names; ``shop.pricing.quote`` means three of them at most."""
        found = set()
        for name in names:
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                path = self.by_name.get(".".join(parts[:depth]))
                if path is not None:
                    found.add(path)
        return frozenset(found)

    def reached_from(self, start: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return every file that importing `start` executes, each with the way to it."""
        ways: dict[str, tuple[str, ...]] = {path: (path,) for path in sorted(start)}
        queue = list(ways)
        while queue:
            path = queue.pop(0)
            for further in sorted(self.imported_by(path)):
                if further not in ways:
                    ways[further] = (*ways[path], further)
                    queue.append(further)
        return ways

    def origin(self, dotted: str) -> str:
        """Follow re-exports: ``shop.quote`` is ``shop.pricing.quote`` when ``shop`` imports it."""
        for _ in range(_HOPS):
            owner, _, name = dotted.rpartition(".")
            path = self.by_name.get(owner)
            module = self.module(path) if path is not None else None
            if path is None or module is None:
                return dotted
            target = bindings(module, self.package(path)).get(name)
            if target is None or target == dotted or self.by_name.get(dotted):
                return dotted
            dotted = target
        return dotted


def imports_of(module: ast.Module, package: str = "") -> Iterator[str]:
    """Yield the dotted names a module imports, functions and classes included: all that may be executed."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, package)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names if alias.name != "*")


def bindings(module: ast.Module, package: str = "") -> dict[str, str]:
    """Return what imported names mean: ``{"quote": "shop.pricing.quote", "shop": "shop"}``."""
    found: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, package)
            for alias in node.names:
                found[alias.asname or alias.name] = f"{source}.{alias.name}"
    return found


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the module that ``from … import`` names, relative dots resolved against `package`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (node.level - 1)] if node.level > 1 else parts
    return ".".join([*kept, *([node.module] if node.module else [])])
