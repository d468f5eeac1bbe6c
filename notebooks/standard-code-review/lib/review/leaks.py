"""detect-secrets: passwords, keys and tokens on changed lines, never repeated in the report."""

from __future__ import annotations

import os

from review.findings import Finding
from review.sorting_out import is_test
from review.tools import Place, ToolReport, as_path, call_on_files
from review.trees import is_safe
from review.values import mapping, objects, text, whole

HIDDEN = "(the line is not shown: it may hold a secret)"
_LAST_LINE = 200_000
_GUESSES = ("Base64 High Entropy String", "Hex High Entropy String")


def find_secrets(place: Place) -> ToolReport:
    """Return the secrets on changed lines of any text file; nothing is sent anywhere to verify them.

    Random-looking strings are a medium finding; what has the form of a key, token or password is a high one,
    except in tests, where most are invented.
    """
    paths = [file.path for file in place.readable] + write_added_lines(place)
    flags = ["-c", str(min(os.cpu_count() or 1, 4)), "scan", "--all-files", "--no-verify"]
    findings = []
    for answer in call_on_files(place, place.head_folder, "detect_secrets", flags, paths):
        for name, items in mapping(mapping(answer).get("results") or {}).items():
            path = as_path(name, place.head_folder)
            file = place.changes.file(path)
            for item in objects(items):
                line = whole(item.get("line_number"))
                if file is not None and file.counts(line):
                    findings.append(
                        _finding(path, line, text(item.get("type")), text(item.get("hashed_secret")))
                    )
    return ToolReport(
        tool="detect-secrets", looks_for="keys, tokens, passwords", files=len(paths), findings=tuple(findings)
    )


def write_added_lines(place: Place) -> list[str]:
    """Write what a ``.diff`` shows of files it does not hold whole, each line at its number.

    Returns the paths of these files.
    """
    written = []
    for file in place.changes.files:
        if file.is_readable and not file.complete and is_safe(file.path):
            added = {number: line for hunk in file.hunks for number, line in hunk.added()}
            last = min(max(added, default=0), _LAST_LINE)
            target = place.head_folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(f"{added.get(number, '')}\n" for number in range(1, last + 1)), "utf-8")
            written.append(file.path)
    return written


def _finding(path: str, line: int, kind: str, digest: str) -> Finding:
    guess = kind in _GUESSES or is_test(path)
    return Finding(
        severity="medium" if guess else "high",
        kind="secret",
        rule=kind.lower().replace(" ", "-"),
        path=path,
        line=line,
        title=f"{'Perhaps a' if guess else 'A'} secret in the source: {kind}",
        detail="Whoever reads the repository reads it too, and history keeps it after it is removed.",
        evidence=HIDDEN,
        suggestion="Remove it, revoke it, and read it from the environment or a secret store.",
        source="static",
        subject=digest,
    )
