"""Runs the tests from the quickest tier to the slowest and says at the end how long each took.

A tier is a folder below `tests/`.
"""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

TIERS = (
    *("house", "unit", "contract", "engine", "services", "link", "docs"),
    *("sdk", "runner", "templates", "cli", "acceptance"),
)


def tier_of(nodeid: str) -> str:
    """The tier of a test, by the folder that holds it."""
    parts = Path(nodeid.split("::", 1)[0]).parts
    return parts[1] if len(parts) > 2 else "other"


def _rank(item: pytest.Item) -> int:
    tier = tier_of(item.nodeid)
    return TIERS.index(tier) if tier in TIERS else len(TIERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tiers first: a broken rule should not wait for twenty kernels."""
    items.sort(key=_rank)


class _Minutes:
    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        tier = tier_of(report.nodeid)
        self.seconds[tier] += report.duration
        self.tests[tier] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.tests:
            return
        terminalreporter.section("minutes per tier")
        for tier in sorted(self.seconds, key=lambda name: TIERS.index(name) if name in TIERS else 99):
            minutes = self.seconds[tier] / 60
            terminalreporter.write_line(f"{tier:<12} {self.tests[tier]:>5} tests  {minutes:6.2f} min")
        terminalreporter.write_line(
            f"{'all':<12} {sum(self.tests.values()):>5} tests  {sum(self.seconds.values()) / 60:6.2f} min"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Start counting."""
    config.pluginmanager.register(_Minutes(), "chatflow-minutes")
