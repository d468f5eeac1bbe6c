"""Public signatures of a module at base and at head, and what callers of the old one run into."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from review.symbols import parse

_DEFAULT = object()
_HARMLESS = frozenset(
    [
        "staticmethod",
        "classmethod",
        "abstractmethod",
        "cache",
        "lru_cache",
        "contextmanager",
        "asynccontextmanager",
        "final",
        "override",
    ]
)
_Kind = inspect.Parameter


@dataclass(frozen=True, kw_only=True)
class PublicSignature:
    """How a function, method or class is called; `certain` is false under decorators that may change it."""

    name: str
    line: int
    shown: str
    call: inspect.Signature
    certain: bool


@dataclass(frozen=True, kw_only=True)
class SignatureChange:
    """A public signature that old callers may trip over. `after` is None when the name is gone."""

    name: str
    line: int | None
    before: PublicSignature
    after: PublicSignature | None
    reasons: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The old and the new signature, as a diff."""
        after = "(gone)" if self.after is None else self.after.shown
        return f"- {self.before.shown}\n+ {after}"


def breaking_changes(base_source: str, head_source: str) -> tuple[SignatureChange, ...]:
    """Compare the public signatures of a module; none when either side does not parse."""
    base, head = parse(base_source), parse(head_source)
    if base is None or head is None:
        return ()
    old, new = (dict(_public(module.body, "")) for module in (base, head))
    kept = {
        alias.asname or alias.name
        for node in ast.walk(head)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    changes = []
    for name, before in old.items():
        after = new.get(name)
        if after is None and name in kept:
            continue  # moved to another module and imported back: callers do not notice
        reasons = ("removed",) if after is None else tuple(_reasons(before.call, after.call))
        if reasons:
            line = after.line if after else None
            changes.append(SignatureChange(name=name, line=line, before=before, after=after, reasons=reasons))
    return tuple(changes)


def _public(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, PublicSignature]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if not _decorators(node) & {"property", "cached_property", "setter", "overload"}:
                yield f"{prefix}{node.name}", _of_function(node, f"{prefix}{node.name}", method=bool(prefix))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            constructor = _constructor(node)
            if constructor is not None:
                yield f"{prefix}{node.name}", constructor
            yield from _public(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _public(node.body, prefix)


def _constructor(node: ast.ClassDef) -> PublicSignature | None:
    """Return how a class is called: by its ``__init__``, or by the fields of a dataclass."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return _of_function(part, node.name, method=True)
    if "dataclass" not in _decorators(node):
        return None
    keywords_only = any("kw_only=True" in ast.unparse(item) for item in node.decorator_list)
    kind = _Kind.KEYWORD_ONLY if keywords_only else _Kind.POSITIONAL_OR_KEYWORD
    fields = [
        _Kind(part.target.id, kind, default=_Kind.empty if part.value is None else _DEFAULT)
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and not _is_class_variable(part)
    ]
    try:
        call = inspect.Signature(fields)
    except ValueError:
        return None
    shown = f"class {node.name}({', '.join(_shown(field) for field in fields)})"
    return PublicSignature(name=node.name, line=node.lineno, shown=shown, call=call, certain=not node.bases)


def _is_class_variable(part: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(part.annotation)


def _shown(field: inspect.Parameter) -> str:
    return field.name if field.default is _Kind.empty else f"{field.name}=…"


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, *, method: bool) -> PublicSignature:
    decorators = _decorators(node)
    parameters = list(_parameters(node.args))
    if method and "staticmethod" not in decorators and parameters:
        parameters = parameters[1:]
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return PublicSignature(
        name=name,
        line=node.lineno,
        shown=f"{word} {node.name}({ast.unparse(node.args)})",
        call=inspect.Signature(parameters),
        certain=decorators <= _HARMLESS,
    )


def _parameters(arguments: ast.arguments) -> Iterator[inspect.Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    for index, argument in enumerate(positional):
        only = index < len(arguments.posonlyargs)
        kind = _Kind.POSITIONAL_ONLY if only else _Kind.POSITIONAL_OR_KEYWORD
        yield _Kind(argument.arg, kind, default=_DEFAULT if index >= first_default else _Kind.empty)
    if arguments.vararg:
        yield _Kind(arguments.vararg.arg, _Kind.VAR_POSITIONAL)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _Kind(argument.arg, _Kind.KEYWORD_ONLY, default=_Kind.empty if default is None else _DEFAULT)
    if arguments.kwarg:
        yield _Kind(arguments.kwarg.arg, _Kind.VAR_KEYWORD)


def _decorators(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> frozenset[str]:
    """Return the last word of each decorator: ``dataclass`` of ``@dataclasses.dataclass(frozen=True)``."""
    names = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    return frozenset(ast.unparse(name).rsplit(".", 1)[-1] for name in names)


def _reasons(before: inspect.Signature, after: inspect.Signature) -> Iterator[str]:
    """Yield what an old caller may run into, in words."""
    old, new = before.parameters, after.parameters
    takes_any = any(parameter.kind is _Kind.VAR_KEYWORD for parameter in new.values())
    old_order, new_order = ([name for name, p in side.items() if _by_position(p)] for side in (old, new))
    for name, parameter in old.items():
        if name not in new:
            place = old_order.index(name) if name in old_order else -1
            moved = 0 <= place < len(new_order) and new_order[place] not in old
            if moved:
                yield f"parameter {name!r} is now called {new_order[place]!r}"
            elif not takes_any or _by_position(parameter):
                yield f"parameter {name!r} is gone"
        elif parameter.kind is not new[name].kind and _by_position(parameter) and not _by_position(new[name]):
            yield f"parameter {name!r} has to be given by name"
        elif (
            parameter.default is not _Kind.empty and new[name].default is _Kind.empty and _is_named(parameter)
        ):
            yield f"parameter {name!r} has no default any more"
    for name, parameter in new.items():
        if name not in old and parameter.default is _Kind.empty and _is_named(parameter):
            yield f"new parameter {name!r} has to be given"
    common = [name for name in old_order if name in new_order]
    if common != [name for name in new_order if name in old_order]:
        yield "the parameters have another order"
    elif any(new_order.index(name) != old_order.index(name) for name in common):
        yield "a parameter was put in front of others"


def _by_position(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)


def _is_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)
