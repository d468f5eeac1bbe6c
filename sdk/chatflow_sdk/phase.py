"""What a notebook imports: `from chatflow_sdk import phase; ctx = phase.context()`.

In an attempt the context speaks to the runner; in a notebook opened by hand it is an interactive one, and
every cell still runs. Importing this also registers the cell magic `%%once` when IPython is running.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from .errors import PhaseError
from .phase_files import write_artifact
from .phase_link import InteractiveLink, PhaseLink, SocketLink
from .phase_values import JsonValue, find, plain_json

__all__ = ["PhaseContext", "PhaseError", "context"]

log = logging.getLogger(__name__)

OUTPUT_MIME = "application/vnd.chatflow.output.v1+json"
RISK_MIME = "application/vnd.chatflow.risk.v1+json"
SPAWN_MIME = "application/vnd.chatflow.spawn.v1+json"
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
MAX_ONCE_BYTES = 64 * 1024
MAX_KEY_LENGTH = 255
MAX_SPAWNED = 10_000
MAX_SPAWNED_BYTES = 256 * 1024


class PhaseContext:
    """The attempt a notebook runs in, or a stand-in when it is opened by hand."""

    def __init__(self, description: Mapping[str, JsonValue], link: PhaseLink, work_dir: Path) -> None:
        self._description = description
        self._link = link
        self._outputs: dict[str, JsonValue] = {}
        self._spawned: set[str] = set()
        self._spawned_bytes = 0
        self._work_dir = work_dir

    @property
    def is_interactive(self) -> bool:
        """Whether the notebook was opened by hand instead of being run as a phase."""
        return not self._description

    @property
    def instance_id(self) -> str | None:
        """The id of the instance; None when interactive."""
        return self._text("instance_id")

    @property
    def attempt_id(self) -> str | None:
        """The id of the attempt; None when interactive."""
        return self._text("attempt_id")

    @property
    def attempt_number(self) -> int:
        """Which attempt of the phase this is, counted from 1; 1 when interactive."""
        number = self._description.get("attempt_number", 1)
        return number if isinstance(number, int) else 1

    @property
    def phase(self) -> str | None:
        """The name of the phase; None when interactive."""
        return self._text("phase")

    @property
    def tenant_id(self) -> str | None:
        """The tenant the instance belongs to; None when interactive."""
        return self._text("tenant_id")

    @property
    def feature_id(self) -> str | None:
        """The label the instance was started under, if any."""
        return self._text("feature_id")

    @property
    def scheduled_at(self) -> datetime | None:
        """The time a schedule started the instance for, in UTC; None when somebody else started it."""
        text = self._text("scheduled_at")
        return None if text is None else datetime.fromisoformat(text)

    @property
    def work_dir(self) -> Path:
        """The directory of the attempt, its kernel's current directory at the start."""
        return self._work_dir

    @property
    def bundle(self) -> Path:
        """The folder with the definition's files, read-only by convention; the work directory if none."""
        path = self._text("bundle")
        return Path(path) if path else self._work_dir

    @property
    def parameters(self) -> Mapping[str, JsonValue]:
        """The parameters the notebook was given, read-only; empty when interactive."""
        return self._mapping("parameters")

    @property
    def outputs(self) -> Mapping[str, JsonValue]:
        """The outcomes reported so far with `output`, read-only."""
        return MappingProxyType(self._outputs)

    def get(self, path: str, default: JsonValue = None) -> JsonValue:
        """Return a variable as conditions see it (`"static.high"`, `"context.path"`), or `default`."""
        found, value = find(self._mapping("variables"), path)
        return value if found else default

    def output(self, key: str, value: object) -> None:
        """Report an outcome: JSON under a name; the last one of a name counts. Raises `PhaseError`."""
        if not _KEY.fullmatch(key):
            raise PhaseError(
                f"output {key[:80]!r}: names are a letter or _, then up to 63 letters, digits or _"
            )
        plain = plain_json(value, what=f"output {key!r}")
        self._outputs[key] = plain
        text = json.dumps(plain, ensure_ascii=False)
        shown = text if len(text) <= 200 else text[:199] + "…"
        _show({OUTPUT_MIME: {"key": key, "value": plain}, "text/plain": f"output {key} = {shown}"})

    def risk(self, value: int, reason: str = "") -> None:
        """Report a risk from 0 to 100; the highest of an attempt counts for the next gate."""
        number = plain_json(value, what="risk")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 100:
            raise PhaseError(f"risk {value!r}: give a whole number from 0 to 100")
        body: JsonValue = {"value": number, "reason": plain_json(str(reason), what="risk: the reason")}
        _show({RISK_MIME: body, "text/plain": f"risk {number}" + (f": {reason}" if reason else "")})

    def artifact(
        self, name: str | os.PathLike[str], *, data: object | None = None, kind: str | None = None
    ) -> Path:
        """Keep a file as an artifact of the attempt and return its path below `artifacts/`.

        With `data` (bytes, text, or any JSON value) the file is written. Without, it exists already: in
        `artifacts/`, or elsewhere, from where it is copied. `kind` is one of prompt, response, code,
        notebook, report, log, data; without it the suffix decides. Raises `PhaseError`.
        """
        return write_artifact(self._work_dir, os.fspath(name), data=data, kind=kind)

    def spawn(
        self, schema: str, context: Mapping[str, object] | None = None, *, key: str | None = None
    ) -> str:
        """Ask for a child instance of `schema` with that initial context; returns its key.

        The child is born in the commit in which this attempt succeeds, so an attempt that is repeated makes
        none twice. `schema` is one of those the phase names under `spawns`, written as there. Later phases
        find what became of the child under `children.<key>`; without a key it is called after the phase and
        its place. Raises `PhaseError`, also inside `once`. Opened by hand, nothing is born.
        """
        name = f"{self.phase or 'child'}-{len(self._spawned)}" if key is None else str(key)
        plain = plain_json(context or {}, what=f"spawn {name[:80]!r}: the context")
        if not isinstance(plain, Mapping):
            raise PhaseError(f"spawn {name[:80]!r}: the context is a mapping, not {context!r:.80}")
        if not self.is_interactive:
            self._check_spawn(schema, str(plain_json(name, what="spawn: the key")))
            self._count_spawned([schema, name, plain])
        self._spawned.add(name)
        body: JsonValue = {"schema": schema, "key": name, "context": plain}
        _show({SPAWN_MIME: body, "text/plain": f"spawn {name}: {schema}"})
        return name

    def _check_spawn(self, schema: str, key: str) -> None:
        allowed = self._description.get("spawns")
        schemas = allowed if isinstance(allowed, list) else []
        if _is_not_repeated.get():
            raise PhaseError(f"spawn {key[:80]!r}: not inside `once`, which a repeated attempt would skip")
        if schema not in schemas:
            there = ", ".join(map(str, schemas)) or "none"
            raise PhaseError(f"spawn {schema!r}: phase {self.phase} may start {there} (see `spawns`)")
        _, earlier = find(self._mapping("variables"), "children")
        taken = isinstance(earlier, Mapping) and key in earlier
        if taken or key in self._spawned or not 0 < len(key) <= MAX_KEY_LENGTH:
            raise PhaseError(
                f"spawn: the key {key[:80]!r} is taken, empty, or longer than {MAX_KEY_LENGTH} characters"
            )

    def _count_spawned(self, child: JsonValue) -> None:
        """Refuse here what could not be born anyway: a long loop would flood the notebook first."""
        text = json.dumps(child, ensure_ascii=False, separators=(",", ":"))
        size_bytes = self._spawned_bytes + len(text.encode(errors="replace"))
        if len(self._spawned) >= MAX_SPAWNED:
            raise PhaseError(f"spawn: more than {MAX_SPAWNED} children of one attempt")
        if size_bytes > MAX_SPAWNED_BYTES:
            raise PhaseError(
                f"spawn: schemas, keys and contexts of all children are {size_bytes} bytes, more than the "
                f"{MAX_SPAWNED_BYTES} allowed; store large data with ctx.artifact"
            )
        self._spawned_bytes = size_bytes

    def input(self, phase: str, name: str) -> Path:
        """Return a read-only copy of the latest artifact `name` of an earlier phase of this instance."""
        return self._link.input_file(phase, name, parent=False)

    def parent_input(self, phase: str, name: str) -> Path:
        """Return a read-only copy of the latest artifact `name` of a phase of the parent instance."""
        return self._link.input_file(phase, name, parent=True)

    def once(self, name: str, function: Callable[[], object]) -> JsonValue:
        """Return what `function` returned the first time any attempt of this phase got this far.

        The result (JSON, at most 64 KiB) is stored durably before this returns; a repeated attempt gets it
        without calling `function`. An attempt that has lost its lease gets a `PhaseError`. When the process
        dies between the effect and its storing, the next attempt calls `function` again.
        """
        found, stored = self._link.once_get(name)
        if found:
            return stored
        with not_repeated():
            result = plain_json(function(), what=f"once {name!r}")
        if len(json.dumps(result, ensure_ascii=False).encode()) > MAX_ONCE_BYTES:
            raise PhaseError(f"once {name!r}: the result is larger than 64 KiB; store it as an artifact")
        return self._link.once_put(name, result)

    def _text(self, key: str) -> str | None:
        value = self._description.get(key)
        return value if isinstance(value, str) else None

    def _mapping(self, key: str) -> Mapping[str, JsonValue]:
        value = self._description.get(key)
        return MappingProxyType(dict(value)) if isinstance(value, Mapping) else MappingProxyType({})


_contexts: dict[str, PhaseContext] = {}
_is_not_repeated: ContextVar[bool] = ContextVar("_is_not_repeated", default=False)


@contextmanager
def not_repeated() -> Iterator[None]:
    """Mark what runs inside as something a repeated attempt skips: it may ask for no children."""
    token = _is_not_repeated.set(True)
    try:
        yield
    finally:
        _is_not_repeated.reset(token)


def context() -> PhaseContext:
    """Return the context of this notebook; every call in a kernel gives the same one.

    Raises `PhaseError` when the runner's description of the attempt cannot be read.
    """
    described = os.environ.get("CHATFLOW_PHASE_CONTEXT", "")
    if described not in _contexts:
        _contexts[described] = _attempt(Path(described)) if described else _interactive()
    register_magic()
    return _contexts[described]


def register_magic() -> None:
    """Make `%%once` available when this runs in IPython; otherwise do nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        from . import once

        once.register(shell)


def _attempt(path: Path) -> PhaseContext:
    try:
        description = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PhaseError(f"the attempt's description cannot be read: {error}", code="internal") from None
    socket = os.environ.get("CHATFLOW_PHASE_SOCKET", "")
    return PhaseContext(description, SocketLink(socket), path.parent.parent)


def _interactive() -> PhaseContext:
    return PhaseContext({}, InteractiveLink(), Path.cwd())


def _show(bundle: Mapping[str, JsonValue]) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        log.info("%s", bundle["text/plain"])
        return
    ipython.display.display(dict(bundle), raw=True)


register_magic()
