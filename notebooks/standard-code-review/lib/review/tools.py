"""The programs of phase `static`: installed beside us, never the reviewed code's own."""

from __future__ import annotations

import importlib.util
import json
import posixpath
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from review.changes import Changes, FileChange
from review.findings import Finding, NotAssessed
from review.process import clean_environment, execute
from review.trees import Tree
from review.values import Json

TOOL_SEC = 180.0
_BATCH = 400
INSTALL = "pip install 'chatflow-jupyter[templates]'"


class ToolFailed(RuntimeError):
    """A tool is missing, took too long or said something that cannot be read; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Both trees, the looked-at files of head on disk, and what is looked at in them."""

    changes: Changes
    base: Tree
    head: Tree
    head_folder: Path
    home: Path

    @property
    def modules(self) -> tuple[FileChange, ...]:
        """The Python files whose whole content is known."""
        return tuple(file for file in self.changes.modules if file.complete and file.path in self.head.paths)

    @property
    def readable(self) -> tuple[FileChange, ...]:
        """Every text file whose whole content is known."""
        return tuple(
            file
            for file in self.changes.files
            if file.is_readable and file.complete and file.path in self.head.paths
        )


@dataclass(frozen=True, kw_only=True)
class ToolReport:
    """What one tool did: how many files it saw, what it found, or why it did not run."""

    tool: str
    looks_for: str
    files: int = 0
    findings: tuple[Finding, ...] = ()
    not_assessed: tuple[NotAssessed, ...] = ()

    @property
    def result(self) -> str:
        """One cell of the table: the number of findings, or why there is none."""
        reason = f"not assessed: {self.not_assessed[0].reason}" if self.not_assessed else ""
        if not self.files:
            return reason or "no file to look at"
        found = f"{len(self.findings)} finding(s)" if self.findings else "nothing found"
        return f"{found}; {reason}" if reason else found


def prepare(changes: Changes, base: Tree, head: Tree, scratch: Path) -> Place:
    """Write the files that tools read below `scratch`."""
    head_paths = [file.path for file in changes.files if file.is_readable]
    return Place(
        changes=changes,
        base=base,
        head=head,
        head_folder=head.extract(scratch / "head", head_paths),
        home=scratch,
    )


def call(
    place: Place, folder: Path, module: str, arguments: Sequence[str], *, ok: tuple[int, ...] = (0,)
) -> str:
    """Run ``python -m module`` in `folder` and return what it printed; raise `ToolFailed` otherwise.

    ``-P`` keeps the reviewed folder off the import path: a file called ``json.py`` in it stays a file.
    """
    if importlib.util.find_spec(module) is None:
        raise ToolFailed(f"{module.replace('_', '-')} is not installed ({INSTALL})")
    done = execute(
        [sys.executable, "-P", "-m", module, *arguments],
        cwd=folder,
        timeout_sec=TOOL_SEC,
        environment=clean_environment(place.home),
    )
    if done.timed_out:
        raise ToolFailed(f"{module} took longer than {TOOL_SEC:.0f} seconds")
    if done.exit_code not in ok:
        last = done.last_words.splitlines()[-1:] or [f"status {done.exit_code}"]
        raise ToolFailed(f"{module} failed: {last[0]}")
    return done.stdout.decode("utf-8", "replace")


def call_on_files(
    place: Place,
    folder: Path,
    module: str,
    arguments: Sequence[str],
    paths: Sequence[str],
    *,
    ok: tuple[int, ...] = (0,),
) -> list[Json]:
    """Run a tool that prints JSON on `paths`, a few hundred at a time, and return one answer a batch."""
    answers: list[Json] = []
    for start in range(0, len(paths), _BATCH):
        batch = [f"./{path}" for path in paths[start : start + _BATCH]]
        said = call(place, folder, module, [*arguments, *batch], ok=ok)
        try:
            answers.append(json.loads(said))
        except ValueError as error:
            raise ToolFailed(f"{module} did not answer in JSON") from error
    return answers


def as_path(name: Json, folder: Path) -> str:
    """Return a tool's file name as a path of the tree."""
    given = posixpath.normpath(str(name))
    return given.removeprefix(f"{folder}/").removeprefix(f"{folder.resolve()}/")
