"""Where trouble is likely in a whole repository: what changes often and is complicated."""

from __future__ import annotations

from dataclasses import dataclass

from review.changes import Changes
from review.complexity import measure
from review.findings import Finding
from review.trees import Tree

MOST = 15
_MODULES = 2000


@dataclass(frozen=True, kw_only=True)
class Hotspot:
    """A module with the number of commits that touched it (None: unknown) and its paths in all functions."""

    path: str
    commits: int | None
    complexity: int
    worst: str

    @property
    def score(self) -> int:
        """Commits times complexity; complexity alone where the history is unknown."""
        return self.complexity * (1 if self.commits is None else self.commits)


def hotspots(changes: Changes, head: Tree) -> tuple[Hotspot, ...]:
    """Return the modules with the highest scores, the highest first. Tests are left out."""
    paths = [file.path for file in changes.modules if not file.is_test][:_MODULES]
    found = []
    for path, functions in measure(head, paths).items():
        complexity = sum(value for value, _ in functions.values())
        worst = max(functions, key=lambda name: functions[name][0], default="")
        commits = None if changes.churn is None else changes.churn.get(path, 0)
        found.append(Hotspot(path=path, commits=commits, complexity=complexity, worst=worst))
    ranked = sorted(found, key=lambda spot: (-spot.score, spot.path))
    return tuple(spot for spot in ranked if spot.complexity)[:MOST]


def hotspot_findings(spots: tuple[Hotspot, ...]) -> tuple[Finding, ...]:
    """Return a note on each of the first three."""
    return tuple(
        Finding(
            severity="note",
            kind="hotspot",
            rule="hotspot",
            path=spot.path,
            title=f"{spot.path}: {spot.complexity} paths"
            + ("" if spot.commits is None else f", touched by {spot.commits} commits"),
            detail=f"The most complicated function is {spot.worst}." if spot.worst else "",
            source="static",
            subject="hotspot",
        )
        for spot in spots[:3]
    )
