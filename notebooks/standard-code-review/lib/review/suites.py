"""Run a project's own tests once, in a copy of one of its trees."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.interpreters import PROBES, Interpreter
from review.process import Finished, execute
from review.trees import Tree
from review.values import Json, number, text

PYTEST, UNITTEST, COMMAND = "pytest", "unittest", "command"
_NO_TESTS, _USAGE_ERROR = 5, 4
TEST_FILE = re.compile(r"(^|/)(test[^/]*|[^/]*_test)\.py$")
_NEEDS_PYTEST = re.compile(r"^\s*(import|from) pytest|^(async )?def test_", re.MULTILINE)
_COVERAGE_SETTINGS = """\
[run]
source = .
relative_files = True
disable_warnings = no-data-collected, module-not-imported, couldnt-parse, no-sysmon
"""


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """One test's end: ``passed``, ``failed``, ``error`` or ``skipped``."""

    __test__ = False
    test: str
    outcome: str
    sec: float = 0.0
    message: str = ""

    @property
    def bad(self) -> bool:
        """Whether the test failed or could not run."""
        return self.outcome in ("failed", "error")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """How the tests are started: with pytest, unittest, or a command of the project's own."""

    kind: str
    interpreter: Interpreter
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What a reader would type."""
        return {PYTEST: "python -m pytest", UNITTEST: "python -m unittest"}.get(
            self.kind, shlex.join(self.command)
        )


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """The tests of one tree. `problem` says why results are missing, '' when none are."""

    results: Mapping[str, TestResult]
    duration_sec: float
    problem: str = ""

    def tally(self) -> dict[str, int]:
        """Return how many tests there are of each outcome."""
        tally = dict.fromkeys(("passed", "failed", "error", "skipped"), 0)
        for result in self.results.values():
            tally[result.outcome] = tally.get(result.outcome, 0) + 1
        return tally


def choose_suite(command: str, interpreter: Interpreter, tree: Tree) -> Suite:
    """Choose how to start the tests: as the reviewer says, else unittest where that does, else pytest."""
    words = tuple(shlex.split(command))
    if words[:1] == ("pytest",):
        return Suite(kind=PYTEST, interpreter=interpreter, arguments=words[1:])
    if words[1:3] == ("-m", "pytest"):
        return Suite(kind=PYTEST, interpreter=interpreter, arguments=words[3:])
    if words[1:] == ("-m", "unittest"):
        return Suite(kind=UNITTEST, interpreter=interpreter)
    if words:
        return Suite(kind=COMMAND, interpreter=interpreter, command=words)
    return Suite(kind=UNITTEST if _unittest_is_enough(tree) else PYTEST, interpreter=interpreter)


def _unittest_is_enough(tree: Tree) -> bool:
    """Whether every test is a `unittest.TestCase` that discovery finds; unittest starts ten times as fast."""
    names = {path.rsplit("/", 1)[-1] for path in tree.paths}
    settings = any("[tool.pytest" in tree.text(name) for name in ("pyproject.toml", "setup.cfg"))
    if settings or names & {"conftest.py", "pytest.ini", "tox.ini"}:
        return False
    tests = {path: text for path, text in tree.texts(".py").items() if TEST_FILE.search(path)}
    return bool(tests) and all(
        "unittest" in text and not _NEEDS_PYTEST.search(text) and _is_discovered(path, tree)
        for path, text in tests.items()
    )


def _is_discovered(path: str, tree: Tree) -> bool:
    folders = path.split("/")[:-1]
    packages = ("/".join([*folders[:depth], "__init__.py"]) for depth in range(1, len(folders) + 1))
    return path.rsplit("/", 1)[-1].startswith("test") and all(package in tree.paths for package in packages)


def run_suite(
    suite: Suite,
    tree: Path,
    scratch: Path,
    *,
    sec: float,
    only: Sequence[str] = (),
    coverage_data: Path | None = None,
) -> SuiteRun:
    """Run the tests (all, or those of `only`) in `tree` for at most `sec` and return what became of each.

    With `coverage_data` the executed lines are written there, each with the tests that executed it.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    results = scratch / "results.jsonl"
    results.unlink(missing_ok=True)
    extra = {"CHATFLOW_REVIEW_RESULTS": str(results), "PYTHONDONTWRITEBYTECODE": "1"}
    if suite.kind == COMMAND:
        extra["PYTEST_PLUGINS"] = "chatflow_review_probe"
    environment = suite.interpreter.environment(scratch / "home", tree, extra)

    def once(more: Sequence[str]) -> Finished:
        argv = _argv(suite, scratch, [*more, *only], coverage_data)
        return execute(argv, cwd=tree, timeout_sec=sec, environment=environment, limit_bytes=1 << 20)

    done = once(suite.arguments)
    if suite.kind == PYTEST and done.exit_code == _USAGE_ERROR:
        done = once(
            [*suite.arguments, "-o", "addopts="]
        )  # addopts may name plugins that are not installed here
    found = _read(results)
    if not found and suite.kind == COMMAND and done.exit_code is not None:
        outcome = "passed" if done.exit_code == 0 else "failed"
        found = {suite.label: TestResult(test=suite.label, outcome=outcome, message=done.last_words)}
    return SuiteRun(results=found, duration_sec=done.duration_sec, problem=_problem(suite, done, found, sec))


def _argv(suite: Suite, scratch: Path, more: Sequence[str], coverage_data: Path | None) -> list[str]:
    if suite.kind == COMMAND:
        return list(suite.command)
    start = [suite.interpreter.executable]
    if coverage_data is not None:
        settings = scratch / "coverage.ini"
        settings.write_text(_COVERAGE_SETTINGS, encoding="utf-8")
        start += ["-m", "coverage", "run", f"--rcfile={settings}", f"--data-file={coverage_data}"]
    if suite.kind == UNITTEST:
        return [*start, str(PROBES / "chatflow_review_unittest.py"), *more]
    flags = ["-q", "--tb=short", "--color=no", "-p", "chatflow_review_probe", "-p", "no:cacheprovider"]
    return [*start, "-m", "pytest", *flags, *more]


def _read(results: Path) -> dict[str, TestResult]:
    found: dict[str, TestResult] = {}
    if not results.is_file():
        return found
    for line in results.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record: dict[str, Json] = json.loads(line)
        except ValueError:
            continue  # the last line of a process that was killed
        name, outcome = text(record.get("test")), text(record.get("outcome"))
        found[name] = TestResult(
            test=name, outcome=outcome, sec=number(record.get("sec")), message=text(record.get("message"))
        )
    return found


def _problem(suite: Suite, done: Finished, found: Mapping[str, TestResult], sec: float) -> str:
    if done.timed_out:
        return f"the tests were stopped at the time limit of {sec:.0f} s, after {len(found)} test(s)"
    if done.exit_code == _NO_TESTS and not found:
        return f"{suite.label} found no tests"
    if not found:
        said = done.last_words.splitlines()[-1:] or [f"status {done.exit_code}"]
        return f"{suite.label} did not start: {said[0]}"
    return ""
