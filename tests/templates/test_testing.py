"""The project's own tests at base and at head: what newly fails, passes, or cannot make up its mind."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from tests.templates.repositories import Made

Change = Callable[..., Made]
PYTEST = """\
import pathlib, pytest
from m import f

def test_stays(): assert f(1) == 2
def test_breaks(): assert f(2) == 3
@pytest.mark.parametrize("x", [1])
def test_with_values(x): assert x
"""


def case(body: str) -> str:
    """A unittest file with one test."""
    start = "import unittest\nfrom m import f\n\nclass T(unittest.TestCase):\n"
    return f"{start}    def test_it(self):\n        {body}\n"


FLAKY = """\
import os

def test_now_and_then():
    new = not os.path.exists('flag')
    open('flag', 'w').close()
    assert not new
"""


def test_pytest_is_compared_test_by_test(change: Change) -> None:
    made = change(
        {"m.py": "def f(x):\n    return x + 1\n", "test_m.py": PYTEST + "def test_repaired(): assert 0\n"},
        {
            "m.py": "def f(x):\n    y = 2 if x == 1 else 0\n    return y\n",
            "test_m.py": PYTEST + "def test_repaired(): assert 1\n",
            "test_flag.py": FLAKY,
        },
    ).with_(execute=True, test_command="pytest -p no:hypothesispytest")
    testing = made.testing()
    summary = testing.report.summary
    assert summary["newly_failing"] == ["test_m.py::test_breaks"]
    assert summary["newly_passing"] == ["test_m.py::test_repaired"]
    assert summary["flaky"] == ["test_flag.py::test_now_and_then"]
    assert {(f.severity, f.rule) for f in testing.report.findings} == {
        ("high", "newly-failing"),
        ("medium", "flaky"),
    }
    assert testing.coverage.files["m.py"].tests == ("test_m.py::test_stays",)


def test_unittest_is_enough_where_it_finds_everything(change: Change) -> None:
    made = change(
        {
            "m.py": "def f():\n    return 1\n",
            "tests/__init__.py": "",
            "tests/test_m.py": case("self.assertEqual(f(), 1)"),
        },
        {"m.py": "def f():\n    return 2\n"},
    ).with_(execute=True)
    report = made.testing().report
    assert report.summary["command"] == "python -m unittest"
    assert report.summary["newly_failing"] == ["tests.test_m.T.test_it"]
    assert "AssertionError: 2 != 1" in report.findings[0].evidence
    assert str(made.scratch) not in report.findings[0].evidence


def test_a_test_file_that_breaks_is_a_failing_test(change: Change) -> None:
    made = change({"m.py": "def f():\n    return 1\n", "test_m.py": case("f()")}, {"m.py": "g = 1\n"}).with_(
        execute=True
    )
    failing = made.testing().report.summary["newly_failing"]
    assert len(failing) == 1
    assert "test_m" in failing[0]


def test_a_suite_that_hangs_is_not_assessed(change: Change) -> None:
    made = change({"m.py": "f = 1\n", "test_m.py": case("import time; time.sleep(600)")}, {"m.py": "f = 2\n"})
    report = made.with_(execute=True, test_sec=1.5).testing().report
    assert {item.reason for item in report.not_assessed} == {
        "the tests were stopped at the time limit of 2 s, after 0 test(s)"
    }
    assert report.findings == ()


def test_no_tests_is_not_assessed_and_never_zero(change: Change) -> None:
    report = change({"m.py": "f = 1\n"}, {"m.py": "f = 2\n"}).with_(execute=True).testing().report
    assert [item.reason for item in report.not_assessed] == [
        "there are no tests: no file is called test_….py or …_test.py"
    ]


def test_a_command_of_the_projects_own_counts_by_its_status(change: Change) -> None:
    made = change({"m.py": "f = 1\n"}, {"m.py": "f = 2\n"})
    command = f"{shlex.quote(sys.executable)} -c 'import m; assert m.f == 1'"
    testing = made.with_(execute=True, test_command=command).testing()
    assert len(testing.report.summary["newly_failing"]) == 1
    assert testing.coverage is None


def test_an_interpreter_that_does_not_start_is_named(change: Change, tmp_path: Path) -> None:
    made = change({"m.py": "f = 1\n", "test_m.py": case("f")}, {"m.py": "f = 2\n"})
    report = made.with_(execute=True, python=str(tmp_path / "nowhere")).testing().report
    assert "could not be started" in report.not_assessed[0].reason
