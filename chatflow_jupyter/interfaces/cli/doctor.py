"""`chatflow doctor`: one line per check, and for each problem what to do about it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chatflow_jupyter import __version__
from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.interfaces.cli.session import Session, in_session, settings_of
from chatflow_jupyter.interfaces.cli.shapes import print_json
from chatflow_jupyter.interfaces.cli.terminal import painted, safe_line, shown_size
from chatflow_jupyter.services.templates import Templates
from chatflow_jupyter.settings import Settings, enabled_hooks

Level = Literal["ok", "warn", "fail"]
LOW_DISK_BYTES = 1024**3
NO_DISK_BYTES = 100 * 1024**2
KERNEL_TIMEOUT_SEC = 60
TOOLS = ("ruff", "bandit", "detect_secrets", "radon", "coverage", "pytest")
STYLES: dict[Level, str] = {"ok": "green", "warn": "yellow", "fail": "red"}
_KERNEL = """\
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3", startup_timeout=40)
try:
    reply = client.execute_interactive("6 * 7", timeout=10, output_hook=lambda message: None)
    assert reply["content"]["status"] == "ok", reply
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of looking at one thing; `advice` says what to do unless it is ok."""

    name: str
    level: Level
    found: str
    advice: str = ""


def doctor(options: argparse.Namespace) -> int:
    """Make every check, print a line each, and return 1 when one failed."""
    settings = settings_of(options)
    checks: list[Check] = []
    for check in _checks(settings, options):
        checks.append(check)
        if not options.json:
            _print(check)
    worst: Level = "ok"
    for level in ("warn", "fail"):
        worst = level if any(check.level == level for check in checks) else worst
    if options.json:
        found = [{"name": c.name, "level": c.level, "found": c.found, "advice": c.advice} for c in checks]
        print_json({"level": worst, "home": str(settings.home), "checks": found})
    return 1 if worst == "fail" else 0


def _print(check: Check) -> None:
    level = painted(f"{check.level:<4}", STYLES[check.level], sys.stdout)
    advice = f"; {check.advice}" if check.advice else ""
    print(f"{level}  {check.name:<10} {safe_line(check.found + advice)}", flush=True)


def _checks(settings: Settings, options: argparse.Namespace) -> Iterator[Check]:
    steps: tuple[Callable[[], Iterator[Check]], ...] = (
        _python,
        lambda: _home(settings),
        lambda: _sqlite(settings),
        _kernel,
        lambda: _templates(settings),
        _tools,
        lambda: _hooks(settings),
        lambda: _left_over(settings, options),
    )
    for step in steps:
        yield from step()


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"Python {version}, chatflow {__version__}"
    if sys.platform == "linux":
        yield Check(name="python", level="ok", found=found)
    else:
        advice = "tested on Linux only; on Windows use WSL"
        yield Check(name="python", level="warn", found=f"{found} on {sys.platform}", advice=advice)


def _home(settings: Settings) -> Iterator[Check]:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        advice = "own it, or set CHATFLOW_HOME to a folder you may write"
        yield Check(name="home", level="fail", found=f"{home}: {error.strerror}", advice=advice)
        return
    yield Check(name="home", level="ok", found=str(home))
    free = shutil.disk_usage(home).free
    level: Level = "ok" if free >= LOW_DISK_BYTES else "warn" if free >= NO_DISK_BYTES else "fail"
    advice = "" if level == "ok" else "free some; `chatflow db gc` removes what nothing refers to"
    yield Check(name="disk", level=level, found=f"{shown_size(free)} free", advice=advice)


def _sqlite(settings: Settings) -> Iterator[Check]:
    try:
        with (
            tempfile.TemporaryDirectory(dir=settings.home) as folder,
            closing(sqlite3.connect(Path(folder) / "probe.db")) as connection,
        ):
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    except (OSError, sqlite3.Error) as error:
        yield Check(name="sqlite", level="fail", found=str(error), advice="choose another home")
        return
    if mode != "wal":
        advice = "its file system cannot share memory; put CHATFLOW_HOME on a local disk"
        yield Check(
            name="sqlite", level="fail", found=f"no write-ahead log in {settings.home}", advice=advice
        )
        return
    yield Check(name="sqlite", level="ok", found=f"SQLite {sqlite3.sqlite_version}, write-ahead log works")


def _kernel() -> Iterator[Check]:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _KERNEL],
            capture_output=True,
            text=True,
            timeout=KERNEL_TIMEOUT_SEC,
            check=False,
            cwd=tempfile.gettempdir(),
        )
    except subprocess.TimeoutExpired:
        found = f"no answer within {KERNEL_TIMEOUT_SEC} s"
        yield Check(name="kernel", level="fail", found=found, advice="is the machine overloaded?")
        return
    if done.returncode == 0:
        yield Check(name="kernel", level="ok", found="a python3 kernel starts and computes")
        return
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    yield Check(name="kernel", level="fail", found=last, advice="python -m pip install --upgrade ipykernel")


def _templates(settings: Settings) -> Iterator[Check]:
    names = [template.definition.name for template in Templates(settings.template_path).all()]
    if names:
        yield Check(name="templates", level="ok", found=", ".join(names))
    else:
        yield Check(
            name="templates",
            level="warn",
            found="none found",
            advice="CHATFLOW_TEMPLATE_PATH names the folders to look in",
        )


def _tools() -> Iterator[Check]:
    missing = [name.replace("_", "-") for name in TOOLS if importlib.util.find_spec(name) is None]
    if missing:
        advice = "pip install 'chatflow-jupyter[templates]'; until then the review says: not assessed"
        yield Check(name="tools", level="warn", found=f"missing: {', '.join(missing)}", advice=advice)
    else:
        yield Check(name="tools", level="ok", found=", ".join(name.replace("_", "-") for name in TOOLS))
    if shutil.which("git") is None:
        yield Check(name="git", level="warn", found="not on the PATH", advice="apt-get install git")


def _hooks(settings: Settings) -> Iterator[Check]:
    from chatflow_jupyter.bootstrap import hooks_of

    hooks = hooks_of(settings)
    try:
        plan, processors = hooks.plan(), hooks.processors
    except ChatFlowError as error:
        yield Check(name="hooks", level="fail", found=error.message)
        return
    wanted = [f"{name} ({policy})" for name, policy in enabled_hooks(settings.hooks_enabled)]
    missing = len(wanted) - len(hooks.enabled)
    asked = {"before": plan.before, "after": plan.after, "artifacts": [one.name for one in processors]}
    points = "; ".join(f"{point}: {', '.join(names)}" for point, names in asked.items() if names)
    if missing:
        advice = f"the log in {settings.logs} says why"
        found = f"{missing} of {', '.join(wanted)} cannot be loaded and is left out"
        yield Check(name="hooks", level="warn", found=found, advice=advice)
    else:
        found = f"{', '.join(wanted)}; {points}" if wanted else "none enabled"
        yield Check(name="hooks", level="ok", found=found)


def _left_over(settings: Settings, options: argparse.Namespace) -> Iterator[Check]:
    if not settings.database.is_file():
        yield Check(name="store", level="ok", found="none yet; the first `run` makes it")
        return
    found: list[Check] = []

    async def look(session: Session) -> int:
        owners = await session.app.storage.owners()
        trees = await session.app.storage.unfinished_trees()
        adrift = [tree.root_id for tree in trees if tree.owner_id is None]
        folders = [entry.name for entry in os.scandir(settings.work)] if settings.work.is_dir() else []
        if adrift:
            advice = f"go on with: {session.command('resume', adrift[0])}"
            found.append(
                Check(
                    name="leftovers",
                    level="warn",
                    found=f"unfinished: {', '.join(adrift[:5])}",
                    advice=advice,
                )
            )
        if folders and not owners:
            advice = "the next `chatflow run` or `resume` clears them"
            text = f"{len(folders)} work folders of ended processes"
            found.append(Check(name="leftovers", level="warn", found=text, advice=advice))
        if not found:
            found.append(Check(name="leftovers", level="ok", found="none"))
        return 0

    try:
        in_session(options, "query", look)
    except ChatFlowError as error:
        found = [
            Check(name="store", level="fail", found=error.message, advice="`chatflow db check` says more")
        ]
    yield from found
