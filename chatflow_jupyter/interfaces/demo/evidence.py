"""What the demonstration proves: phases kept over a kill, and the findings as stored."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatflow_jupyter.interfaces.cli.terminal import painted, safe_line, safe_text

EXPECTED = {
    "notebook": "a notebook that runs at base and dies at head",
    "signature": "a changed signature whose unchanged caller breaks",
    "mutant": "a changed line whose mutant no test notices",
}
NEEDS = {"mutant": "coverage"}
COLOURS = {"high": "red", "medium": "yellow"}
MAX_EVIDENCE_LINES = 4

Row = dict[str, Any]  # decoded JSON of our own commands


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Finished phases before the kill, those of them that started again after it, and what was cut off."""

    kept: tuple[str, ...]
    run_twice: tuple[str, ...]
    cut_off: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Say it to the reader."""
        again = f"; cut off and begun anew: {', '.join(self.cut_off)}" if self.cut_off else ""
        twice = "none ran twice" if not self.run_twice else f"{len(self.run_twice)} RAN TWICE"
        return f"{len(self.kept)} finished phases kept, {twice}{again}"


def kept_phases(before: Sequence[Row], after: Sequence[Row]) -> Kept:
    """Compare the history at the kill with the history after the resume."""
    finished = {_place(event): _name(event) for event in before if event["type"] == "PhaseSucceeded"}
    known = {event["event_id"] for event in before}
    later = [event for event in after if event["event_id"] not in known]
    started = {_place(event) for event in later if event["type"] == "PhaseStarted"}
    lost = dict.fromkeys(_name(event) for event in later if event["type"] == "AttemptLost")
    return Kept(
        kept=tuple(finished.values()),
        run_twice=tuple(name for place, name in finished.items() if place in started),
        cut_off=tuple(lost),
    )


def print_findings(saved: Mapping[str, Path]) -> bool:
    """Print of each expected kind the first finding; return whether every kind is there."""
    review = saved.get("aggregate/review.json")
    findings: list[Row] = []
    if review is not None:
        findings = json.loads(review.read_text(encoding="utf-8")).get("findings", [])
    found_all = True
    for kind, description in EXPECTED.items():
        first = next((finding for finding in findings if finding.get("kind") == kind), None)
        if first is None and kind in NEEDS and importlib.util.find_spec(NEEDS[kind]) is None:
            _say(f"  not assessed: {description}: {NEEDS[kind]} is not installed")
            _say("                pip install 'chatflow-jupyter[templates]' brings what the review calls")
        elif first is None:
            found_all = False
            _say(f"  not found: {description}")
        else:
            _print(first)
    rest = len(findings) - len({finding.get("kind") for finding in findings} & set(EXPECTED))
    if rest > 0:
        _say(f"  and {rest} more in the report")
    return found_all


def _print(finding: Row) -> None:
    severity = str(finding.get("severity", ""))
    path, title = safe_line(str(finding.get("path", ""))), safe_line(str(finding["title"]), 160)
    if not title.startswith(path):
        title = f"{path}:{finding['line']}  {title}" if finding.get("line") else f"{path}  {title}"
    _say(f"  {painted(severity.ljust(7), COLOURS.get(severity, 'bold'), sys.stdout)} {title}")
    shown = safe_text(str(finding.get("evidence") or finding.get("detail") or "")).splitlines()
    for line in [line for line in shown if line.strip()][:MAX_EVIDENCE_LINES]:
        _say(f"            {line[:140]}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _place(event: Row) -> tuple[str, str]:
    return str(event["instance_id"]), str(event["phase"])


def _name(event: Row) -> str:
    phase = str(event["phase"])
    return (
        phase if event["instance_id"] == event["root_id"] else f"{phase} of {str(event['instance_id'])[-6:]}"
    )
