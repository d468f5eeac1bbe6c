"""Read a git repository without trusting it and without writing to it.

The reviewed repository is asked for two things only: where its objects are and what its refs
say. Everything else happens in a bare repository of our own that borrows those objects, so no
configuration, hook, filter, attribute or file-system monitor of the reviewed one is ever used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from review.on_disk import IGNORED, IGNORING, NESTED, OnDisk, lines_to_store, look_at, odd_paths
from review.process import Finished, MissingProgram, clean_environment, execute

_DISTRUST = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.pager=cat",
    "-c",
    "core.quotePath=false",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.excludesFile=/dev/null",
    "-c",
    "diff.external=",
    "-c",
    "gc.auto=0",
    "-c",
    "core.untrackedCache=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "core.autocrlf=false",
    "-c",
    "diff.ignoreSubmodules=all",
    "-c",
    "submodule.recurse=false",
]
_DEFAULT_BRANCHES = ("origin/main", "origin/master", "main", "master", "trunk", "develop")
_GIT_SEC = 120.0


class GitFailed(RuntimeError):
    """git refused; the message is its first line."""


@dataclass(frozen=True, kw_only=True)
class TreeEntry:
    """A file of a tree. `mode` is git's: 100644, 100755, 120000 (link) or 160000 (submodule)."""

    path: str
    mode: str
    oid: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class RawChange:
    """A changed file as git names it. `status` is A, D, M, R or T; an absent side has mode 000000."""

    status: str
    path: str
    old_path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str


class Repository:
    """A git repository that is only read. `root` is its work tree, or None when it is bare."""

    def __init__(self, target: Path, scratch: Path) -> None:
        """Prepare to read `target`; `scratch` is a folder of ours, a bare repository is made in it.

        Use `borrowed` for a repository and `of_folder` for a folder without git.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = scratch
        home = scratch / "home"
        home.mkdir(exist_ok=True)
        self._environment = clean_environment(home, _GIT_ENVIRONMENT)
        self._target = target
        self.root: Path | None = target
        self.scope = ""
        self.own = scratch / "borrowed.git"
        self.passed_over: dict[str, str] = {}

    @classmethod
    def borrowed(cls, path: Path, scratch: Path) -> Repository:
        """Open the repository that holds `path`; raise `GitFailed` when there is none."""
        repository = cls(path, scratch)
        root, common, objects = repository._locate()
        repository.root = root
        repository.scope = _inside(path, root)
        repository._init(_line(repository._ask_target("rev-parse", "--show-object-format")))
        ignored = common / "info" / "exclude"
        repository._ignore(ignored.read_text("utf-8", "replace") if ignored.is_file() else "")
        if (common / "shallow").is_file():
            shutil.copyfile(common / "shallow", repository.own / "shallow")
        repository._environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = _quoted(objects)
        return repository

    @classmethod
    def of_folder(cls, folder: Path, scratch: Path) -> Repository:
        """Make a repository of ours whose work tree is `folder`; nothing is written to the folder."""
        repository = cls(folder, scratch)
        repository._init("sha1")
        repository._ignore("")
        return repository

    def _init(self, form: str) -> None:
        if not self.own.exists():
            made = ["init", "--quiet", "--bare", "--template=", f"--object-format={form}", str(self.own)]
            _checked(self._git(made, self._scratch))

    def _ignore(self, patterns: str) -> None:
        (self.own / "info").mkdir(exist_ok=True)
        (self.own / "info" / "exclude").write_text(f"{IGNORED}{patterns}", encoding="utf-8")

    def _locate(self) -> tuple[Path | None, Path, Path]:
        bare = self._ask_target("rev-parse", "--is-bare-repository").strip() == "true"
        root = None if bare else Path(_line(self._ask_target("rev-parse", "--show-toplevel")))
        common = self._target / _line(self._ask_target("rev-parse", "--git-common-dir"))
        objects = self._target / _line(self._ask_target("rev-parse", "--git-path", "objects"))
        return root, common.resolve(), objects.resolve()

    def resolve(self, ref: str) -> str:
        """Return the id of the commit that `ref` names; raise `GitFailed` when there is none."""
        if ref.startswith("-") or "\0" in ref:
            raise GitFailed(f"{ref!r} is not the name of a commit: it must not begin with '-'")
        try:
            found = self._ask_target(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
            )
        except GitFailed as error:
            raise GitFailed(f"{ref!r} names no commit of {self._target}") from error
        return _line(found)

    def default_branch(self) -> str:
        """Return the name of the branch others start from, or '' when none of the usual ones exists."""
        names = [*_DEFAULT_BRANCHES]
        try:
            remote = self._ask_target("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
            names.insert(0, _line(remote).removeprefix("refs/remotes/"))
        except GitFailed:
            pass
        for name in names:
            try:
                self.resolve(name)
            except GitFailed:
                continue
            return name
        return ""

    def merge_base(self, one: str, other: str) -> str:
        """Return the commit where two histories part, or '' when they share none."""
        done = self._run(["merge-base", one, other])
        return _line(done.stdout.decode()) if done.exit_code == 0 else ""

    def tree(self, treeish: str) -> tuple[TreeEntry, ...]:
        """Return every file of a tree; names that are not UTF-8 hold surrogates."""
        entries = []
        for record in self._own("ls-tree", "-r", "-z", "-l", "--full-tree", treeish).split(b"\0"):
            head, _, name = record.partition(b"\t")
            if name:
                mode, _, oid, size = head.split()
                size_bytes = int(size) if size != b"-" else 0
                entries.append(
                    TreeEntry(path=_name(name), mode=mode.decode(), oid=oid.decode(), size_bytes=size_bytes)
                )
        return tuple(entries)

    def changes(self, base: str, head: str) -> tuple[RawChange, ...]:
        """Return what changed between two trees; a moved file is one change (status R)."""
        fields = self._own("diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev", base, head).split(b"\0")
        changes, index = [], 0
        while index < len(fields) and fields[index].startswith(b":"):
            old_mode, new_mode, old, new, status = fields[index][1:].decode().split()
            moved = status[0] in "RC"
            path = _name(fields[index + (2 if moved else 1)])
            changes.append(
                RawChange(
                    status=status[0],
                    path=path,
                    old_path=_name(fields[index + 1]),
                    old_mode=old_mode,
                    new_mode=new_mode,
                    old_oid=old,
                    new_oid=new,
                )
            )
            index += 3 if moved else 2
        return tuple(changes)

    def diff_text(self, old_oid: str, new_oid: str, *, line_ends: bool = True) -> str:
        """Return the hunks between two contents, three lines around; without `line_ends` a CR is ignored."""
        flags = ["--no-color", "--no-ext-diff", "--no-textconv", "-U3", "--minimal"]
        flags += [] if line_ends else ["--ignore-cr-at-eol"]
        return self._own("diff", *flags, old_oid, new_oid, "--").decode("utf-8", "replace")

    def contents(self, oids: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of file contents by their id; ids that are not there are left out."""
        asked = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode()
        answer = self._own("cat-file", "--batch", "--buffer", stdin=asked, limit_bytes=1 << 30)
        found, index = {}, 0
        while index < len(answer):
            end = answer.index(b"\n", index)
            words = answer[index:end].decode().split()
            if len(words) == 3:
                size = int(words[2])
                found[words[0]] = answer[end + 1 : end + 1 + size]
                end += size + 1
            index = end + 1
        return found

    @cached_property
    def empty_file(self) -> str:
        """The id of the content without bytes, with which new and deleted files are compared."""
        made = self._git(
            [f"--git-dir={self.own}", "hash-object", "-w", "--stdin"], self._scratch, extra=_WRITING
        )
        return _line(_checked(made).stdout.decode())

    def snapshot(self, parent: str, *, untracked: bool) -> str:
        """Return the id of a tree holding the work tree as it is on disk, ignored files left out.

        The objects go to the borrowed repository. `parent` is a commit, or "" for none.
        With `untracked` false only files of `parent` count. What could not be read is named in
        `passed_over`, and counts as `parent` has it.
        """
        if self.root is None:
            raise GitFailed(f"{self._target} is a bare repository: it has no work tree")
        root = self.root
        before = {entry.path: entry for entry in self.tree(parent)} if parent else {}
        wanted, self.passed_over = list(before), {}
        self._index("read-tree", parent or "--empty", extra={})
        if untracked:
            self.passed_over = odd_paths(root)
            wanted += self._untracked()
        found, odd = look_at(root, wanted)
        self.passed_over |= odd
        kept = {path: (before[path].mode, before[path].oid) for path in odd if path in before}
        for path, entry in before.items():
            if entry.mode == "160000" and (root / path).is_dir():
                kept[path] = (entry.mode, entry.oid)
        for file, oid in zip(found, self._stored(root, found), strict=True):
            kept[file.path] = (file.mode, oid)
        records = b"".join(
            f"{mode} {oid} 0\t".encode() + os.fsencode(path) + b"\0" for path, (mode, oid) in kept.items()
        )
        self._index("read-tree", "--empty", extra={})
        self._index("update-index", "-z", "--index-info", extra=_WRITING, stdin=records)
        return _line(self._index("write-tree", "--missing-ok", extra=_WRITING).decode())

    def _untracked(self) -> list[str]:
        """Name the files that are neither tracked nor ignored; repositories among them are passed over."""
        asked = ["ls-files", "--others", "-z", f"--exclude-from={self.own / 'info' / 'exclude'}"]
        if IGNORING not in self.passed_over.values():  # git would wait for such a file for ever
            asked.append("--exclude-per-directory=.gitignore")
        names = [_name(raw) for raw in self._index(*asked, extra={}).split(b"\0") if raw]
        self.passed_over |= {name: NESTED for name in names if name.endswith("/")}
        return [name for name in names if not name.endswith("/")]

    def _stored(self, root: Path, files: Sequence[OnDisk]) -> list[str]:
        """Store the bytes on disk, unconverted and no attributes read; return the id of each."""
        lines = lines_to_store(root, files, self._scratch / "links")
        asked = ["hash-object", "-w", "--no-filters", "--stdin-paths"]
        return self._index(*asked, extra=_WRITING, stdin=lines).decode().split()

    def churn(self, head: str, most: int = 2000) -> dict[str, int]:
        """Return how many of the last `most` commits touched each path."""
        fields = self._own(
            "log", f"--max-count={most}", "--format=", "--name-only", "-z", "--no-renames", head, "--"
        )
        touched: dict[str, int] = {}
        for name in fields.split(b"\0"):
            if name := name.strip(b"\n"):
                touched[_name(name)] = touched.get(_name(name), 0) + 1
        return touched

    def describe(self, commit: str) -> str:
        """Return the short id and the subject of a commit."""
        return _line(self._own("log", "-1", "--format=%h %s", commit, "--").decode("utf-8", "replace"))

    def _index(self, *arguments: str, extra: dict[str, str], stdin: bytes = b"") -> bytes:
        """Run a git command on an index of ours and the files of the work tree."""
        root = self.root or self._target
        places = {"GIT_INDEX_FILE": str(self._scratch / "index"), "GIT_WORK_TREE": str(root)}
        asked = [f"--git-dir={self.own}", *arguments]
        return _checked(self._git(asked, root, stdin, extra=places | extra)).stdout

    def _own(self, *arguments: str, stdin: bytes = b"", limit_bytes: int = 1 << 28) -> bytes:
        return _checked(self._run(arguments, stdin, limit_bytes)).stdout

    def _run(self, arguments: Sequence[str], stdin: bytes = b"", limit_bytes: int = 1 << 28) -> Finished:
        return self._git([f"--git-dir={self.own}", *arguments], self._scratch, stdin, limit_bytes)

    def _ask_target(self, *arguments: str) -> str:
        done = _checked(self._git(arguments, self._target))
        return done.stdout.decode("utf-8", "surrogateescape")

    def _git(
        self,
        arguments: Sequence[str],
        cwd: Path,
        stdin: bytes = b"",
        limit_bytes: int = 1 << 28,
        extra: dict[str, str] | None = None,
    ) -> Finished:
        return execute(
            ["git", "--no-pager", "--literal-pathspecs", *_DISTRUST, *arguments],
            cwd=cwd,
            timeout_sec=_GIT_SEC,
            environment=self._environment | (extra or {}),
            stdin=stdin,
            limit_bytes=limit_bytes,
        )


_GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}


_WRITING = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": ""}
"""git touches the time of an object it would write again, also in a repository that is only borrowed."""


def inside_repository(path: Path, scratch: Path) -> Repository | None:
    """Return the repository that holds `path`, or None when there is none; git itself may be missing."""
    try:
        return Repository.borrowed(path, scratch)
    except MissingProgram:
        return None
    except GitFailed as error:
        if "not a git repository" in str(error):
            return None
        raise


def _checked(done: Finished) -> Finished:
    if done.timed_out:
        raise GitFailed(f"git took longer than {_GIT_SEC:.0f} seconds")
    if done.exit_code != 0:
        lines = done.last_words.splitlines()
        said = [line for line in lines if not line.startswith(("hint:", "warning:"))] or lines
        raise GitFailed(said[0] if said else f"git ended with status {done.exit_code}")
    if done.cut:
        raise GitFailed("git's answer is too large")
    return done


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _line(answer: str) -> str:
    return answer.removesuffix("\n")


def _quoted(path: Path) -> str:
    """Quote a path for GIT_ALTERNATE_OBJECT_DIRECTORIES, a list separated by ':'."""
    raw = str(path)
    if ":" not in raw and not raw.startswith('"'):
        return raw
    return '"' + raw.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inside(path: Path, root: Path | None) -> str:
    """Return where `path` is below `root`, with a trailing '/', or '' for the root itself."""
    if root is None:
        return ""
    below = path.resolve().relative_to(root.resolve()).as_posix()
    return "" if below == "." else f"{below}/"
