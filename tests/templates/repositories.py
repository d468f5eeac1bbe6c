"""Small git repositories, and the review of them phase by phase."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": "2026-01-01T00:00:00+00:00",
        "GIT_COMMITTER_DATE": "2026-01-01T00:00:00+00:00",
    }
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str | bytes | None]) -> None:
    """Write files; None deletes one."""
    for name, content in files.items():
        place = folder / name
        if content is None:
            place.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_change(
    folder: Path, base: Mapping[str, str | bytes], head: Mapping[str, str | bytes | None]
) -> "Made":
    """Make a repository: `base` is committed on main, `head` on the branch change, which is checked out."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", ".")
    write(folder, base)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "base")
    git(folder, "checkout", "-q", "-b", "change")
    write(folder, head)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "head")
    return Made(folder=folder, scratch=folder.parent / "scratch")


@dataclass(frozen=True)
class Made:
    """A target and what `collect` makes of it."""

    folder: Path
    scratch: Path
    parameters: Mapping[str, Any] | None = None

    def with_(self, **parameters: Any) -> "Made":
        """The same target, looked at with these parameters."""
        return Made(folder=self.folder, scratch=self.scratch, parameters=parameters)

    @cached_property
    def options(self) -> Any:
        from review.options import Options

        return Options.read({"path": str(self.folder), **(self.parameters or {})})

    @cached_property
    def collected(self) -> Any:
        from review.collecting import collect

        return collect(self.options, self.scratch)

    @property
    def changes(self) -> Any:
        return self.collected.changes

    @cached_property
    def base(self) -> Any:
        from review.trees import Tree

        return Tree(self.collected.base)

    @cached_property
    def head(self) -> Any:
        from review.trees import Tree

        return Tree(self.collected.head)

    def file(self, path: str) -> Any:
        found = self.changes.file(path)
        assert found is not None, [file.path for file in self.changes.files]
        return found

    def static(self) -> Any:
        """What the phase `static` reports."""
        from review.static import static_report

        scratch = self.scratch / "static"
        return static_report(self.changes, self.base, self.head, self.options.rules, scratch)[0]

    def testing(self) -> Any:
        """What the phase `testing` reports and measures."""
        from review.testing import run_tests

        return run_tests(self.changes, self.base, self.head, self.options, self.scratch / "testing")

    def review(self, path: str, coverage: Any = None) -> Any:
        """What the review of one file reports."""
        from review.file_review import review_file

        scratch = self.scratch / "files" / path.replace("/", "-")
        scratch.mkdir(parents=True, exist_ok=True)
        return review_file(
            self.file(path), self.changes, self.base, self.head, coverage, self.options, scratch
        )

    def notebooks(self) -> Any:
        """What the phase `notebooks` reports."""
        from review.notebook_review import review_notebooks

        return review_notebooks(self.changes, self.base, self.head, self.options, self.scratch / "notebooks")

    def reviewed(self, gate: Mapping[str, Any] | None = None) -> dict[str, str]:
        """The whole review without kernels of its own: the report in its four forms."""
        from review.aggregating import aggregate
        from review.decisions import Decision
        from review.publishing import render

        testing = self.testing()
        files = [
            (file.path, self.review(file.path, testing.coverage)) for file in self.changes.reviewed_one_by_one
        ]
        reports = {"static": self.static(), "testing": testing.report, "notebooks": self.notebooks()}
        decision = Decision.from_json(gate) if gate else None
        written: dict[str, str] = render(aggregate(self.changes, reports, files), "1.0.0", decision)
        return written
