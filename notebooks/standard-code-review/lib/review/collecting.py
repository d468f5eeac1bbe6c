"""Phase `collect`: find out what is reviewed, and freeze it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from review.changes import CHANGE, FOLDER, REPOSITORY, SKIPPED, TRUNCATED, Changes, FileChange
from review.collecting_diff import collect_diff
from review.diffs import hunks_of, shortened_hunks
from review.findings import NotAssessed
from review.git import GitFailed, RawChange, Repository, TreeEntry, inside_repository
from review.options import BadOption, Options
from review.sorting_out import COPY_LIMIT_BYTES, is_test, key_of, reason_by_content, reason_by_name
from review.stored_forms import converted, is_unchanged, reason_by_form
from review.symbols import touched
from review.trees import write_tree

TREE_LIMIT_BYTES = 200_000_000
WORK_TREE = "WORKTREE"
_STATUS = {"A": "added", "D": "deleted", "R": "moved"}
_DIFF_SUFFIXES = (".diff", ".patch")


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What there is to review and copies of the files at base and at head, below the scratch folder."""

    changes: Changes
    base: Path
    head: Path


@dataclass(frozen=True, kw_only=True)
class _Range:
    """The two states to compare, as git names them, and what to tell the reader about the choice."""

    base: str
    head: str
    base_label: str = ""
    head_label: str = ""
    head_commit: str = ""
    notes: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()


def collect(options: Options, scratch: Path) -> Collected:
    """Look at `options.path`, write nothing to it, and return what is reviewed.

    A ``.diff`` is read as such; a git repository is compared between base and head, or looked at as a whole
    when no Python file changed; a folder without git is looked at as a whole.
    Raises `BadOption` when nothing is there, `GitFailed` when git names a problem the caller has to solve.
    """
    if not options.path.exists():
        raise BadOption(
            f"path: there is nothing at {options.path}. Name a folder, a git repository or a .diff file."
        )
    if options.path.is_file():
        if options.path.suffix not in _DIFF_SUFFIXES:
            raise GitFailed(
                f"{options.path} is a file: name a folder, a repository, or a .diff or .patch file"
            )
        changes, base, head = collect_diff(options, scratch)
        return Collected(changes=changes, base=base, head=head)
    repository = inside_repository(options.path, scratch)
    if repository is None or not _has_history(repository):
        folder = Repository.of_folder(options.path, scratch / "folder")
        tree = folder.snapshot("", untracked=True)
        note = "there is no git history here: nothing is compared, and how often a file changes is unknown"
        chosen = _Range(base=tree, head=tree, head_label="the folder as it is", notes=(note,))
        chosen = replace(chosen, passed_over=tuple(folder.passed_over.items()))
        return _whole(options, folder, chosen, FOLDER, scratch)
    chosen = _choose(options, repository)
    collected = _changed(options, repository, chosen, scratch)
    if any(file.is_python or file.is_notebook for file in collected.changes.files if file.is_readable):
        return collected
    why = "no Python file changed between base and head, so the whole repository is looked at"
    return _whole(options, repository, replace(chosen, notes=(*chosen.notes, why)), REPOSITORY, scratch)


def _has_history(repository: Repository) -> bool:
    """Whether there is a commit, and it holds something below the folder that was named."""
    try:
        head = repository.resolve("HEAD")
    except GitFailed:
        return False
    return any(entry.path.startswith(repository.scope) for entry in repository.tree(head))


def _choose(options: Options, repository: Repository) -> _Range:
    """Choose base and head: what was asked for, or the point where the branch left the default branch."""
    wants_work_tree = options.head == WORK_TREE
    commit = repository.resolve("HEAD" if wants_work_tree or not options.head else options.head)
    notes: list[str] = []
    base = _base(options, repository, commit, notes)
    head, label = commit, repository.describe(commit)
    passed_over: dict[str, str] = {}
    if not options.head or wants_work_tree:
        uncommitted = _uncommitted(repository, commit, notes)
        if uncommitted and (wants_work_tree or not repository.changes(base, commit)):
            head, label = repository.snapshot(commit, untracked=True), f"the work tree on {label}"
            passed_over = repository.passed_over
            notes.append(f"head is the work tree: {uncommitted} uncommitted file(s) are part of the change")
        elif uncommitted:
            notes.append(
                f"{uncommitted} file(s) of the work tree are changed, not committed, and were not looked at"
                f" (head={WORK_TREE} looks at them)"
            )
    base_label = repository.describe(base)
    return _Range(
        base=base,
        head=head,
        base_label=base_label,
        head_label=label,
        head_commit=commit,
        notes=tuple(notes),
        passed_over=tuple(passed_over.items()),
    )


def _base(options: Options, repository: Repository, head: str, notes: list[str]) -> str:
    if options.base:
        return repository.resolve(options.base)
    branch = repository.default_branch()
    if not branch:
        notes.append(
            "no default branch was found (main, master, trunk, develop): name a base to see a change"
        )
        return head
    base = repository.merge_base(repository.resolve(branch), head)
    if not base:
        notes.append(f"head shares no history with {branch}: name a base to see a change")
        return head
    if base != head:
        notes.append(f"base is where head left {branch}")
    return base


def _uncommitted(repository: Repository, commit: str, notes: list[str]) -> int:
    """Count the tracked files that differ on disk; those that git only stored in another form do not."""
    if repository.root is None:
        return 0
    tree = repository.snapshot(commit, untracked=False)
    changes = repository.changes(commit, tree)
    sizes = {entry.path: entry.size_bytes for entry in repository.tree(tree)}
    contents = _contents(changes, repository, commit, tree)
    reasons = [_form(change, sizes.get(change.path, 0), contents) for change in changes]
    unchanged = sum(map(is_unchanged, reasons))
    if unchanged:
        notes.append(
            f"{unchanged} file(s) on disk differ from the commit only in form (line ends, Git LFS): no change"
        )
    return len(changes) - unchanged


def _contents(changes: Iterable[RawChange], repository: Repository, base: str, head: str) -> dict[str, bytes]:
    """Return what is at both sides of the changes, except what is too large to be read."""
    wanted = [oid for change in changes for oid in (change.new_oid, change.old_oid) if oid.strip("0")]
    entries = (*repository.tree(base), *repository.tree(head))
    small = {entry.oid for entry in entries if entry.size_bytes <= COPY_LIMIT_BYTES}
    return repository.contents([oid for oid in wanted if oid in small])


def _form(change: RawChange, size_bytes: int, contents: Mapping[str, bytes]) -> str:
    """Return why a file at both sides is no change to be read line by line, or ''."""
    if change.status in "AD" or change.old_oid == change.new_oid:
        return ""
    return reason_by_form(contents.get(change.old_oid, b""), contents.get(change.new_oid), size_bytes)


def _changed(options: Options, repository: Repository, chosen: _Range, scratch: Path) -> Collected:
    raw = [
        change
        for change in repository.changes(chosen.base, chosen.head)
        if change.path.startswith(repository.scope)
    ]
    sizes = {entry.path: entry for entry in repository.tree(chosen.head)}
    contents = _contents(raw, repository, chosen.base, chosen.head)
    taken: set[str] = set()
    files, reviewed = [], 0
    for change in raw:
        file = _file_change(repository, change, sizes.get(change.path), contents)
        if file.is_python and file.is_readable and not file.is_test:
            reviewed += 1
            if reviewed > options.max_files:
                reason = f"beyond max_files ({options.max_files}): no review of its own"
                file = replace(file, verdict=TRUNCATED, reason=reason)
            else:
                file = replace(file, key=key_of(file.path, taken))
        files.append(file)
    return _frozen(options, repository, chosen, CHANGE, tuple(files), scratch)


def _file_change(
    repository: Repository, change: RawChange, entry: TreeEntry | None, contents: dict[str, bytes]
) -> FileChange:
    status = _STATUS.get(change.status, "changed")
    mode = change.new_mode if status != "deleted" else change.old_mode
    file = FileChange(
        path=change.path,
        old_path="" if status == "added" else change.old_path,
        status=status,
        is_test=is_test(change.path),
    )
    size_bytes = entry.size_bytes if entry else 0
    reason = _form(change, size_bytes, contents) or reason_by_name(change.path, mode, size_bytes)
    content = contents.get(change.new_oid if status != "deleted" else change.old_oid, b"")
    reason = reason or reason_by_content(change.path, content)
    if reason:
        return replace(file, verdict=SKIPPED, reason=reason)
    old_oid, new_oid = (
        oid if oid.strip("0") else repository.empty_file for oid in (change.old_oid, change.new_oid)
    )
    ends = converted(contents.get(change.old_oid, b""), content) if status != "deleted" else ""
    differences = "" if old_oid == new_oid else repository.diff_text(old_oid, new_oid, line_ends=not ends)
    hunks = hunks_of(differences)
    added, removed = (sum(line[:1] == mark for hunk in hunks for line in hunk.lines) for mark in "+-")
    hunks, left_out = shortened_hunks(hunks)
    file = replace(file, hunks=hunks, added=added, removed=removed)
    if file.is_python:
        symbols = touched(content.decode("utf-8-sig", "replace"), file.lines)
        file = replace(file, symbols=symbols[:200])
    if left_out:
        return replace(file, verdict=TRUNCATED, reason=f"the last {left_out} lines of its diff are left out")
    if ends:
        return replace(file, reason=f"line ends differ ({ends}) and do not count as changed")
    return file if status != "deleted" else replace(file, reason="deleted: only its callers are looked at")


def _whole(options: Options, repository: Repository, chosen: _Range, mode: str, scratch: Path) -> Collected:
    """Look at every file of head instead of a change."""
    entries = [entry for entry in repository.tree(chosen.head) if entry.path.startswith(repository.scope)]
    contents = repository.contents([entry.oid for entry in entries if entry.size_bytes <= COPY_LIMIT_BYTES])
    files = []
    for entry in entries:
        reason = reason_by_name(entry.path, entry.mode, entry.size_bytes)
        reason = reason or reason_by_content(entry.path, contents.get(entry.oid, b""))
        file = FileChange(path=entry.path, status="present", whole=True, is_test=is_test(entry.path))
        files.append(replace(file, verdict=SKIPPED, reason=reason) if reason else file)
    return _frozen(options, repository, chosen, mode, tuple(files), scratch)


def _frozen(
    options: Options,
    repository: Repository,
    chosen: _Range,
    mode: str,
    files: tuple[FileChange, ...],
    scratch: Path,
) -> Collected:
    """Copy both states into the scratch folder, so later phases do not depend on the target any more."""
    named = {file.path for file in files}
    files += tuple(
        FileChange(path=path, status="present", verdict=SKIPPED, reason=reason)
        for path, reason in sorted(chosen.passed_over)
        if path.startswith(repository.scope) and path not in named
    )
    missing: list[NotAssessed] = []
    head = _copy(repository, chosen.head, scratch / "head.zip", missing)
    if mode == CHANGE:
        base = _copy(repository, chosen.base, scratch / "base.zip", missing)
    else:
        base = write_tree(scratch / "base.zip", ())
    churn = repository.churn(chosen.head_commit) if mode == REPOSITORY else None
    changes = Changes(
        mode=mode,
        target=str(options.path),
        base=chosen.base_label if mode == CHANGE else "",
        head=chosen.head_label,
        notes=chosen.notes,
        files=files,
        churn=churn,
        not_assessed=tuple(missing),
    )
    return Collected(changes=changes, base=base, head=head)


def _copy(repository: Repository, treeish: str, archive: Path, missing: list[NotAssessed]) -> Path:
    entries = [entry for entry in repository.tree(treeish) if entry.mode.startswith("100")]
    small = [entry for entry in entries if entry.size_bytes <= COPY_LIMIT_BYTES]
    total, kept = 0, []
    for entry in sorted(small, key=lambda entry: (not entry.path.endswith((".py", ".ipynb")), entry.path)):
        total += entry.size_bytes
        if total <= TREE_LIMIT_BYTES:
            kept.append(entry)
    if left_out := len(entries) - len(kept):
        reason = f"{left_out} large file(s) are not part of the copy; tests or notebooks that need them fail"
        missing.append(NotAssessed(what=f"the whole tree at {archive.stem}", reason=reason))
    contents = repository.contents([entry.oid for entry in kept])
    files = ((entry.path, contents.get(entry.oid, b""), entry.mode == "100755") for entry in kept)
    return write_tree(archive, files)
