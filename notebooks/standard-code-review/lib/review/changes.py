"""What `collect` found, as the later phases read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from review.diffs import Hunk, hunks_from_json
from review.findings import NotAssessed
from review.values import Json, objects, printable, strings, text, whole

CHANGE, REPOSITORY, FOLDER, DIFF = "change", "repository", "folder", "diff"
"""The ways of looking: a change between two commits, a whole repository, a folder, a ``.diff`` alone."""

LOOKED, TRUNCATED, SKIPPED = "looked at", "truncated", "skipped"


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file of the change (or of the whole tree) and what becomes of it in this review.

    `status` is ``added``, ``changed``, ``deleted``, ``moved`` or ``present``. `complete` says whether the
    whole content at head is known, which a ``.diff`` gives for new files only.
    """

    path: str
    old_path: str = ""
    status: str = "changed"
    verdict: str = LOOKED
    reason: str = ""
    key: str = ""
    hunks: tuple[Hunk, ...] = ()
    added: int = 0
    removed: int = 0
    symbols: tuple[str, ...] = ()
    is_test: bool = False
    complete: bool = True
    whole: bool = False

    @property
    def is_python(self) -> bool:
        """Whether this is a Python module that exists at head."""
        return self.path.endswith(".py") and self.status != "deleted"

    @property
    def is_notebook(self) -> bool:
        """Whether this is a notebook that exists at head."""
        return self.path.endswith(".ipynb") and self.status != "deleted"

    @property
    def is_readable(self) -> bool:
        """Whether later phases look at the content."""
        return self.verdict != SKIPPED and self.status != "deleted"

    @cached_property
    def lines(self) -> frozenset[int]:
        """The numbers of the added or changed lines at head."""
        return frozenset(number for hunk in self.hunks for number, _ in hunk.added())

    def counts(self, line: int) -> bool:
        """Whether a remark about `line` belongs to this review: it changed, or everything is looked at."""
        return self.whole or line in self.lines

    def as_json(self) -> dict[str, Json]:
        """Return the file change as JSON."""
        return {
            "path": printable(self.path),
            "old_path": printable(self.old_path),
            "status": self.status,
            "verdict": self.verdict,
            "reason": printable(self.reason),
            "key": self.key,
            "hunks": [hunk.as_json() for hunk in self.hunks],
            "added": self.added,
            "removed": self.removed,
            "symbols": list(self.symbols),
            "is_test": self.is_test,
            "complete": self.complete,
            "whole": self.whole,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> FileChange:
        """Read what `as_json` wrote."""
        return cls(
            path=text(data.get("path")),
            old_path=text(data.get("old_path")),
            status=text(data.get("status")),
            verdict=text(data.get("verdict")),
            reason=text(data.get("reason")),
            key=text(data.get("key")),
            is_test=data.get("is_test") is True,
            complete=data.get("complete") is True,
            whole=data.get("whole") is True,
            hunks=hunks_from_json(data.get("hunks")),
            added=whole(data.get("added")),
            removed=whole(data.get("removed")),
            symbols=strings(data.get("symbols")),
        )


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Everything `collect` hands on. `base` and `head` are short texts for people, '' where there is none."""

    mode: str
    target: str
    base: str = ""
    head: str = ""
    notes: tuple[str, ...] = ()
    files: tuple[FileChange, ...] = ()
    churn: Mapping[str, int] | None = None
    not_assessed: tuple[NotAssessed, ...] = ()

    @property
    def has_base(self) -> bool:
        """Whether there is an earlier state to compare with."""
        return self.mode == CHANGE

    @property
    def modules(self) -> tuple[FileChange, ...]:
        """The changed Python files whose content is looked at, tests included."""
        return tuple(file for file in self.files if file.is_python and file.is_readable)

    @property
    def reviewed_one_by_one(self) -> tuple[FileChange, ...]:
        """The changed modules that get a review of their own: tests do not, nor does anything unchanged."""
        if self.mode not in (CHANGE, DIFF):
            return ()
        return tuple(file for file in self.modules if not file.is_test and file.key)

    def file(self, path: str) -> FileChange | None:
        """Return the change of one file, or None when it did not change."""
        return next((file for file in self.files if file.path == path), None)

    def as_json(self) -> dict[str, Json]:
        """Return everything as JSON."""
        return {
            "mode": self.mode,
            "target": printable(self.target),
            "base": printable(self.base),
            "head": printable(self.head),
            "notes": [printable(note) for note in self.notes],
            "files": [file.as_json() for file in self.files],
            "churn": None if self.churn is None else dict(self.churn),
            "not_assessed": [item.as_json() for item in self.not_assessed],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Changes:
        """Read what `as_json` wrote."""
        churn = data.get("churn")
        return cls(
            mode=text(data.get("mode")),
            target=text(data.get("target")),
            base=text(data.get("base")),
            head=text(data.get("head")),
            notes=strings(data.get("notes")),
            files=tuple(FileChange.from_json(item) for item in objects(data.get("files"))),
            churn={path: whole(times) for path, times in churn.items()}
            if isinstance(churn, Mapping)
            else None,
            not_assessed=tuple(NotAssessed.from_json(item) for item in objects(data.get("not_assessed"))),
        )
