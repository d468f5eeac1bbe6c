"""Tell a notebook which attempt it is: the file `ctx` reads, and the variables that point to it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from chatflow_jupyter.domain.json_values import JsonObject

CONTEXT_VARIABLE = "CHATFLOW_PHASE_CONTEXT"
SOCKET_VARIABLE = "CHATFLOW_PHASE_SOCKET"
PRIVATE_FOLDER = ".chatflow"
"""Folder in the work directory that belongs to us: context, list of artifacts, stored variables."""


@dataclass(frozen=True, kw_only=True)
class PhaseContext:
    """What a notebook can know of its attempt.

    `variables` is what conditions see: `{"context": {…}, "trigger": {…}, phase: {output: …, "status": …},
    "children": {key: {…}}}`; keys with dots in them are found too.
    """

    instance_id: str
    attempt_id: str
    attempt_number: int
    phase: str
    parameters: JsonObject
    variables: JsonObject
    tenant_id: str
    feature_id: str | None = None


def write_phase_context(work_dir: Path, context: PhaseContext, *, socket: Path) -> Mapping[str, str]:
    """Write `context` into the work directory; returns the environment variables the SDK needs."""
    folder = work_dir / PRIVATE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "context.json"
    path.write_text(json.dumps(asdict(context)), encoding="utf-8")
    return {CONTEXT_VARIABLE: str(path), SOCKET_VARIABLE: str(socket)}
