"""Keeps secrets that a notebook prints out of what is stored: an `ArtifactProcessor`.

A notebook is read as one: sources and outputs are searched as the text they stand for, pictures are not.
Anything else is searched byte by byte. A reason names artifact, rule and place, never the secret.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chatflow_jupyter.domain.hooks import ArtifactMade, ArtifactVerdict, Keep, Refuse, Replace

from .options import Options
from .secret_rules import RULES, redacted, search

KNOWN = ("action", "max_mib", "ignore_rules")
MAX_NAMED = 5
MIB = 1024 * 1024
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/", "application/pdf")
NAMED = ("source", "outputs", "metadata")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a secret was found, in words, and by which rule."""

    rule: str
    where: str

    def __str__(self) -> str:
        return f"{self.rule} in {self.where}"


class SecretScanner:
    """Redacts what it finds, or refuses the artifact; one larger than `max_mib` is refused unread."""

    def __init__(self, options: Mapping[str, object]) -> None:
        """Take the options; raises `ValueError` naming one that is wrong."""
        given = Options(options, KNOWN)
        self._redacts = given.choice("action", "redact", "refuse") == "redact"
        self._max_bytes = given.number("max_mib", 200, minimum=1) * MIB
        self._ignored = frozenset(given.texts("ignore_rules"))
        unknown = sorted(self._ignored - {name for name, _ in RULES})
        if unknown:
            raise ValueError(f"ignore_rules: there is no rule {unknown[0]!r}")

    def process(self, artifact: ArtifactMade) -> ArtifactVerdict:
        """Keep what holds no secret; redact or refuse the rest."""
        if artifact.size_bytes > self._max_bytes:
            return Refuse(reason=f"larger than the {self._max_bytes // MIB} MiB that are searched")
        content = Path(artifact.path).read_bytes()
        places: list[Place] = []
        left = self._of_notebook(content, places) if artifact.name.endswith(".ipynb") else None
        if left is None:
            left = self._cleaned(content, "", places)
        if not places:
            return Keep()
        named = ", ".join(map(str, places[:MAX_NAMED]))
        more = f" and {len(places) - MAX_NAMED} more" if len(places) > MAX_NAMED else ""
        reason = f"{named}{more}"[:1000]
        return Replace(content=left, reason=reason) if self._redacts else Refuse(reason=reason)

    def _cleaned(self, content: bytes, where: str, places: list[Place]) -> bytes:
        """Return the text without secrets, and note the place of each."""
        found = [one for one in search(content) if one.rule not in self._ignored]
        room = max(MAX_NAMED - len(places), 0)  # lines are counted only for those that will be named
        for one in found[:room]:
            line = content.count(b"\n", 0, one.start) + 1
            places.append(Place(rule=one.rule, where=f"{where}line {line}"))
        places += [Place(rule=one.rule, where=where) for one in found[room:]]
        return redacted(content, found) if found else content

    def _of_notebook(self, content: bytes, places: list[Place]) -> bytes | None:
        """Return the notebook without secrets; None when it is none, and is to be searched as bytes."""
        try:
            notebook = json.loads(content)
            if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
                return None
            left = {name: value for name, value in notebook.items() if name != "cells"}
            cleaned = self._walked(left, "metadata ", places)
            assert isinstance(cleaned, dict)
            cleaned["cells"] = [
                self._walked(cell, f"cell {number} ", places)
                for number, cell in enumerate(notebook["cells"], 1)
            ]
            if not places:
                return content
            return (json.dumps(cleaned, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode(
                "utf-8", "surrogatepass"
            )
        except (ValueError, RecursionError):
            places.clear()
            return None

    def _walked(self, value: object, where: str, places: list[Place]) -> object:
        if isinstance(value, str):
            encoded = value.encode("utf-8", "surrogatepass")
            return self._cleaned(encoded, where, places).decode("utf-8", "surrogatepass")
        if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
            return self._lines(value, where, places)
        if isinstance(value, list):
            return [self._walked(entry, where, places) for entry in value]
        if not isinstance(value, dict):
            return value
        return {
            str(self._walked(name, where, places)): entry
            if name.startswith(PICTURES)
            else self._walked(entry, f"{where}{name} " if name in NAMED else where, places)
            for name, entry in value.items()
        }

    def _lines(self, lines: list[str], where: str, places: list[Place]) -> list[str]:
        """Search lines as the one text they are: a key has many. Those of a traceback lack their ends."""
        whole = all(line.endswith("\n") for line in lines[:-1])
        text = ("" if whole else "\n").join(lines)
        left = self._walked(text, where, places)
        assert isinstance(left, str)
        if left == text:
            return lines
        return left.splitlines(keepends=True) if whole else left.split("\n")
