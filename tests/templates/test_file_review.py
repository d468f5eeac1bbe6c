"""One module: lines no test reaches, mutants nobody notices, callers of what is called differently now."""

import json
from collections.abc import Callable, Mapping

import pytest

from tests.templates.repositories import Made

Change = Callable[..., Made]
TEST = """\
import unittest
from shop import fee

class T(unittest.TestCase):
    def test_small(self):
        self.assertEqual(fee(5), 1)

    def test_large(self):
        self.assertEqual(fee(50), 0)
"""
FEE = '''\
def fee(total, urgent=False):
    """Return the fee."""
    if total >= 10:
        return 0
    if urgent:
        print("urgent")
        return 9
    return 1
'''


def test_lines_and_mutants(change: Change) -> None:
    made = change({"shop.py": "def fee(total):\n    return 1\n", "test_shop.py": TEST}, {"shop.py": FEE})
    made = made.with_(execute=True, mutants_per_file=40)
    coverage = made.testing().coverage
    report = made.review("shop.py", coverage)
    assert report.summary["uncovered"] == [6, 7]
    verdicts = {(m["line"], m["after"]): m["verdict"] for m in report.summary["mutants"]}
    assert verdicts[3, "if total > 10:"] == "survived"
    assert verdicts[4, "return None"] == "killed"
    assert verdicts[3, "if False:"] == "killed"
    assert not {6, 7} & {m["line"] for m in report.summary["mutants"]}
    rules = {(f.severity, f.kind, f.line) for f in report.findings}
    assert ("low", "coverage", 6) in rules
    assert ("medium", "mutant", 3) in rules
    assert made.head.text("shop.py") == FEE


def test_a_mutant_that_never_ends_counts_as_noticed(change: Change) -> None:
    loop = "def fee(n):\n    while n > 0:\n        n -= 1\n    return n\n"
    test = (
        TEST.split("    def", maxsplit=1)[0] + "    def test_it(self):\n        self.assertEqual(fee(3), 0)\n"
    )
    made = change({"shop.py": "", "test_shop.py": test}, {"shop.py": loop}).with_(execute=True)
    coverage = made.testing().coverage
    verdicts = {m["after"]: m["verdict"] for m in made.review("shop.py", coverage).summary["mutants"]}
    assert verdicts["n += 1" if "n += 1" in verdicts else "pass"] == "timeout"


def test_without_leave_only_signatures_are_compared(change: Change) -> None:
    report = change({"shop.py": "x = 1\n"}, {"shop.py": FEE}).review("shop.py")
    assert {item.reason for item in report.not_assessed} == {
        "the code of the target runs only with execute=true"
    }
    assert report.summary["signatures"] == []


CALLERS = {
    "def f(a, b): ...|f(1)": "missing a required argument: 'b'",
    "def f(b, a): ...|f(1, 2)": "",
    "def f(*, a): ...|f(1)": "too many positional arguments",
    "def f(c): ...|f(a=1)": "missing a required argument: 'c'",
    "def f(c): ...|f(1)": "",
    "def f(a, b=2): ...|f(1)": "",
    "def f(a, b): ...|f(*args)": "",
    "g = 1|f(1)": "'f' is gone",
}


@pytest.mark.parametrize("case", CALLERS)
def test_a_call_is_tried_against_the_new_signature(case: str) -> None:
    import ast

    from review.callers import why_it_breaks
    from review.signatures import breaking_changes

    head, call = case.split("|")
    (found,) = breaking_changes("def f(a): ...\n", head) or (None,)
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    said = "" if found is None else why_it_breaks(found, node)
    assert said == CALLERS[case]


REASONS: Mapping[tuple[str, str], str] = {
    ("def f(a, b): ...", "def f(b, a): ..."): "the parameters have another order",
    ("def f(a, b=1): ...", "def f(a, b): ..."): "parameter 'b' has no default any more",
    ("def f(a): ...", "def f(x): ..."): "parameter 'a' is now called 'x'",
    ("def f(a, b): ...", "def f(a): ..."): "parameter 'b' is gone",
    ("def f(a): ...", "def f(*, a): ..."): "parameter 'a' has to be given by name",
    ("class C:\n    def m(self, a): ...", "class C:\n    def m(self): ..."): "parameter 'a' is gone",
    (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    a: int\n    b: int",
    ): "new parameter 'b' has to be given",
}


@pytest.mark.parametrize(("base", "head"), REASONS)
def test_a_breaking_signature_is_put_into_words(base: str, head: str) -> None:
    from review.signatures import breaking_changes

    (found,) = breaking_changes(base, head)
    assert REASONS[base, head] in found.reasons


@pytest.mark.parametrize(
    "head", ["def f(a, *, b=1): ...", "def f(a, b=None, **more): ...", "async def g(): ...\ndef f(a): ..."]
)
def test_a_compatible_signature_is_no_finding(head: str) -> None:
    from review.signatures import breaking_changes

    assert breaking_changes("def f(a): ...\ndef _private(x): ...\n", head) == ()


def test_callers_are_found_through_every_kind_of_import(change: Change) -> None:
    sources = [["%matplotlib inline\n", "from pkg import f"], "x = 1\nf(1)"]
    cells = [{"cell_type": "code", "source": source} for source in sources]
    made = change(
        {
            "pkg/__init__.py": "from .core import f\n",
            "pkg/core.py": "def f(a):\n    return a\n",
            "pkg/near.py": "from . import core\ncore.f(1)\n",
            "pkg/same.py": "from .core import f as g\ng(1)\n",
            "far.py": "import pkg.core\npkg.core.f(1)\n",
            "again.py": "import pkg\npkg.f(1)\n",
            "other.py": "def f(a): ...\nf(1)\n",
            "fits.py": "from pkg import f\nf(1, 2)\n",
            "n.ipynb": json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}),
        },
        {"pkg/core.py": "def f(a, b):\n    return a\n"},
    )
    report = made.review("pkg/core.py")
    told = {f.title.split(" calls ")[0] for f in report.findings}
    assert told == {"pkg/near.py:2", "pkg/same.py:2", "far.py:2", "again.py:2", "n.ipynb, cell 2"}
    assert {f.severity for f in report.findings} == {"high"}


def test_a_name_that_is_gone_breaks_its_imports(change: Change) -> None:
    made = change(
        {"m.py": "def f():\n    pass\n\n\ndef g():\n    pass\n", "user.py": "from m import f\n"},
        {"m.py": "def g():\n    pass\n"},
    )
    (finding,) = made.review("m.py").findings
    assert (finding.severity, finding.path, finding.line) == ("high", "user.py", 1)
    assert "cannot be imported any more" in finding.title


def test_a_method_known_by_name_alone_is_a_medium_finding(change: Change) -> None:
    made = change(
        {
            "m.py": "class Cart:\n    def checkout(self):\n        pass\n",
            "user.py": "def go(cart):\n    cart.checkout()\n",
        },
        {"m.py": "class Cart:\n    def checkout(self, card):\n        pass\n"},
    )
    (finding,) = made.review("m.py").findings
    assert (finding.severity, finding.path, finding.line) == ("medium", "user.py", 2)
