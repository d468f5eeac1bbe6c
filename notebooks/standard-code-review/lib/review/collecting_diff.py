"""Phase `collect` when all there is is a ``.diff``: only what can be read from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from review.changes import DIFF, LOOKED, SKIPPED, TRUNCATED, Changes, FileChange
from review.diffs import FileDiff, Hunk, files_of, shortened_hunks
from review.findings import NotAssessed
from review.options import Options
from review.sorting_out import is_test, key_of, reason_by_name
from review.symbols import defined_in, touched
from review.trees import is_safe, write_tree

DIFF_LIMIT_BYTES = 20_000_000
_WHY = "a .diff shows lines, not whole files: review the repository itself"


def collect_diff(options: Options, scratch: Path) -> tuple[Changes, Path, Path]:
    """Read a ``.diff``; return the changes and the (mostly empty) trees at base and head.

    New files are complete in a diff, so these and only these are in the tree at head.
    """
    with options.path.open("rb") as stream:
        raw = stream.read(DIFF_LIMIT_BYTES + 1)
    notes = ["only a .diff was given: what needs whole files, tests or notebooks is not assessed"]
    if len(raw) > DIFF_LIMIT_BYTES:
        notes.append(f"the .diff is cut after {DIFF_LIMIT_BYTES / 1e6:.0f} MB")
    diffs = files_of(raw[:DIFF_LIMIT_BYTES].decode("utf-8", "replace"))
    if not diffs:
        notes.append("no file header was found in it: is this a unified diff?")
    taken: set[str] = set()
    files, new_files = [], []
    for diff in diffs:
        file = _file_change(diff, taken, number=len(taken), most=options.max_files)
        files.append(file)
        if file.complete and file.is_readable and is_safe(file.path):
            lines = [text for hunk in diff.hunks for _, text in hunk.added()]
            new_files.append((file.path, "".join(f"{line}\n" for line in lines).encode(), False))
    changes = Changes(
        mode=DIFF,
        target=str(options.path),
        head="the .diff as given",
        notes=tuple(notes),
        files=tuple(files),
        not_assessed=(NotAssessed(what="files the .diff does not show", reason=_WHY),),
    )
    return changes, write_tree(scratch / "base.zip", ()), write_tree(scratch / "head.zip", new_files)


def _file_change(diff: FileDiff, taken: set[str], *, number: int, most: int) -> FileChange:
    path, status = diff.path or diff.old_path, _status(diff)
    hunks, left_out = shortened_hunks(diff.hunks)
    added, removed = (sum(line[:1] == mark for hunk in diff.hunks for line in hunk.lines) for mark in "+-")
    reason = "binary" if diff.binary else reason_by_name(path, "100644", 0)
    file = FileChange(
        path=path,
        old_path=diff.old_path,
        status=status,
        verdict=SKIPPED if reason else TRUNCATED if left_out else LOOKED,
        reason=reason or (f"the last {left_out} lines of its diff are left out" if left_out else ""),
        hunks=hunks,
        added=added,
        removed=removed,
        symbols=_symbols(hunks, status)[:200],
        is_test=is_test(path),
        complete=status == "added" and not left_out,
    )
    reviewed = file.is_python and file.is_readable and not file.is_test and number < most
    return replace(file, key=key_of(path, taken)) if reviewed else file


def _status(diff: FileDiff) -> str:
    if not diff.old_path:
        return "added"
    if not diff.path:
        return "deleted"
    return "changed" if diff.old_path == diff.path else "moved"


def _symbols(hunks: tuple[Hunk, ...], status: str) -> tuple[str, ...]:
    loose = [text for hunk in hunks for _, text in hunk.added()]
    if status == "added":
        return touched("\n".join(loose), range(1, len(loose) + 1))
    return defined_in(loose)
