"""What people are shown at a gate, as one hash: when an artifact changes, so does it."""

import hashlib
from collections.abc import Mapping
from typing import TypeGuard

from chatflow_jupyter.domain.ids import InstanceId, Sha256, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import canonical_json
from chatflow_jupyter.domain.requests import AttemptStarted, Request, Trigger
from chatflow_jupyter.ports.state_storage import IArtifactRows


def _hash_of(instance_id: InstanceId, but: str | None, sha256_by_name: Mapping[str, str]) -> Sha256:
    content = canonical_json({"instance": instance_id, "before": but, "artifacts": dict(sha256_by_name)})
    return Sha256(hashlib.sha256(content.encode()).hexdigest())


def nothing_shown(instance_id: InstanceId, but: str | None) -> Sha256:
    """Return what `shown_hash` is when there is nothing to see."""
    return _hash_of(instance_id, but, {})


async def shown_hash(
    rows: IArtifactRows, tenant_id: TenantId, instance_id: InstanceId, *, but: str | None
) -> Sha256:
    """Return a hash over the latest artifact of each name of every phase but the one called `but`.

    That one is the phase behind the gate: what its own attempts store does not count. No other gate, and none
    of another instance, has the same hash.
    """
    latest: dict[str, tuple[int, str]] = {}
    for record in await rows.artifacts(tenant_id, instance_id):
        this = f"{record.phase}/{record.name}"
        if record.phase != but and record.attempt >= latest.get(this, (0, ""))[0]:
            latest[this] = (record.attempt, record.sha256)
    return _hash_of(instance_id, but, {name: sha256 for name, (_, sha256) in latest.items()})


def is_about_artifacts(request: Request, instance: Instance) -> TypeGuard[Trigger | AttemptStarted]:
    """Return whether the request is decided on what there is to see: a vote, or a phase people approved."""
    if isinstance(request, Trigger):
        return request.decision is not None and request.shown is None
    if isinstance(request, AttemptStarted):
        return request.shown is None and approved_of(instance) is not None
    return False


def approved_of(instance: Instance) -> Sha256 | None:
    """Return what those who approved the current phase were shown."""
    record = None if instance.phase is None else instance.phases.get(instance.phase)
    return None if record is None or record.gate is None else record.gate.shown
