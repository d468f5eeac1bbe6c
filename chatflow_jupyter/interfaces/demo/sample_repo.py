"""The small repository the demonstration reviews.

A believable shop with a branch that passes its linter and all of its own tests, and is
nevertheless wrong in three places that only running things shows:

* ``notebooks/monthly_report.ipynb`` dies at head, because ``quote`` no longer returns a mapping;
* ``shop/pricing.py`` gives the bulk discount from 100 pieces on, and no test looks at 100;
* ``shop/labels.py``, which the branch does not touch, still calls ``shipping_cents`` the old way.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from chatflow_jupyter.interfaces.demo.sample_sources import BASE_FILES, HEAD_FILES

DEFAULT_BRANCH = "main"
CHANGE_BRANCH = "bulk-orders"


@dataclass(frozen=True, kw_only=True)
class SampleRepository:
    """A git repository on disk, checked out at `head`; `base` and `head` are commit ids."""

    path: Path
    base: str
    head: str


def make_sample_repository(folder: Path) -> SampleRepository:
    """Make the sample repository in `folder`, which is created and has to be empty.

    Two commits, on ``main`` and on ``bulk-orders``; their ids are the same on every machine.
    Raises `FileExistsError` when the folder holds anything, `RuntimeError` when git refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: the sample repository needs a folder of its own")
    _git(folder, "init", "--quiet", "--template=", f"--initial-branch={DEFAULT_BRANCH}")
    base = _commit(folder, BASE_FILES, "Shop with prices, orders and labels", "2026-03-02T09:00:00+00:00")
    _git(folder, "checkout", "--quiet", "-b", CHANGE_BRANCH)
    head = _commit(
        folder,
        HEAD_FILES,
        "Bulk discount, shipping by country, quotes as values",
        "2026-03-04T15:30:00+00:00",
    )
    return SampleRepository(path=folder, base=base, head=head)


def _commit(folder: Path, files: dict[str, str], message: str, date: str) -> str:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    _git(folder, "add", "--", *sorted(files))
    _git(folder, "commit", "--quiet", "--no-verify", "-m", message, date=date)
    return _git(folder, "rev-parse", "HEAD").strip()


def _git(folder: Path, *arguments: str, date: str = "2026-03-02T09:00:00+00:00") -> str:
    """Run git with an identity and a configuration of its own, whatever the caller's are."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    person = {"NAME": "Ada Shopkeeper", "EMAIL": "ada@shop.example"}
    environment = kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
        "HOME": str(folder),
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_{key}": value for key, value in person.items()}
    flags = ["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false", "-c", f"core.hooksPath={os.devnull}"]
    done = subprocess.run(
        ["git", *flags, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout
