"""What a program printed, without what differs from one attempt to the next.

The same change has to give the same report, however often and wherever it is looked at.
"""

from __future__ import annotations

import re
from pathlib import Path

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_DURATION = re.compile(r"\b\d+\.\d+ ?(s|sec|seconds|ms)\b")


def neutral(said: str, *folders: Path) -> str:
    """Return `said` with our scratch `folders`, memory addresses and durations replaced."""
    for folder in sorted((str(folder) for folder in folders), key=len, reverse=True):
        said = said.replace(f"{folder}/", "").replace(folder, ".")
    return _DURATION.sub(r"… \1", _ADDRESS.sub("0x…", said))
