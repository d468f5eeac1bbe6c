"""Files that differ only in how they are stored: line ends converted on checkout, Git LFS pointers.

A work tree is read byte for byte, and the target's own settings for conversion are not used. So what git
would convert back looks like a change of every line, and has to be told apart here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

LINE_ENDS = "only its line ends differ"
AS_COMMITTED = "Git LFS: on disk is the content of the pointer that is committed"
NOT_HERE = "Git LFS pointer: the content itself is not in the repository"
NOT_COMPARED = "Git LFS: the content at base is not in the repository, so nothing is compared"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
_POINTER_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """What is committed in place of a file that Git LFS keeps elsewhere."""

    sha256: str
    size_bytes: int


def pointer_in(content: bytes) -> Pointer | None:
    """Return the pointer that `content` is, or None when it is anything else."""
    found = _POINTER.fullmatch(content) if len(content) <= _POINTER_BYTES else None
    return Pointer(sha256=found[1].decode(), size_bytes=int(found[2])) if found else None


def line_ends(content: bytes) -> str:
    """Return how most lines end: ``CR LF`` or ``LF``; '' when there is no line end, or a binary file."""
    every, windows = content.count(b"\n"), content.count(b"\r\n")
    if not every or b"\0" in content[:8000]:
        return ""
    return "CR LF" if 2 * windows > every else "LF"


def converted(old: bytes, new: bytes) -> str:
    """Return in words how the line ends of a whole file changed, or '' when they did not."""
    before, after = line_ends(old), line_ends(new)
    return f"{before} at base, {after} at head" if before and after and before != after else ""


def reason_by_form(old: bytes, new: bytes | None, size_bytes: int) -> str:
    """Return why a file that differs is no change to be read line by line, or ''.

    `new` is None when it is too large to be read; then its size has to tell.
    """
    before = pointer_in(old)
    if before is not None and new is None:
        return AS_COMMITTED if size_bytes == before.size_bytes else NOT_COMPARED
    if new is None:
        return ""
    if pointer_in(new) is not None:
        return NOT_HERE
    if before is not None:
        return AS_COMMITTED if hashlib.sha256(new).hexdigest() == before.sha256 else NOT_COMPARED
    ends = converted(old, new)
    return f"{LINE_ENDS}: {ends}" if ends and _plain(old) == _plain(new) else ""


def is_unchanged(reason: str) -> bool:
    """Whether a reason of `reason_by_form` means that nothing was changed by anybody."""
    return reason == AS_COMMITTED or reason.startswith(LINE_ENDS)


def _plain(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")
