"""Tests that need a command only Debian offers: `@pytest.mark.needs("chromium")`.

The command must stand in `requirements/debian.txt`, from which `make test` installs it when it may. Where it
is missing the test is counted as not run and the exact install line is printed; with `CI=true` it fails.
"""

import os
import shutil
from pathlib import Path

import pytest

_TABLE = Path(__file__).resolve().parent.parent / "requirements" / "debian.txt"


def packages(table: Path = _TABLE) -> dict[str, str]:
    """Command → Debian package that brings it."""
    rows = (line.split() for line in table.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1] for row in rows if len(row) >= 2 and not row[0].startswith("#")}


class _NotRun:
    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.missing: dict[str, list[str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        for mark in item.iter_markers("needs"):
            (command,) = mark.args
            package = self.known.get(command)
            if package is None:
                pytest.fail(
                    f"requirements/debian.txt does not name the package of {command!r}", pytrace=False
                )
            if shutil.which(command) is None:
                self.missing.setdefault(package, []).append(item.nodeid)
                reason = f"not run: needs {command}: apt-get install {package}"
                if os.environ.get("CI") == "true":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.missing:
            count = len({test for tests in self.missing.values() for test in tests})
            line = f"{count} not run; to run: sudo apt-get install {' '.join(sorted(self.missing))}"
            terminalreporter.section(line)


def pytest_configure(config: pytest.Config) -> None:
    """Read the table and watch for what is missing."""
    table = config.rootpath / "requirements" / "debian.txt"
    config.pluginmanager.register(_NotRun(packages(table) if table.exists() else {}), "chatflow-not-run")
