"""Who calls a changed signature, and whether the call still fits."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from review.modules import ModuleIndex, bindings
from review.notebook_files import Notebook, read_notebook
from review.signatures import SignatureChange
from review.symbols import parse
from review.trees import Tree
from review.values import shortened

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMMON = frozenset(
    [
        "get",
        "set",
        "add",
        "pop",
        "update",
        "items",
        "keys",
        "values",
        "append",
        "close",
        "open",
        "read",
        "write",
        "run",
        "start",
        "stop",
    ]
)


@dataclass(frozen=True, kw_only=True)
class CallSite:
    """A place that uses a changed name. `breaks` says why it fails at head, '' when it does not.

    `certain` is false when only the method's name gives the caller away. `cell` counts from 1 in notebooks.
    """

    path: str
    line: int
    code: str
    breaks: str
    certain: bool
    cell: int | None = None


def callers_of(change: SignatureChange, path: str, tree: Tree, index: ModuleIndex) -> tuple[CallSite, ...]:
    """Return every use of the changed name in the tree at head, notebooks included."""
    word = change.name.rsplit(".", 1)[-1]
    targets = frozenset(f"{name}.{change.name}" for name in index.names(path))
    sources = {name: source for name, source in tree.texts(".py").items() if word in source}
    modules = {name: module for name in sources if (module := index.module(name)) is not None}
    unique = word not in _COMMON and sum(_methods(module, word) for module in modules.values()) <= 1
    sites: list[CallSite] = []
    for name, module in modules.items():
        own = index.names(name)[0] if index.names(name) else ""
        view = _View(index, module, index.package(name), own, unique)
        sites += _sites(change, targets, view, name, sources[name])
    for name, raw in tree.texts(".ipynb").items():
        book = read_notebook(raw) if word in raw else None
        if book is not None and not book.problem:
            sites += _in_notebook(change, targets, index, name, book, unique)
    return tuple(sites)


def _methods(module: ast.Module, word: str) -> int:
    """Count the classes of a module that define a method called `word`."""
    classes = (node for node in ast.walk(module) if isinstance(node, ast.ClassDef))
    return sum(
        any(isinstance(part, FUNCTION) and part.name == word for part in node.body) for node in classes
    )


@dataclass(frozen=True)
class _View:
    """One source, and what its names mean."""

    index: ModuleIndex
    module: ast.Module
    package: str
    own_name: str
    unique: bool

    def meanings(self) -> dict[str, str]:
        """Return the dotted meaning of imported and of own top-level names."""
        own = {
            node.name: f"{self.own_name}.{node.name}"
            for node in self.module.body
            if isinstance(node, (*FUNCTION, ast.ClassDef)) and self.own_name
        }
        return {**own, **bindings(self.module, self.package)}


def _in_notebook(
    change: SignatureChange,
    targets: frozenset[str],
    index: ModuleIndex,
    name: str,
    book: Notebook,
    unique: bool,
) -> Iterator[CallSite]:
    """Read the code cells as one module, since imports of one serve the next."""
    owners: list[tuple[int, int]] = []
    lines: list[str] = []
    for number, source in book.code_cells:
        for offset, line in enumerate(source.split("\n"), start=1):
            owners.append((number, offset))
            lines.append(line)
    text = "\n".join(lines)
    module = parse(text, name)
    if module is None:
        return
    for site in _sites(change, targets, _View(index, module, "", "", unique), name, text):
        cell, row = owners[min(site.line, len(owners)) - 1]
        yield CallSite(
            path=site.path, line=row, code=site.code, breaks=site.breaks, certain=site.certain, cell=cell
        )


def _sites(
    change: SignatureChange, targets: frozenset[str], view: _View, path: str, source: str
) -> Iterator[CallSite]:
    meanings = view.meanings()
    lines = source.split("\n")
    for node in ast.walk(view.module):
        if isinstance(node, ast.Call):
            certain = _is_call_of(change, targets, node, meanings, view)
            if certain is not None:
                code = shortened(ast.get_source_segment(source, node) or lines[node.lineno - 1].strip(), 400)
                breaks = why_it_breaks(change, node)
                yield CallSite(path=path, line=node.lineno, code=code, breaks=breaks, certain=certain)
        elif isinstance(node, ast.ImportFrom) and change.after is None:
            gone = targets & {meanings.get(alias.asname or alias.name) for alias in node.names}
            if gone:
                why = f"{change.name!r} cannot be imported any more"
                code = shortened(ast.unparse(node), 400)
                yield CallSite(path=path, line=node.lineno, code=code, breaks=why, certain=True)


def _is_call_of(
    change: SignatureChange, targets: frozenset[str], call: ast.Call, meanings: dict[str, str], view: _View
) -> bool | None:
    """Return None for another function's call, else whether it is certainly one of the changed function.

    A method called on an object is only known by its name, which counts when no other class has it.
    """
    meaning = _meaning(call.func, meanings, view)
    if meaning in targets:
        return change.before.certain and (change.after is None or change.after.certain)
    word = change.name.rsplit(".", 1)[-1]
    by_name = "." in change.name and isinstance(call.func, ast.Attribute) and call.func.attr == word
    return False if by_name and not meaning and view.unique else None


def _meaning(function: ast.expr, meanings: dict[str, str], view: _View) -> str:
    """Return the dotted name a call goes to, as far as imports tell; '' when they do not."""
    parts: list[str] = []
    node = function
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in meanings:
        return ""
    return view.index.origin(".".join([meanings[node.id], *parts]))


def why_it_breaks(change: SignatureChange, call: ast.Call) -> str:
    """Return why a call that fitted at base does not fit at head, or ''.

    Calls with ``*`` or ``**`` are not judged.
    """
    if change.after is None:
        return f"{change.name!r} is gone"
    stars = any(isinstance(item, ast.Starred) for item in call.args)
    if stars or any(keyword.arg is None for keyword in call.keywords):
        return ""
    positional = [object() for _ in call.args]
    named = {keyword.arg: object() for keyword in call.keywords if keyword.arg}
    try:
        before = change.before.call.bind(*positional, **named)
    except TypeError:
        return ""  # it never fitted: not this change's doing
    try:
        after = change.after.call.bind(*positional, **named)
    except TypeError as error:
        return str(error)
    return _other_meaning(before, after, positional)


def _other_meaning(
    before: inspect.BoundArguments, after: inspect.BoundArguments, positional: list[object]
) -> str:
    """Return which argument lands in another parameter than before, or ''; renamed ones keep their place."""

    def places(bound: inspect.BoundArguments) -> dict[int, str]:
        return {id(value): name for name, value in bound.arguments.items()}

    old, new = places(before), places(after)
    for number, argument in enumerate(positional, start=1):
        was, now = old.get(id(argument)), new.get(id(argument))
        if (
            was
            and now
            and was != now
            and (was in after.signature.parameters or now in before.signature.parameters)
        ):
            return f"argument {number} was {was!r} and is {now!r} now"
    return ""
