"""The demonstration, played once, as a newcomer would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import COMMAND

EVENT = {"event_id": "", "type": "", "phase": "one", "instance_id": "wfi_a", "root_id": "wfi_a"}


def test_three_acts(tmp_path: Path, repository: Path) -> None:
    environment = {
        **os.environ,
        "CHATFLOW_HOME": str(tmp_path / "home"),
        "CHATFLOW_TEMPLATE_PATH": str(repository / "notebooks"),
    }
    done = subprocess.run(
        [*COMMAND, "demo"], env=environment, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ruff: all checks passed · tests: OK" in done.stdout
    assert re.search(r"\d+ finished phases kept, none ran twice; cut off and begun anew: \w+", done.stdout)
    assert "notebooks/monthly_report.ipynb" in done.stdout
    assert "shop/labels.py:8" in done.stdout
    assert re.search(r"shop/pricing.py:\d+", done.stdout)
    approve = re.search(r"approve:  chatflow (trigger wfi_\w+ --approve --home \S+)", done.stdout)
    report = re.search(r"report:   (\S+)", done.stdout)
    assert approve is not None
    assert report is not None
    assert "<html" in Path(report[1]).read_text(encoding="utf-8")
    assert "demo --here" in done.stdout
    told = done.stderr.splitlines()
    assert not [line for line in told if "wfi_" in line or "PhaseStarted" in line]
    for sentence in ("● collect: begins", "✓ collect: ", "is lost", "◆ publish: waits for approval"):
        assert [line for line in told if sentence in line], (sentence, told)
    assert all(len(line) < 200 for line in told)
    approved = subprocess.run(
        [*COMMAND, *approve[1].split()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert approved.returncode == 0, approved.stdout + approved.stderr
    saved = tmp_path / "saved"
    again = [*COMMAND, "artifacts", "last", "--save", str(saved), "--home", approve[1].split()[-1]]
    subprocess.run(again, env=environment, capture_output=True, timeout=90, check=True)
    assert "Approved by local (" in (saved / "publish" / "report.html").read_text(encoding="utf-8")


def test_a_folder_of_somebody_else_is_not_cleared(tmp_path: Path) -> None:
    precious = tmp_path / "home" / "demo" / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.touch()
    environment = {**os.environ, "CHATFLOW_HOME": str(tmp_path / "home")}
    done = subprocess.run([*COMMAND, "demo"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "move it away" in done.stderr
    assert precious.exists()


@pytest.mark.parametrize("again", [False, True])
def test_what_was_kept_is_counted_from_the_history(again: bool) -> None:
    from chatflow_jupyter.interfaces.demo.evidence import kept_phases

    before = [
        {**EVENT, "event_id": "1", "type": "PhaseSucceeded"},
        {**EVENT, "event_id": "2", "type": "PhaseStarted", "phase": "two"},
    ]
    after = [
        *before,
        {**EVENT, "event_id": "3", "type": "AttemptLost", "phase": "two"},
        {**EVENT, "event_id": "4", "type": "PhaseStarted", "phase": "one" if again else "two"},
    ]
    kept = kept_phases(before, after)
    assert (kept.kept, kept.cut_off) == (("one",), ("two",))
    assert kept.run_twice == (("one",) if again else ())


def test_the_program_is_named_as_it_can_be_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from chatflow_jupyter.interfaces.cli.session import program

    script = tmp_path / "a folder" / "chatflow"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == f"'{script}'"
    monkeypatch.chdir(tmp_path)
    assert program() == "'a folder/chatflow'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "chatflow"
