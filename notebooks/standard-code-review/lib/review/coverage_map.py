"""Which tests execute which lines, as `testing` measured it and the reviews of single files use it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from review.interpreters import Interpreter
from review.suites import Suite
from review.symbols import parse
from review.values import Json, mapping, strings, text, wholes

_TESTS_PER_FILE = 500


@dataclass(frozen=True, kw_only=True)
class FileCoverage:
    """The executed lines of a file, and the tests (by index in `tests`) that executed each line."""

    executed: frozenset[int]
    tests: tuple[str, ...]
    by_line: Mapping[int, tuple[int, ...]]

    def tests_of(self, line: int) -> tuple[str, ...]:
        """Return the tests that execute `line`; of a line that runs at import, all that touch the file."""
        indexes = self.by_line.get(line, ())
        return tuple(self.tests[index] for index in indexes) or self.tests

    def as_json(self) -> dict[str, Json]:
        """Return the coverage of the file as JSON."""
        by_line = {str(line): list(indexes) for line, indexes in self.by_line.items()}
        return {"executed": sorted(self.executed), "tests": list(self.tests), "by_line": by_line}

    @classmethod
    def from_json(cls, data: Json) -> FileCoverage:
        """Read what `as_json` wrote."""
        given = mapping(data, "coverage of a file")
        by_line = mapping(given.get("by_line") or {})
        return cls(
            executed=frozenset(wholes(given.get("executed"))),
            tests=strings(given.get("tests")),
            by_line={int(line): wholes(indexes) for line, indexes in by_line.items()},
        )


@dataclass(frozen=True, kw_only=True)
class CoverageMap:
    """Coverage of the changed modules at head, and how the tests were started."""

    suite: Suite
    files: Mapping[str, FileCoverage]

    def as_json(self) -> dict[str, Json]:
        """Return the map as JSON."""
        return {
            "kind": self.suite.kind,
            "arguments": list(self.suite.arguments),
            "python": self.suite.interpreter.executable,
            "modules": sorted(self.suite.interpreter.modules),
            "files": {path: file.as_json() for path, file in self.files.items()},
        }

    @classmethod
    def from_json(cls, data: Json) -> CoverageMap:
        """Read what `as_json` wrote; raise `BadData` when it is something else."""
        given = mapping(data, "coverage")
        interpreter = Interpreter(
            executable=text(given.get("python")), modules=frozenset(strings(given.get("modules")))
        )
        suite = Suite(
            kind=text(given.get("kind")), interpreter=interpreter, arguments=strings(given.get("arguments"))
        )
        files = mapping(given.get("files") or {}, "files")
        return cls(suite=suite, files={path: FileCoverage.from_json(file) for path, file in files.items()})


def read_coverage(
    data_file: Path, suite: Suite, paths: Iterable[str], failing: frozenset[str]
) -> CoverageMap | None:
    """Read coverage's data for `paths`; None when coverage is not installed here or cannot read the file.

    The `failing` tests are left out of the tests of a line: they cannot tell a mutant from the original.
    """
    try:
        from coverage import CoverageData, CoverageException
    except ImportError:
        return None
    try:
        data = CoverageData(basename=str(data_file))
        data.read()
        files = {
            path: _file(data.lines(path) or [], data.contexts_by_lineno(path), failing) for path in paths
        }
    except CoverageException:
        return None
    return CoverageMap(suite=suite, files=files)


def _file(
    executed: Iterable[int], contexts: Mapping[int, list[str]], failing: frozenset[str]
) -> FileCoverage:
    every = {name for found in contexts.values() for name in found if name}
    names = sorted(every - failing)[:_TESTS_PER_FILE]
    index = {name: number for number, name in enumerate(names)}
    by_line = {
        line: tuple(sorted(index[name] for name in found if name in index))
        for line, found in contexts.items()
        if any(name in index for name in found)
    }
    return FileCoverage(executed=frozenset(executed), tests=tuple(names), by_line=by_line)


def statement_lines(source: str) -> dict[int, int]:
    """Map every line of a statement to the line coverage counts it by: the statement's first.

    Docstrings and what is marked ``pragma: no cover`` are left out. Empty when the source does not parse.
    """
    module = parse(source)
    if module is None:
        return {}
    lines = source.split("\n")
    found: dict[int, int] = {}

    def excluded(node: ast.stmt) -> bool:
        return "pragma: no cover" in lines[node.lineno - 1]

    def walk(statements: Iterable[ast.stmt]) -> None:
        for node in statements:
            if excluded(node) or _is_docstring(node):
                continue
            inner = [part for part in ast.walk(node) if isinstance(part, ast.stmt) and part is not node]
            end = min([part.lineno - 1 for part in inner], default=node.end_lineno or node.lineno)
            found.update(dict.fromkeys(range(node.lineno, max(end, node.lineno) + 1), node.lineno))
            for body in ("body", "orelse", "finalbody", "handlers", "cases"):
                for part in getattr(node, body, ()):
                    walk([part] if isinstance(part, ast.stmt) else part.body)

    walk(module.body)
    return found


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
