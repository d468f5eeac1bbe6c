"""The rules for notebooks: what breaks them is named with cell and line, and nothing is run."""

import json
from typing import Any

import pytest

from chatflow_jupyter.plugins import Allow, Ask, Deny
from chatflow_jupyter.plugins.style_policy import StylePolicy
from chatflow_jupyter.plugins.testing import ahead, check_hook, notebook


def verdict(options: dict[str, Any], *cells: str) -> Any:
    return StylePolicy(options).before(ahead(notebook(*cells)))


@pytest.mark.parametrize(
    ("options", "cells", "reason"),
    [
        ({}, ("x = 1", "a = 2\n!ls"), "one.ipynb: cell 2 line 2: it calls a shell or installs something"),
        ({}, ("%pip install x",), "one.ipynb: cell 1 line 1: it calls a shell or installs something"),
        ({}, ("%%bash\nls",), "one.ipynb: cell 1 line 1: it calls a shell or installs something"),
        (
            {"forbidden_imports": ["os"]},
            ("x = 1\nimport os.path",),
            "one.ipynb: cell 1 line 2: imports os.path",
        ),
        ({"forbidden_imports": ["os"]}, ("def f():\n  from os import path",), "cell 1 line 2: imports os"),
        ({"forbidden_imports": ["os"]}, ("import os\nthis is no Python",), "cell 1 line 1: imports os"),
        ({"forbidden_imports": ["os"], "allow_shell": True}, ("!ls\nimport os",), "line 2: imports os"),
        ({"max_cell_lines": 2}, ("a\nb", "a\nb\nc"), "one.ipynb: cell 2: 3 lines are more than 2"),
        ({"first_cell_markdown": True}, ("x",), "cell 1: the first cell must say in Markdown what"),
        ({"wanted_tags": ["owner"]}, ("x",), "one.ipynb: no cell has the tag owner"),
    ],
)
def test_a_breach_is_named_with_its_place(
    options: dict[str, Any], cells: tuple[str, ...], reason: str
) -> None:
    asked = verdict(options, *cells)
    assert isinstance(asked, Ask)
    assert reason in asked.reason
    denied = verdict({**options, "action": "deny"}, *cells)
    assert denied == Deny(reason=asked.reason)


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        ({}, ("x != 1", "print('!ls')", "%matplotlib inline", "%%time\n1 + 1", "%%once\nx = 1")),
        ({"allow_shell": True}, ("!ls",)),
        ({"forbidden_imports": ["os"]}, ("import oslo", "from .os import x", "# import os")),
        ({"max_cell_lines": 2}, ("a\nb",)),
    ],
)
def test_what_breaks_no_rule_is_allowed(options: dict[str, Any], cells: tuple[str, ...]) -> None:
    assert verdict(options, *cells) == Allow()


def test_markdown_and_tags_are_seen() -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {"tags": ["owner"]}, "source": ["# What\n", "!important"]},
        {"cell_type": "code", "metadata": {}, "source": ["x = 1"], "outputs": []},
    ]
    content = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    policy = StylePolicy({"first_cell_markdown": True, "wanted_tags": ["owner"]})
    assert policy.before(ahead(content)) == Allow()


def test_very_many_breaches_are_counted() -> None:
    asked = verdict({}, "\n".join(["!ls"] * 50))
    assert asked.reason.endswith("; and 45 more")
    assert len(asked.reason) <= 1000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"actoin": "deny"}, "unknown option 'actoin'; did you mean action?"),
        ({"action": "shout"}, "action: expected one of ask, deny"),
        ({"max_cell_lines": -1}, "max_cell_lines: expected a whole number from 0"),
        ({"max_cell_lines": True}, "max_cell_lines: expected a whole number from 0"),
        ({"forbidden_imports": "os"}, "forbidden_imports: expected a list of texts"),
        ({"allow_shell": "yes"}, "allow_shell: expected true or false"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        StylePolicy(options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "action": "deny",
            "first_cell_markdown": True,
            "max_cell_lines": 3,
            "forbidden_imports": ["os"],
            "wanted_tags": ["owner"],
        },
    ],
)
def test_it_passes_the_kit(options: dict[str, Any]) -> None:
    check_hook(StylePolicy, options)
