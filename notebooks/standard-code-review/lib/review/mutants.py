"""Mutants: small wrong versions of changed lines. A test suite that notices none of them checks little."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from review.symbols import parse
from review.values import shortened

_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
}
ORDER = ("comparison", "guard", "boolean", "arithmetic", "return", "constant", "deletion")
"""What a budget is spent on first: what tests miss most often and readers overlook most easily."""
_TALK = re.compile(r"\b(log|logger|logging|print|warnings?)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One changed place: `before` and `after` are the whole line, `source` the whole changed module."""

    kind: str
    line: int
    before: str
    after: str
    what: str
    source: str


@dataclass(frozen=True, kw_only=True)
class _Edit:
    """Replace the bytes from `start` to `end` (line from 1, column in UTF-8 bytes) by `text`."""

    kind: str
    what: str
    start: tuple[int, int]
    end: tuple[int, int]
    text: str


def mutants_of(source: str, lines: Collection[int]) -> tuple[Mutant, ...]:
    """Return every mutant whose first changed line is one of `lines`; none when the source does not parse."""
    module = parse(source)
    if module is None:
        return ()
    code = _Code(source)
    found: dict[str, Mutant] = {}
    for edit in _edits(module, code):
        if edit.start[0] in lines:
            mutant = code.mutant(edit)
            if mutant is not None and mutant.source not in found:
                found[mutant.source] = mutant
    return tuple(found.values())


def within_budget(mutants: tuple[Mutant, ...], most: int) -> tuple[Mutant, ...]:
    """Return at most `most` mutants: the most telling kinds first, every line once before any line twice."""
    ranked = sorted(mutants, key=lambda mutant: (ORDER.index(mutant.kind), mutant.line))
    seen: dict[int, int] = {}
    rounds = []
    for mutant in ranked:
        seen[mutant.line] = seen.get(mutant.line, 0) + 1
        rounds.append((seen[mutant.line], mutant))
    rounds.sort(key=lambda pair: pair[0])
    return tuple(mutant for _, mutant in rounds[:most])


class _Code:
    """A module's bytes, addressed as `ast` does."""

    def __init__(self, source: str) -> None:
        self.data = source.encode("utf-8")
        self.starts = [0]
        for line in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def offset(self, place: tuple[int, int]) -> int:
        return self.starts[place[0] - 1] + place[1]

    def between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        return self.data[self.offset(start) : self.offset(end)].decode("utf-8")

    def mutant(self, edit: _Edit) -> Mutant | None:
        """Apply an edit; None when what comes out is no other valid module."""
        changed = (
            self.data[: self.offset(edit.start)] + edit.text.encode() + self.data[self.offset(edit.end) :]
        )
        source = changed.decode("utf-8")
        module = parse(source)
        if changed == self.data or module is None:
            return None
        before, after = (_line(text, edit.start[0]) for text in (self.data.decode("utf-8"), source))
        return Mutant(
            kind=edit.kind, line=edit.start[0], before=before, after=after, what=edit.what, source=source
        )


def _line(source: str, number: int) -> str:
    lines = source.splitlines()
    return lines[number - 1].rstrip() if number <= len(lines) else ""


def _start(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def _edits(module: ast.Module, code: _Code) -> Iterator[_Edit]:
    for node in _mutable(module):
        if isinstance(node, ast.Compare):
            yield from _comparisons(node, code)
        elif isinstance(node, ast.BoolOp):
            yield from _booleans(node, code)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            old, new = _ARITHMETIC[type(node.op)]
            yield from _operator("arithmetic", node.left, node.right, old, new, code)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield _Edit(
                kind="boolean", what="'not' removed", start=_start(node), end=_start(node.operand), text=""
            )
        elif isinstance(node, ast.Constant):
            yield from _constants(node)
        elif isinstance(node, ast.stmt):
            yield from _statements(node, code)


def _mutable(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes worth changing; annotations, decorators, f-strings and docstrings are not."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "keywords") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr) or _is_guarded(child):
                continue
            yield child
            yield from _mutable(child)


def _is_guarded(node: ast.AST) -> bool:
    """Whether a node is what tests never see: a docstring, or a block for scripts and type checkers."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if not isinstance(node, ast.If):
        return False
    test = ast.unparse(node.test)
    return "__name__" in test or "TYPE_CHECKING" in test


def _operator(kind: str, left: ast.expr, right: ast.expr, old: str, new: str, code: _Code) -> Iterator[_Edit]:
    """Yield the edit that replaces the operator written between two operands."""
    gap = code.between(_end(left), _start(right))
    pattern = r"\b" + old.replace(" ", r"\s+") + r"\b" if old[0].isalpha() else re.escape(old)
    match = re.search(pattern, gap)
    if match is not None and "#" not in gap[: match.start()]:
        before = gap[: match.start()]
        line = _end(left)[0] + before.count("\n")
        tail = before.rsplit("\n", 1)[-1].encode()
        column = len(tail) + (_end(left)[1] if "\n" not in before else 0)
        end = (line, column + len(match[0].encode()))
        yield _Edit(kind=kind, what=f"'{old}' became '{new}'", start=(line, column), end=end, text=new)


def _comparisons(node: ast.Compare, code: _Code) -> Iterator[_Edit]:
    operands = [node.left, *node.comparators]
    for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
        old, new = _COMPARISONS[type(operator)]
        yield from _operator("comparison", left, right, old, new, code)


def _booleans(node: ast.BoolOp, code: _Code) -> Iterator[_Edit]:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in zip(node.values, node.values[1:], strict=False):
        yield from _operator("boolean", left, right, old, new, code)


def _constants(node: ast.Constant) -> Iterator[_Edit]:
    value = node.value
    if isinstance(value, bool):
        yield _edit_of(node, "constant", f"{value} became {not value}", str(not value))
    elif isinstance(value, int | float) and value == value and abs(value) < 1e15:
        yield _edit_of(node, "constant", f"{value} became {value + 1}", repr(value + 1))


def _edit_of(node: ast.expr | ast.stmt, kind: str, what: str, text: str) -> _Edit:
    return _Edit(kind=kind, what=what, start=_start(node), end=_end(node), text=text)


def _statements(node: ast.stmt, code: _Code) -> Iterator[_Edit]:
    if isinstance(node, ast.If) and isinstance(
        node.body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break
    ):
        yield _edit_of(node.test, "guard", "the guard never applies", "False")
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield _edit_of(node.value, "return", "None is returned", "None")
    elif isinstance(node, ast.Expr | ast.AugAssign):
        text = code.between(_start(node), _end(node))
        if not _TALK.search(text) and not isinstance(getattr(node, "value", None), ast.Yield | ast.YieldFrom):
            yield _edit_of(node, "deletion", f"deleted: {shortened(text, 60)}", "pass")
