"""Names as the source has them, read without running it."""

import ast
import re
from functools import cache
from pathlib import Path

from chatflow_jupyter.settings import SPECS
from tests.docs.pages import ROOT

SOURCES = ("chatflow_jupyter", "sdk/chatflow_sdk")


@cache
def modules() -> tuple[tuple[Path, ast.Module], ...]:
    """Every module of the product."""
    files = [file for folder in SOURCES for file in sorted((ROOT / folder).rglob("*.py"))]
    return tuple((file, ast.parse(file.read_text(encoding="utf-8"))) for file in files)


@cache
def codes(function: str) -> frozenset[str]:
    """Literal values of the keyword `code` in calls of `function`."""
    found = set()
    for _, module in modules():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and _called(node) == function:
                found |= {
                    entry.value.value
                    for entry in node.keywords
                    if entry.arg == "code" and isinstance(entry.value, ast.Constant)
                }
    return frozenset(str(code) for code in found)


@cache
def variables() -> frozenset[str]:
    """Every environment variable of ours that the source mentions."""
    texts = [file.read_text(encoding="utf-8") for file, _ in modules()]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))]
    texts += [
        (ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", ".ci/check", ".ci/environment")
    ]
    named = {name for text in texts for name in re.findall(r"CHATFLOW_[A-Z_]*[A-Z]", text)}
    return frozenset(named | {spec.variable for spec in SPECS})


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
