"""Unified diffs: hunks, changed lines, and whole ``.diff`` files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from review.values import Json, objects, printable, strings, text, whole

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
LINES_LIMIT = 4000


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """One block of a diff. `lines` keep their mark: ' ', '+' or '-'."""

    old_start: int
    new_start: int
    lines: tuple[str, ...]

    def added(self) -> Iterator[tuple[int, str]]:
        """Yield (line number at head, text) of every added line."""
        number = self.new_start
        for line in self.lines:
            if line[:1] == "+":
                yield number, line[1:]
            if line[:1] != "-":
                number += 1

    def removed(self) -> Iterator[tuple[int, str]]:
        """Yield (line number at base, text) of every removed line."""
        number = self.old_start
        for line in self.lines:
            if line[:1] == "-":
                yield number, line[1:]
            if line[:1] != "+":
                number += 1

    def as_json(self) -> dict[str, Json]:
        """Return the hunk as JSON."""
        lines = [printable(line) for line in self.lines]
        return {"old_start": self.old_start, "new_start": self.new_start, "lines": lines}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Hunk:
        """Read what `as_json` wrote."""
        return cls(
            old_start=whole(data.get("old_start")),
            new_start=whole(data.get("new_start")),
            lines=strings(data.get("lines")),
        )


@dataclass(frozen=True, kw_only=True)
class FileDiff:
    """What a ``.diff`` says about one file; `old_path` is '' for a new file, `path` for a deleted one."""

    old_path: str
    path: str
    hunks: tuple[Hunk, ...]
    binary: bool = False


def hunks_of(diff: str) -> tuple[Hunk, ...]:
    """Return the hunks of one file's diff; what is not part of a hunk is passed over."""
    lines = diff.split("\n")
    hunks, index = [], 0
    while index < len(lines):
        hunk, index = _hunk(lines, index)
        if hunk is not None:
            hunks.append(hunk)
    return tuple(hunks)


def _hunk(lines: list[str], index: int) -> tuple[Hunk | None, int]:
    """Read the hunk that begins at `index`; return it (None if there is none) and where to go on."""
    head = _HUNK.match(lines[index])
    if head is None:
        return None, index + 1
    old_left, new_left = (int(group) if group else 1 for group in (head[2], head[4]))
    body: list[str] = []
    index += 1
    while index < len(lines) and (old_left > 0 or new_left > 0):
        mark = lines[index][:1] or " "
        if mark not in " +-\\":
            break
        old_left -= mark in " -"
        new_left -= mark in " +"
        if mark != "\\":
            body.append(lines[index] or " ")
        index += 1
    # git names the line before an empty side: "@@ -0,0 +1,3 @@" starts at line 1 all the same
    hunk = Hunk(old_start=max(int(head[1]), 1), new_start=max(int(head[3]), 1), lines=tuple(body))
    return hunk, index


def files_of(diff: str) -> tuple[FileDiff, ...]:
    """Read a whole unified diff, by git or by diff(1). Text around it (a mail, say) is passed over."""
    lines = diff.replace("\r\n", "\n").split("\n")
    files: list[FileDiff] = []
    old = new = ""
    hunks: list[Hunk] = []
    binary = False

    def finish() -> None:
        if old or new:
            files.append(FileDiff(old_path=old, path=new, hunks=tuple(hunks), binary=binary))

    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith("diff --git ") or (line.startswith("--- ") and hunks):
            finish()
            old, new = _names_of_header(line)
            hunks, binary = [], False
        if line.startswith("--- ") and index + 1 < len(lines) and lines[index + 1].startswith("+++ "):
            old, new = _side(line[4:], "a/"), _side(lines[index + 1][4:], "b/")
        elif line.startswith("new file mode"):
            old = ""
        elif line.startswith("deleted file mode"):
            new = ""
        elif line.startswith(("Binary files ", "GIT binary patch")):
            binary = True
        hunk, index = _hunk(lines, index)
        if hunk is not None:
            hunks.append(hunk)
    finish()
    return tuple(files)


def _names_of_header(line: str) -> tuple[str, str]:
    match = re.match(r'^diff --git ("?)a/(.*?)\1 ("?)b/(.*?)\3$', line)
    if match is None:
        return "", ""
    return _unquoted(match[1] + match[2] + match[1]), _unquoted(match[3] + match[4] + match[3])


def _side(name: str, prefix: str) -> str:
    name = _unquoted(name.split("\t", maxsplit=1)[0].rstrip())
    return "" if name == "/dev/null" else name.removeprefix(prefix)


def _unquoted(name: str) -> str:
    """Undo git's quoting of unusual names: a C string whose octal escapes are UTF-8 bytes."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    try:
        value = ast.literal_eval("b" + name)
    except (SyntaxError, ValueError):
        return name.strip('"')
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else name


def shortened_hunks(hunks: tuple[Hunk, ...], most: int = LINES_LIMIT) -> tuple[tuple[Hunk, ...], int]:
    """Return the first hunks with at most `most` lines in all, and how many lines were left out."""
    kept, left = [], most
    for hunk in hunks:
        if left > 0:
            part = hunk.lines[:left]
            kept.append(Hunk(old_start=hunk.old_start, new_start=hunk.new_start, lines=part))
        left -= len(hunk.lines)
    return tuple(kept), max(-left, 0)


def hunks_from_json(value: Json) -> tuple[Hunk, ...]:
    """Read a list of hunks; what is none is left out."""
    return tuple(Hunk.from_json(item) for item in objects(value) if text(item.get("new_start")))
