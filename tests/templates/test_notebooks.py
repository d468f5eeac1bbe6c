"""Notebooks that rely on a change: run when that is allowed, read in any case."""

import json
from collections.abc import Callable

from tests.templates.repositories import Made

Change = Callable[..., Made]


def book(*cells: str, language: str = "python", outputs: list[dict[str, str]] | None = None) -> str:
    """A notebook's file."""
    made = [
        {
            "cell_type": "code",
            "metadata": {},
            "source": cell,
            "outputs": outputs or [],
            "execution_count": None,
        }
        for cell in cells
    ]
    kernel = {"name": "x", "language": language, "display_name": language}
    return json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4})


def test_every_way_a_notebook_can_end(change: Change) -> None:
    made = change(
        {
            "m.py": "def f():\n    return {'a': 1}\n",
            "through.py": "import m\n",
            "breaks.ipynb": book("import m", "m.f()['a']"),
            "fine.ipynb": book("import through\n%time through.m.f()"),
            "dies.ipynb": book("import m, os", "m.f().get('a') or os._exit(0)"),
            "always.ipynb": book("import m", "1 / 0"),
            "apart.ipynb": book("1 / 0"),
            "other.ipynb": book("import m", language="R"),
        },
        {"m.py": "class D(dict):\n    __getitem__ = None\n\n\ndef f():\n    return D()\n"},
    ).with_(execute=True)
    report = made.notebooks()
    ended = {row["path"]: (row["base"], row["head"]) for row in report.summary["notebooks"]}
    assert ended == {
        "breaks.ipynb": ("ok", "broken"),
        "fine.ipynb": ("ok", "ok"),
        "dies.ipynb": ("ok", "kernel_died"),
        "always.ipynb": ("broken", "broken"),
        "other.ipynb": ("not there", "not run"),
    }
    told = {finding.path: (finding.severity, finding.rule) for finding in report.findings}
    assert told == {
        "breaks.ipynb": ("high", "newly-broken"),
        "dies.ipynb": ("high", "newly-broken"),
        "always.ipynb": ("note", "still-broken"),
    }
    broken = next(finding for finding in report.findings if finding.path == "breaks.ipynb")
    assert "in cell 2: TypeError" in broken.title
    assert "m.f()['a']" in broken.evidence
    assert [item.reason for item in report.not_assessed] == ["its language is r"]
    whys = {row["path"]: row["why"] for row in report.summary["notebooks"]}
    assert whys["fine.ipynb"] == "imports through.py → m.py"


def test_a_notebook_that_hangs_is_stopped(change: Change) -> None:
    made = change(
        {"m.py": "x = 0\n", "n.ipynb": book("import m, time", "time.sleep(m.x)")}, {"m.py": "x = 600\n"}
    ).with_(execute=True, notebook_sec=4)
    (row,) = made.notebooks().summary["notebooks"]
    assert (row["base"], row["head"]) == ("ok", "timeout")


def test_reading_alone_finds_an_import_that_is_gone(change: Change) -> None:
    made = change(
        {"m.py": "def f(): ...\n\n\ndef g(): ...\n", "n.ipynb": book("from m import f, g")},
        {"m.py": "def g(): ...\n"},
    )
    report = made.notebooks()
    assert [(f.severity, f.rule, f.evidence) for f in report.findings] == [("high", "import-gone", "m.f")]
    assert report.not_assessed[0].reason == "the code of the target runs only with execute=true"


def test_dead_notebooks_of_a_whole_repository(change: Change) -> None:
    error = [{"output_type": "error", "ename": "KeyError", "evalue": "'x'"}]
    made = change(
        {
            "broken.ipynb": "{",
            "list.ipynb": "[]",
            "syntax.ipynb": book("x = (1"),
            "missing.ipynb": book("import no_such_module_anywhere"),
            "stored.ipynb": book("x['x']", outputs=error),
            "fine.ipynb": book("import json, os.path\n!ls\nx = !ls\n%load_ext foo", "%%bash\nls"),
            "r.ipynb": book("x <- 1", language="R"),
            ".ipynb_checkpoints/old-checkpoint.ipynb": "{",
        },
        {"README.md": "x"},
    )
    told = {finding.path: finding.rule for finding in made.notebooks().findings}
    assert told == {
        "broken.ipynb": "unreadable",
        "list.ipynb": "unreadable",
        "syntax.ipynb": "syntax",
        "missing.ipynb": "missing-module",
        "stored.ipynb": "stored-error",
    }
