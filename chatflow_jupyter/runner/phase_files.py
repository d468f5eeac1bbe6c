"""The files through which a notebook and its runner speak: the attempt's description, the artifacts."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from chatflow_jupyter.ports.records import Lease
from chatflow_jupyter.runner.artifacts import PRIVATE_FOLDER, CollectedArtifact, collect_artifacts

__all__ = [
    "CONTEXT_VARIABLE",
    "PRIVATE_FOLDER",
    "SOCKET_VARIABLE",
    "CollectedArtifact",
    "collect_artifacts",
    "write_context",
]

CONTEXT_VARIABLE = "CHATFLOW_PHASE_CONTEXT"
"""Environment variable with the path of the attempt's description."""

SOCKET_VARIABLE = "CHATFLOW_PHASE_SOCKET"
"""Environment variable with the path of the socket that answers the notebook."""


def write_context(lease: Lease, work_dir: Path, bundle: Path) -> Mapping[str, str]:
    """Describe the attempt in `work_dir` for `chatflow_sdk.phase`; returns variables for its kernel.

    Among them PYTHONPATH, so that the notebook can import what lies in the bundle's `lib/`.
    """
    attempt = lease.attempt
    folder = work_dir / PRIVATE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "context.json"
    description = {
        "instance_id": attempt.instance_id,
        "attempt_id": attempt.attempt_id,
        "attempt_number": attempt.number,
        "phase": attempt.phase,
        "parameters": attempt.parameters,
        "variables": lease.variables,
        "tenant_id": attempt.tenant_id,
        "feature_id": lease.feature_id,
        "scheduled_at": lease.scheduled_at,
        "bundle": str(bundle),
        "spawns": list(lease.spawns),
    }
    path.write_text(json.dumps(description), encoding="utf-8")
    inherited = os.environ.get("PYTHONPATH")
    python_path = [str(bundle / "lib"), *([inherited] if inherited else [])]
    return {CONTEXT_VARIABLE: str(path), "PYTHONPATH": os.pathsep.join(python_path)}
