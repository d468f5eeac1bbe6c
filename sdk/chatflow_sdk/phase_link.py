"""How a notebook reaches its attempt: over the runner's socket, or not at all when opened by hand."""

import json
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from .errors import PhaseError
from .phase_values import JsonValue

TIMEOUT_SEC = 120.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)


class PhaseLink(Protocol):
    """What `ctx` asks of whoever runs the notebook."""

    def once_get(self, name: str) -> tuple[bool, JsonValue]:
        """Return whether a result is stored under `name`, and the result."""

    def once_put(self, name: str, value: JsonValue) -> JsonValue:
        """Store a result unless there is one; returns the stored one once it is durable."""

    def once_get_file(self, name: str) -> Path | None:
        """Return the file stored under `name`, if any."""

    def once_put_file(self, name: str, path: Path) -> None:
        """Store a file under `name`; returns once it is durable."""

    def input_file(self, phase: str, name: str, *, parent: bool) -> Path:
        """Return a local copy of an artifact of an earlier phase."""


class SocketLink:
    """Asks the runner; each request has a connection of its own, so threads and forks do no harm."""

    def __init__(self, path: str) -> None:
        self._path = path

    def once_get(self, name: str) -> tuple[bool, JsonValue]:
        """Return whether a result is stored under `name`, and the result."""
        reply = self._ask({"op": "once_get", "name": checked_name(name)})
        assert isinstance(reply, Mapping)
        return reply["found"] is True, reply["value"]

    def once_put(self, name: str, value: JsonValue) -> JsonValue:
        """Store a result unless there is one; returns the stored one once it is durable."""
        return self._ask({"op": "once_put", "name": checked_name(name), "value": value})

    def once_get_file(self, name: str) -> Path | None:
        """Return the file stored under `name`, if any."""
        path = self._ask({"op": "once_get_file", "name": checked_name(name)})
        return None if path is None else Path(str(path))

    def once_put_file(self, name: str, path: Path) -> None:
        """Store a file under `name`; returns once it is durable."""
        self._ask({"op": "once_put_file", "name": checked_name(name), "path": str(path)})

    def input_file(self, phase: str, name: str, *, parent: bool) -> Path:
        """Return a local copy of an artifact of an earlier phase."""
        return Path(str(self._ask({"op": "input", "phase": phase, "name": name, "parent": parent})))

    def _ask(self, request: Mapping[str, JsonValue]) -> JsonValue:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT_SEC)
                connection.connect(self._path)
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as lines:
                    line = lines.readline()
            reply = json.loads(line)
        except (OSError, ValueError) as error:
            raise PhaseError(f"the runner does not answer ({error})", code="unreachable") from None
        if "error" in reply:
            raise PhaseError(str(reply["error"]), code=str(reply.get("code", "internal")))
        answer: JsonValue = reply["ok"]
        return answer


class InteractiveLink:
    """Stands in when a notebook is opened by hand: `once` is remembered for as long as the kernel lives."""

    def __init__(self) -> None:
        self._results: dict[str, JsonValue] = {}
        self._files: dict[str, Path] = {}

    def once_get(self, name: str) -> tuple[bool, JsonValue]:
        """Return whether a result is remembered under `name`, and the result."""
        return checked_name(name) in self._results, self._results.get(name)

    def once_put(self, name: str, value: JsonValue) -> JsonValue:
        """Remember a result."""
        return self._results.setdefault(name, value)

    def once_get_file(self, name: str) -> Path | None:
        """Return the file remembered under `name`, if any."""
        return self._files.get(checked_name(name))

    def once_put_file(self, name: str, path: Path) -> None:
        """Remember a file."""
        self._files.setdefault(name, path)

    def input_file(self, phase: str, name: str, *, parent: bool) -> Path:
        """Raise `PhaseError`: nobody has run the earlier phase here."""
        whose = "the parent's phase" if parent else "phase"
        raise PhaseError(
            f"{name!r} of {whose} {phase!r} is there only in an attempt. Opened by hand, use a copy: "
            "`chatflow artifacts INSTANCE --save DIR` fetches the files of an instance",
            code="not_found",
        )


def checked_name(name: str) -> str:
    """Return `name`, or raise `PhaseError` when it cannot be the name of a `once`."""
    if not _NAME.fullmatch(name):
        raise PhaseError(f"once {name[:80]!r}: a name is 1 to 100 letters, digits, dots, dashes or _")
    return name
