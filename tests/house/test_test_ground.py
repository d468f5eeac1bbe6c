"""The ground the tests stand on does what the others rely on."""

import os
import sys
from pathlib import Path

import pytest

from tests.house.sources import calls, place, python_files
from tests.leftovers import children
from tests.waiting import until

ALLOWED_TO_SLEEP = {"tests/waiting.py", "tests/leftovers.py"}


def test_no_test_sleeps_for_a_fixed_time() -> None:
    sleeping = [
        place(path, node)
        for path in python_files("tests")
        if place(path) not in ALLOWED_TO_SLEEP
        for name, node in calls(path)
        if name in {"time.sleep", "sleep", "asyncio.sleep"} and ast_argument(node) != 0
    ]
    assert sleeping == [], "poll with a deadline: tests.waiting.until"


def ast_argument(node: object) -> object:
    """The literal first argument of a call; `sleep(0)` only lets others have a turn."""
    arguments = getattr(node, "args", [])
    return getattr(arguments[0], "value", None) if arguments else None


def test_tests_see_a_strangers_home() -> None:
    for name in ("HOME", "CHATFLOW_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        assert "cf-" in os.environ[name]
    assert len(os.environ["JUPYTER_RUNTIME_DIR"]) < 50
    assert Path.home().name == "home"


PLUGIN_RUN = """
    import pytest
    @pytest.mark.needs("no-such-command-anywhere")
    def test_needs_it():
        pass
    @pytest.mark.needs("python-by-path")
    def test_unknown():
        pass
    def test_plain():
        pass
"""


def _run(pytester: pytest.Pytester) -> pytest.RunResult:
    table = pytester.mkdir("requirements") / "debian.txt"
    table.write_text("# table\nno-such-command-anywhere a-package\n")
    pytester.makeini("[pytest]\nmarkers = needs(command): x\n")
    pytester.makepyfile(PLUGIN_RUN)
    return pytester.runpytest_inprocess("-p", "tests.debian")


def test_what_only_debian_offers_is_named_and_counted(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = _run(pytester)
    result.assert_outcomes(passed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*1 not run; to run: sudo apt-get install a-package*"])


def test_unattended_what_was_not_run_is_a_failure(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    _run(pytester).assert_outcomes(passed=1, errors=2)


def test_a_process_left_behind_is_seen() -> None:
    import subprocess

    before = children()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        until(lambda: child.pid in children(), what="the child is seen")
        assert child.pid not in before
        child.kill()
    assert child.pid not in children()
