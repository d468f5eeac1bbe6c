"""The rules of the engine see no clock, no chance, no file, no network and no log."""

import ast
from pathlib import Path

import pytest

from tests.house.sources import PRODUCT, calls, dotted, imported, place, python_files, tree

DOMAIN = "chatflow_jupyter/domain"
PORTS = "chatflow_jupyter/ports"

IMPURE_MODULES = {
    *("asyncio", "threading", "multiprocessing", "concurrent", "subprocess", "signal", "selectors"),
    *("os", "io", "shutil", "tempfile", "glob", "fileinput", "sqlite3", "mmap", "fcntl"),
    *("socket", "ssl", "http", "urllib.request", "ftplib", "smtplib"),
    *("time", "random", "secrets", "uuid", "logging", "warnings", "sys", "platform", "getpass"),
    *(
        "sqlalchemy",
        "alembic",
        "papermill",
        "nbclient",
        "jupyter_client",
        "jupyter_server",
        "tornado",
        "rich",
    ),
}
IMPURE_NAMES = {
    *("pathlib.Path", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "datetime.date.today", "date.today"),
    *("open", "print", "input", "exec", "eval", "breakpoint"),
}


def impurities(path: Path) -> list[str]:
    """What a file of the domain imports or calls and must not."""
    found = []
    for name, node in imported(path):
        parents = {name.rsplit(".", n)[0] for n in range(name.count(".") + 1)}
        if parents & (IMPURE_MODULES | IMPURE_NAMES):
            found.append(f"{place(path, node)} imports {name}")
    for name, node in calls(path):
        if name in IMPURE_NAMES:
            found.append(f"{place(path, node)} calls {name}")
    return found


def test_the_domain_is_pure() -> None:
    assert [line for path in python_files(DOMAIN) for line in impurities(path)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import choice",
        "from pathlib import Path",
        "import datetime\nx = datetime.datetime.now(datetime.UTC)",
        "from datetime import datetime\ndef f():\n    return datetime.now()",
        "def f():\n    from asyncio import sleep",
        "open('x')",
    ],
)
def test_impurity_is_noticed(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.sources.ROOT", tmp_path)
    path = tmp_path / "rule.py"
    path.write_text(source)
    assert len(impurities(path)) == 1


def test_domain_and_ports_use_no_any() -> None:
    loose = [
        place(path, node)
        for path in python_files(DOMAIN, PORTS)
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
    ]
    assert loose == []


def test_values_of_the_domain_are_frozen_and_keyword_only() -> None:
    loose = []
    for path in python_files(DOMAIN, PORTS):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and not _frozen(node):
                loose.append(f"{place(path, node)} {node.name}")
    assert loose == []


def _frozen(node: ast.ClassDef) -> bool:
    """True for a class that is no dataclass, and for a dataclass that is frozen and keyword-only."""
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if dotted(called).rsplit(".", 1)[-1] != "dataclass":
            continue
        options = decorator.keywords if isinstance(decorator, ast.Call) else []
        chosen = {
            word.arg for word in options if isinstance(word.value, ast.Constant) and word.value.value is True
        }
        return {"frozen", "kw_only"} <= chosen
    return True


def test_every_background_call_is_awaited_by_somebody() -> None:
    """Work started beside the caller belongs to an `asyncio.TaskGroup`."""
    bare = {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "create_task",
        "ensure_future",
        "loop.create_task",
    }
    found = [
        f"{place(path, node)} {name}"
        for path in python_files(*PRODUCT)
        for name, node in calls(path)
        if name in bare
    ]
    assert found == []


def test_nothing_is_left_unimplemented() -> None:
    found = [
        place(path, node)
        for path in python_files(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and "NotImplementedError" in ast.unparse(node.exc)
    ]
    assert found == []
