"""Find the files a notebook left as artifacts, trusting nothing about them."""

import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chatflow_jupyter.domain.artifact_names import is_artifact_name
from chatflow_jupyter.planted_files import read_plain_file
from chatflow_jupyter.ports.records import ARTIFACT_KINDS

log = logging.getLogger(__name__)

PRIVATE_FOLDER = ".chatflow"
"""Folder in the work directory that belongs to us: description, list of artifacts, stored variables."""

MAX_ARTIFACTS = 10_000
"""How many files of one attempt are collected at most."""

MAX_LISTING_BYTES = 4 * 1024 * 1024
"""How much is read of what a notebook declared about its artifacts."""

KIND_BY_SUFFIX = {
    ".ipynb": "notebook",
    **dict.fromkeys((".html", ".htm", ".md", ".pdf", ".sarif", ".svg", ".png"), "report"),
    **dict.fromkeys((".py", ".diff", ".patch", ".r", ".jl", ".js", ".ts", ".sql", ".sh"), "code"),
    **dict.fromkeys((".log", ".out", ".err", ".txt"), "log"),
}
"""The kind of a file whose notebook named none; any other suffix is data."""


@dataclass(frozen=True, kw_only=True)
class CollectedArtifact:
    """One file below `artifacts/`: its name relative to it (with `/`), where it lies, kind and size."""

    name: str
    path: Path
    kind: str
    size_bytes: int


def collect_artifacts(work_dir: Path) -> list[CollectedArtifact]:
    """Return the regular files below `work_dir`/artifacts, sorted by name.

    Links are neither followed nor returned, so nothing outside the folder is ever reached; sockets, pipes,
    devices, unreadable folders and names that are no text are passed over with a line in the log. The kind
    is the one declared with `ctx.artifact`, else guessed from the suffix.
    """
    root = work_dir / "artifacts"
    declared = _declared_kinds(work_dir / PRIVATE_FOLDER / "artifacts.jsonl")
    found: list[CollectedArtifact] = []
    for path, size_bytes in _regular_files(root):
        name = path.relative_to(root).as_posix()
        if not is_artifact_name(name):
            log.warning("artifact %r is passed over: its name is no plain text or too long", name)
            continue
        if len(found) >= MAX_ARTIFACTS:
            log.warning("more than %d artifacts: the rest is passed over", MAX_ARTIFACTS)
            break
        kind = declared.get(name) or KIND_BY_SUFFIX.get(PurePosixPath(name).suffix.lower(), "data")
        found.append(CollectedArtifact(name=name, path=path, kind=kind, size_bytes=size_bytes))
    return sorted(found, key=lambda artifact: artifact.name)


def _regular_files(root: Path) -> Iterator[tuple[Path, int]]:
    try:
        if not stat.S_ISDIR(root.lstat().st_mode):
            log.warning("artifacts/ is no folder: nothing is collected")
            return
    except FileNotFoundError:
        return
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            log.warning("artifacts: %s cannot be read: %s", folder.name, error.strerror)
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # it went away meanwhile
            if stat.S_ISDIR(status.st_mode):
                folders.append(Path(entry.path))
            elif stat.S_ISREG(status.st_mode):
                yield Path(entry.path), status.st_size
            else:
                log.warning("artifact %r is passed over: it is no regular file", entry.name)


def _declared_kinds(listing: Path) -> Mapping[str, str]:
    """Read what `ctx.artifact` declared; a torn or foreign line is passed over, the last one wins."""
    kinds: dict[str, str] = {}
    try:
        lines = read_plain_file(listing, most_bytes=MAX_LISTING_BYTES).splitlines()
    except OSError:
        return kinds
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        match entry:
            case {"name": str(name), "kind": str(kind)} if kind in ARTIFACT_KINDS:
                kinds[name] = kind
    return kinds
