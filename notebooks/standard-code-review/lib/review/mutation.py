"""Try mutants against the tests that execute the mutated line, in a copy, within a budget."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.coverage_map import CoverageMap, statement_lines
from review.interpreters import PROBES
from review.mutants import Mutant, mutants_of, within_budget
from review.process import execute
from review.suites import COMMAND, PYTEST
from review.trees import Tree
from review.values import Json, text

SURVIVED, KILLED, TIMEOUT = "survived", "killed", "timeout"
_TESTS_PER_MUTANT = 200
_SEC_PER_MUTANT = 60.0


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """Which mutants were tried and what became of each. `problem` says why some or all were not."""

    tried: tuple[tuple[Mutant, str], ...] = ()
    possible: int = 0
    problem: str = ""

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        """The mutants no test noticed."""
        return tuple(mutant for mutant, verdict in self.tried if verdict == SURVIVED)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """The mutants of one file, the tests to try each with, and the copy to try them in."""

    coverage: CoverageMap
    tree: Path
    path: str
    source: str
    mutants: tuple[Mutant, ...]
    tests: tuple[tuple[str, ...], ...]

    def listed(self) -> list[Json]:
        """Return the unchanged source with every test, then each mutant with its own."""
        everything = sorted({test for names in self.tests for test in names})
        first: Json = {"id": "", "source": self.source, "tests": everything}
        rest: list[Json] = [
            {"id": str(number), "source": mutant.source, "tests": list(names)}
            for number, (mutant, names) in enumerate(zip(self.mutants, self.tests, strict=True))
        ]
        return [first, *rest]


def try_mutants(
    head: Tree,
    path: str,
    lines: Collection[int],
    coverage: CoverageMap,
    scratch: Path,
    *,
    most: int,
    sec: float,
) -> Mutation:
    """Try at most `most` mutants of the executed lines among `lines`, for at most `sec`.

    A line that no test executes is not mutated: every mutant of it would survive.
    """
    known = coverage.files.get(path)
    if coverage.suite.kind == COMMAND:
        return Mutation(problem="the tests are a command of the project's own, which cannot run single tests")
    if known is None or not known.tests:
        return Mutation(problem="no test executes this file")
    source = head.text(path)
    first = statement_lines(source)
    executed = {line for line in lines if first.get(line) in known.executed}
    possible = mutants_of(source, executed)
    chosen = within_budget(possible, most)
    if not chosen:
        return Mutation(possible=len(possible))
    tests = tuple(known.tests_of(first[mutant.line])[:_TESTS_PER_MUTANT] for mutant in chosen)
    tree = head.extract(scratch / "tree")
    trial = _Trial(coverage=coverage, tree=tree, path=path, source=source, mutants=chosen, tests=tests)
    return _judged(trial, _tried(trial, scratch, sec), len(possible), sec)


def _tried(trial: _Trial, scratch: Path, sec: float) -> dict[str, str]:
    """Try the mutants; again without the project's ``addopts`` when not even the unchanged source passes."""
    suite = trial.coverage.suite
    verdicts = _host(trial, suite.arguments, scratch, sec)
    if verdicts.get("") != SURVIVED and suite.kind == PYTEST:
        verdicts = _host(trial, [*suite.arguments, "-o", "addopts="], scratch, sec)
    return verdicts


def _judged(trial: _Trial, verdicts: dict[str, str], possible: int, sec: float) -> Mutation:
    if verdicts.get("") != SURVIVED:
        reason = "the tests that execute this file do not pass on the unchanged copy"
        return Mutation(possible=possible, problem=reason)
    numbered = ((str(number), mutant) for number, mutant in enumerate(trial.mutants))
    tried = tuple((mutant, verdicts[number]) for number, mutant in numbered if number in verdicts)
    left = len(trial.mutants) - len(tried)
    spent = f"{left} of {len(trial.mutants)} mutants were not tried: the budget of {sec:.0f} s was spent"
    return Mutation(tried=tried, possible=possible, problem=spent if left else "")


def _host(trial: _Trial, arguments: Sequence[str], scratch: Path, sec: float) -> dict[str, str]:
    """Run the host of mutants and return the verdict of each by its number; '' is the unchanged source."""
    suite = trial.coverage.suite
    plan: dict[str, Json] = {
        "file": trial.path,
        "kind": suite.kind,
        "arguments": ["-p", "no:cacheprovider", "--tb=no", *arguments] if suite.kind == PYTEST else [],
        "sec": _SEC_PER_MUTANT,
        "total_sec": sec,
        "mutants": trial.listed(),
    }
    place = scratch / "plan.json"
    place.write_text(json.dumps(plan), encoding="utf-8")
    extra = {"CHATFLOW_REVIEW_RESULTS": str(scratch / "ignored.jsonl")}
    done = execute(
        [suite.interpreter.executable, str(PROBES / "chatflow_review_mutants.py"), str(place)],
        cwd=trial.tree,
        timeout_sec=sec + 15,
        environment=suite.interpreter.environment(scratch / "home", trial.tree, extra),
        limit_bytes=1 << 20,
    )
    return _verdicts(done.stdout.decode("utf-8", "replace"))


def _verdicts(said: str) -> dict[str, str]:
    verdicts = {}
    for line in said.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the last line of a host that was stopped
        verdicts[text(record.get("id"))] = text(record.get("verdict"))
    return verdicts
