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
    tree = head.extract(scratch / "tree")
    arguments = list(coverage.suite.arguments)
    tests = [known.tests_of(first[mutant.line])[:_TESTS_PER_MUTANT] for mutant in chosen]
    verdicts = _host(coverage, tree, path, source, chosen, tests, arguments, scratch, sec)
    if verdicts.get("") != SURVIVED and coverage.suite.kind == PYTEST:
        cleared = [*arguments, "-o", "addopts="]  # addopts may name plugins that are not installed here
        verdicts = _host(coverage, tree, path, source, chosen, tests, cleared, scratch, sec)
    if verdicts.get("") != SURVIVED:
        reason = "the tests that execute this file do not pass on the unchanged copy"
        return Mutation(possible=len(possible), problem=reason)
    tried = tuple(
        (mutant, verdicts[str(number)]) for number, mutant in enumerate(chosen) if str(number) in verdicts
    )
    left = len(chosen) - len(tried)
    problem = (
        f"{left} of {len(chosen)} mutants were not tried: the budget of {sec:.0f} s was spent" if left else ""
    )
    return Mutation(tried=tried, possible=len(possible), problem=problem)


def _host(
    coverage: CoverageMap,
    tree: Path,
    path: str,
    source: str,
    mutants: Sequence[Mutant],
    tests: Sequence[Sequence[str]],
    arguments: Sequence[str],
    scratch: Path,
    sec: float,
) -> dict[str, str]:
    """Run the host of mutants and return the verdict of each by its number; '' is the unchanged source."""
    everything = sorted({test for names in tests for test in names})
    flags = ["-p", "no:cacheprovider", "--tb=no", *arguments] if coverage.suite.kind == PYTEST else []
    listed: list[Json] = [{"id": "", "source": source, "tests": everything}]
    listed += [
        {"id": str(number), "source": mutant.source, "tests": list(names)}
        for number, (mutant, names) in enumerate(zip(mutants, tests, strict=True))
    ]
    plan = {
        "file": path,
        "kind": coverage.suite.kind,
        "arguments": flags,
        "sec": _SEC_PER_MUTANT,
        "total_sec": sec,
        "mutants": listed,
    }
    place = scratch / "plan.json"
    place.write_text(json.dumps(plan), encoding="utf-8")
    interpreter = coverage.suite.interpreter
    extra = {"CHATFLOW_REVIEW_RESULTS": str(scratch / "ignored.jsonl")}
    done = execute(
        [interpreter.executable, str(PROBES / "chatflow_review_mutants.py"), str(place)],
        cwd=tree,
        timeout_sec=sec + 15,
        environment=interpreter.environment(scratch / "home", tree, extra),
        limit_bytes=1 << 20,
    )
    verdicts = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        verdicts[text(record.get("id"))] = text(record.get("verdict"))
    return verdicts
