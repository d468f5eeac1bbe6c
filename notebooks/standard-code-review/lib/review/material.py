"""What a phase starts from: the frozen trees and the reports of the phases before it.

The only module here that knows of `ctx`. Opened by hand, a notebook has no earlier phases; then the target is
looked at on the spot, so that every notebook of the template can be read and run alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chatflow_sdk.phase import PhaseError
from review.changes import Changes
from review.collecting import collect
from review.coverage_map import CoverageMap
from review.decisions import Decision
from review.options import Options
from review.reports import PhaseReport
from review.trees import Tree
from review.values import Json, mapping

CHANGES, BASE, HEAD, COVERAGE = "changes.json", "base.zip", "head.zip", "coverage.json"


class Context(Protocol):
    """The part of the SDK's context that is used here."""

    @property
    def is_interactive(self) -> bool:
        """Whether the notebook was opened by hand."""

    @property
    def work_dir(self) -> Path:
        """The attempt's own folder."""

    @property
    def parameters(self) -> Mapping[str, Json]:
        """What the phase was started with."""

    def get(self, path: str) -> Json:
        """Return a variable of the instance, or None."""

    def input(self, phase: str, name: str) -> Path:
        """Return a copy of an earlier phase's artifact."""

    def output(self, key: str, value: object) -> None:
        """Report an outcome."""

    def parent_input(self, phase: str, name: str) -> Path:
        """Return a copy of an artifact of the parent's phase."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """The reviewed change and both trees."""

    changes: Changes
    base: Tree
    head: Tree


def options_of(ctx: Context, given: Mapping[str, Json]) -> Options:
    """Return the options: what stands in the notebook, overruled by what the phase was started with."""
    return Options.read({**given, **ctx.parameters})


def scratch_of(ctx: Context) -> Path:
    """Return the folder for copies and temporary files, beside nothing that is kept."""
    folder = ctx.work_dir / ".review" if ctx.is_interactive else ctx.work_dir / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def material_of(ctx: Context, options: Options, *, of_parent: bool = False) -> Material:
    """Return what `collect` froze; opened by hand, look at the target now."""
    if ctx.is_interactive:
        collected = collect(options, scratch_of(ctx))
        return Material(changes=collected.changes, base=Tree(collected.base), head=Tree(collected.head))
    fetch = ctx.parent_input if of_parent else ctx.input
    changes = Changes.from_json(mapping(read_json(fetch("collect", CHANGES)), CHANGES))
    return Material(changes=changes, base=Tree(fetch("collect", BASE)), head=Tree(fetch("collect", HEAD)))


def coverage_of(ctx: Context) -> CoverageMap | None:
    """Return what `testing` of the parent measured, or None when it measured nothing."""
    try:
        return CoverageMap.from_json(read_json(ctx.parent_input("testing", COVERAGE)))
    except PhaseError:
        return None


def report_of(ctx: Context, phase: str) -> PhaseReport | None:
    """Return what an earlier phase reported, or None when it did not run."""
    try:
        return PhaseReport.from_json(read_json(ctx.input(phase, f"{phase}.json")))
    except PhaseError:
        return None


def decision_of(ctx: Context, phase: str) -> Decision | None:
    """Return who opened the gate before `phase`, or None when there was none."""
    opened = ctx.get(f"{phase}.gate")
    return Decision.from_json(opened) if isinstance(opened, Mapping) else None


def announce(ctx: Context, report: PhaseReport, fine: str) -> None:
    """Tell whoever follows the review what the phase found: a headline and its severity."""
    ctx.output("headline", report.headline(fine))
    ctx.output("severity", report.severity)


def read_json(path: Path) -> Json:
    """Read a JSON file."""
    value: Json = json.loads(path.read_bytes())
    return value
