"""The set-up commands say in one line what is missing, and touch nothing then."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT


def _set_up(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up in a copy of the checkout's ground, with a Python that answers as told."""
    clone = folder / "a clone"
    clone.mkdir()
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    fake = folder / "python"
    fake.write_text(f"#!/bin/sh\n{python}\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [str(clone / ".ci" / "environment"), "demo"],
        env={"PATH": os.defpath, "HOME": str(folder), "PYTHON": str(fake)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (clone / ".venv").exists()
    return done


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "chatflow: needs Python 3.11 or newer"),
        (
            'case "$2" in *ensurepip*) exit 1 ;; *print*) echo python3.11-venv ;; esac',
            "apt-get install python3.11-venv",
        ),
    ],
    ids=["too old", "no venv"],
)
def test_what_is_missing_is_named_in_one_line(python: str, said: str, tmp_path: Path) -> None:
    done = _set_up(tmp_path, python)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
