"""A company's rules about notebooks, looked at before each attempt: ask people, or deny it.

It reads the notebook as text and never runs any of it.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chatflow_jupyter.domain.hooks import Allow, Ask, AttemptAhead, Deny

from .options import Options

KNOWN = (
    "action",
    "first_cell_markdown",
    "allow_shell",
    "max_cell_lines",
    "forbidden_imports",
    "wanted_tags",
)
MAX_NAMED = 5
MAX_REASON = 900
_SHELL = re.compile(r"\s*(!|%{1,2}(?:pip|conda|sh|bash|system|sx|script)\b|%%cmd\b)")


@dataclass(frozen=True, kw_only=True)
class Breach:
    """One rule that a notebook breaks, and where: cells and lines count from 1."""

    rule: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.cell is None else f"cell {self.cell}"
        place += "" if self.line is None else f" line {self.line}"
        return f"{place}: {self.rule}" if place else self.rule


class StylePolicy:
    """A `PreExecutionHook`. What it wants comes from its options; without any it minds shell lines only."""

    def __init__(self, options: Mapping[str, object]) -> None:
        """Take the options; raises `ValueError` naming one that is wrong."""
        given = Options(options, KNOWN)
        self._action = given.choice("action", "ask", "deny")
        self._first_cell_markdown = given.flag("first_cell_markdown", default=False)
        self._allow_shell = given.flag("allow_shell", default=False)
        self._max_cell_lines = given.number("max_cell_lines", 0)
        self._forbidden = frozenset(given.texts("forbidden_imports"))
        self._wanted_tags = given.texts("wanted_tags")

    def before(self, attempt: AttemptAhead) -> Allow | Ask | Deny:
        """Allow what breaks no rule; name up to five breaches of the others."""
        breaches = list(self._breaches(attempt.content))
        if not breaches:
            return Allow()
        named = "; ".join(map(str, breaches[:MAX_NAMED]))[:MAX_REASON]
        more = f"; and {len(breaches) - MAX_NAMED} more" if len(breaches) > MAX_NAMED else ""
        reason = f"{attempt.notebook}: {named}{more}"[:1000]
        return Deny(reason=reason) if self._action == "deny" else Ask(reason=reason)

    def _breaches(self, content: bytes) -> Iterator[Breach]:
        cells = _cells_of(content)
        if self._first_cell_markdown and not (cells and cells[0].get("cell_type") == "markdown"):
            yield Breach(rule="the first cell must say in Markdown what the notebook does", cell=1)
        tags = {tag for cell in cells for tag in _tags_of(cell)}
        for tag in self._wanted_tags:
            if tag not in tags:
                yield Breach(rule=f"no cell has the tag {tag}")
        for number, cell in enumerate(cells, 1):
            if cell.get("cell_type") == "code":
                yield from self._in_code(number, _source_of(cell))

    def _in_code(self, cell: int, source: str) -> Iterator[Breach]:
        lines = source.splitlines()
        if self._max_cell_lines and len(lines) > self._max_cell_lines:
            rule = f"{len(lines)} lines are more than {self._max_cell_lines}"
            yield Breach(rule=rule, cell=cell)
        shell = [number for number, line in enumerate(lines, 1) if _SHELL.match(line)]
        if not self._allow_shell:
            for number in shell:
                yield Breach(rule="it calls a shell or installs something", cell=cell, line=number)
        if self._forbidden:
            for line, name in _imports_of(source):
                if name.split(".")[0] in self._forbidden or name in self._forbidden:
                    yield Breach(rule=f"imports {name}", cell=cell, line=line)


def _cells_of(content: bytes) -> Sequence[Mapping[str, object]]:
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()  # what is no notebook fails by itself
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else ()


def _source_of(cell: Mapping[str, object]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _tags_of(cell: Mapping[str, object]) -> Sequence[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else ()


def _imports_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import; what is no Python, magics apart, is read line by line."""
    lines = source.split("\n")
    python = "\n".join("pass" if line.lstrip().startswith(("!", "%")) else line for line in lines)
    try:
        tree = ast.parse(python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        for number, line in enumerate(lines, 1):
            found = re.match(r"\s*(?:from|import)\s+([\w.]+)", line)
            if found:
                yield number, found[1]
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
