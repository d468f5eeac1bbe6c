"""Phase `testing`: the project's own tests at base and at head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from review.changes import Changes
from review.coverage_map import CoverageMap, read_coverage
from review.findings import Finding, NotAssessed
from review.interpreters import choose
from review.neutral import neutral
from review.options import Options
from review.process import MissingProgram
from review.reports import PhaseReport
from review.suites import COMMAND, TEST_FILE, Suite, SuiteRun, TestResult, choose_suite, run_suite
from review.trees import Tree
from review.values import Json, shortened

RERUNS = 2
_LISTED = 50
NOT_ALLOWED = "the code of the target runs only with execute=true"
_WHAT = "tests at base and head"


@dataclass(frozen=True, kw_only=True)
class Testing:
    """The report of the phase, and what the tests of head executed, when that is known."""

    report: PhaseReport
    coverage: CoverageMap | None = None
    duration_sec: float = 0.0


def run_tests(changes: Changes, base: Tree, head: Tree, options: Options, scratch: Path) -> Testing:
    """Run the tests in copies of both trees and compare them, test by test.

    Nothing runs unless `options.execute`; what could not be run is not assessed, with the reason.
    """
    reason = _why_not(changes, head, options)
    if reason:
        return Testing(report=PhaseReport(not_assessed=(NotAssessed(what=_WHAT, reason=reason),)))
    try:
        interpreter = choose(options, scratch / "interpreter")
    except MissingProgram as error:
        return Testing(report=PhaseReport(not_assessed=(NotAssessed(what=_WHAT, reason=str(error)),)))
    suite = choose_suite(options.test_command, interpreter, head)
    after_tree = head.extract(scratch / "head")
    measured = suite.kind != COMMAND and "coverage" in interpreter.modules
    data = scratch / "coverage.data" if measured else None
    after = run_suite(suite, after_tree, scratch / "at-head", sec=options.test_sec, coverage_data=data)
    before = SuiteRun(results={}, duration_sec=0.0)
    if changes.has_base:
        before_tree = base.extract(scratch / "base")
        before = run_suite(suite, before_tree, scratch / "at-base", sec=options.test_sec)
    flaky = _flaky(suite, after_tree, scratch, options, _newly_failing(changes, before, after))
    after, before = _neutral(after, scratch), _neutral(before, scratch)
    coverage = None
    if data is not None and data.exists():
        modules = [file.path for file in changes.modules if not file.is_test]
        failing = frozenset(name for name, result in after.results.items() if result.bad)
        coverage = read_coverage(data, suite, modules, failing)
    report = _report(changes, suite, before, after, flaky, measured)
    duration_sec = before.duration_sec + after.duration_sec
    return Testing(report=report, coverage=coverage, duration_sec=duration_sec)


def _neutral(run: SuiteRun, scratch: Path) -> SuiteRun:
    folders = [scratch / "head", scratch / "base", scratch]
    results = {
        name: replace(result, message=neutral(result.message, *folders))
        for name, result in run.results.items()
    }
    return replace(run, results=results, problem=neutral(run.problem, *folders))


def _why_not(changes: Changes, head: Tree, options: Options) -> str:
    if not options.execute:
        return NOT_ALLOWED
    if changes.mode == "diff":
        return "a .diff has no tree to run tests in"
    if not options.test_command and not any(TEST_FILE.search(path) for path in head.paths):
        return "there are no tests: no file is called test_….py or …_test.py"
    return ""


def _newly_failing(changes: Changes, before: SuiteRun, after: SuiteRun) -> list[TestResult]:
    """Return the tests that are bad at head and were not bad at base; without a base, all that are bad."""

    def was_bad(name: str) -> bool:
        earlier = before.results.get(name)
        return changes.has_base and earlier is not None and earlier.bad

    return [result for name, result in sorted(after.results.items()) if result.bad and not was_bad(name)]


def _flaky(
    suite: Suite, tree: Path, scratch: Path, options: Options, failing: list[TestResult]
) -> frozenset[str]:
    """Run the newly failing tests again, up to twice; return those that pass at least once."""
    if suite.kind == COMMAND or not failing:
        return frozenset()
    left = [result.test for result in failing][:_LISTED]
    passed: set[str] = set()
    for number in range(RERUNS):
        if left:
            again = run_suite(suite, tree, scratch / f"again-{number}", sec=options.test_sec / 4, only=left)
            passed |= {name for name in left if name in again.results and not again.results[name].bad}
            left = [name for name in left if name not in passed]
    return frozenset(passed)


def _report(
    changes: Changes, suite: Suite, before: SuiteRun, after: SuiteRun, flaky: frozenset[str], measured: bool
) -> PhaseReport:
    failing = _newly_failing(changes, before, after)
    broken = [result for result in failing if result.test not in flaky]
    both = sorted(
        name for name, result in before.results.items() if result.bad and _ended(after, name, bad=True)
    )
    sides = (("base", before), ("head", after)) if changes.has_base else (("head", after),)
    problems = {side: _problem(side, before, after, changes) for side, _ in sides}
    missing = [
        NotAssessed(what=f"tests at {side}", reason=reason) for side, reason in problems.items() if reason
    ]
    if not measured:
        is_command = suite.kind == COMMAND
        why = "the tests run by a command" if is_command else "coverage is not installed for that Python"
        missing.append(NotAssessed(what="which lines the tests execute", reason=why))
    findings = [_broken(result, changes) for result in broken[:_LISTED]]
    findings += [_flaky_finding(after.results[name]) for name in sorted(flaky)]
    findings += [_note("still-failing", name, "fails at base and at head") for name in both[:_LISTED]]
    summary: dict[str, Json] = {
        "command": suite.label,
        "python": suite.interpreter.executable,
        "base": before.tally() if changes.has_base else None,
        "head": after.tally(),
        "newly_failing": [result.test for result in broken][:_LISTED],
        "flaky": sorted(flaky),
        "failing_at_both": both[:_LISTED],
        **_moves(changes, before, after),
    }
    return PhaseReport(
        findings=tuple(findings),
        assessed=tuple(f"tests at {side}" for side, run in sides if run.results and not problems[side]),
        not_assessed=tuple(missing),
        summary=summary,
    )


def _problem(side: str, before: SuiteRun, after: SuiteRun, changes: Changes) -> str:
    """Return why a side's tests tell nothing: cut short, or not one of them could begin, at base neither."""
    run = before if side == "base" else after
    if run.problem or not _none_began(run) or (changes.has_base and not _none_began(before)):
        return run.problem
    first = next(iter(run.results.values())).message.strip().splitlines()[-1:]
    return "; ".join([f"not one of the {len(run.results)} test(s) could begin", *first])


def _none_began(run: SuiteRun) -> bool:
    """Whether every test is an error, as when its module cannot be imported."""
    return bool(run.results) and all(result.outcome == "error" for result in run.results.values())


def _ended(run: SuiteRun, name: str, *, bad: bool) -> bool:
    result = run.results.get(name)
    return result is not None and (result.bad if bad else result.outcome == "passed")


def _moves(changes: Changes, before: SuiteRun, after: SuiteRun) -> dict[str, Json]:
    """Return the tests that pass again, are new, or are gone; a suite that was cut short loses none."""
    fixed = [name for name, result in before.results.items() if result.bad and _ended(after, name, bad=False)]
    gone = set(before.results) - set(after.results) if not after.problem else set()
    new = set(after.results) - set(before.results) if changes.has_base and not before.problem else set()
    moves = {"newly_passing": fixed, "gone": gone, "new": new}
    return {name: sorted(tests)[:_LISTED] for name, tests in moves.items()}


def _broken(result: TestResult, changes: Changes) -> Finding:
    title = f"{result.test} fails at head" + (" and does not at base" if changes.has_base else "")
    return Finding(
        severity="high" if changes.has_base else "medium",
        kind="test",
        rule="newly-failing" if changes.has_base else "failing",
        path=_path_of(result.test),
        title=shortened(title, 300),
        detail=f"It failed {1 + RERUNS} times out of {1 + RERUNS}.",
        evidence=result.message[-3000:],
        suggestion="Run this test on the branch.",
        source="testing",
        subject=result.test,
    )


def _flaky_finding(result: TestResult) -> Finding:
    return Finding(
        severity="medium",
        kind="test",
        rule="flaky",
        path=_path_of(result.test),
        title=shortened(f"{result.test} fails only sometimes at head", 300),
        detail="It failed once and passed when it was run again, alone, in the same copy.",
        evidence=result.message[-3000:],
        source="testing",
        subject=result.test,
    )


def _note(rule: str, test: str, what: str) -> Finding:
    title = shortened(f"{test} {what}", 300)
    return Finding(
        severity="note",
        kind="test",
        rule=rule,
        path=_path_of(test),
        title=title,
        source="testing",
        subject=test,
    )


def _path_of(test: str) -> str:
    """Return the file of a pytest node id; unittest's dotted names have none."""
    path = test.split("::", 1)[0]
    return path if path.endswith(".py") else ""


def counts(summary: Mapping[str, object]) -> dict[str, int]:
    """Return how many tests are newly failing, newly passing and flaky, for the phase's outcome."""
    lists = {name: summary.get(name) for name in ("newly_failing", "newly_passing", "flaky")}
    return {name: len(value) if isinstance(value, list) else 0 for name, value in lists.items()}
