"""What people are shown at a gate, as one hash: when an artifact changes, so does it."""

import hashlib

from chatflow_jupyter.domain.ids import InstanceId, Sha256, TenantId
from chatflow_jupyter.domain.json_values import canonical_json
from chatflow_jupyter.ports.state_storage import IArtifactRows


async def shown_hash(
    rows: IArtifactRows, tenant_id: TenantId, instance_id: InstanceId, *, but: str | None
) -> Sha256:
    """Return a hash over the latest artifact of each name of every phase but the one called `but`.

    That one is the phase behind the gate: what its own attempts store does not count.
    """
    latest: dict[str, tuple[int, str]] = {}
    for record in await rows.artifacts(tenant_id, instance_id):
        this = f"{record.phase}/{record.name}"
        if record.phase != but and record.attempt >= latest.get(this, (0, ""))[0]:
            latest[this] = (record.attempt, record.sha256)
    content = canonical_json({name: sha256 for name, (_, sha256) in latest.items()})
    return Sha256(hashlib.sha256(content.encode()).hexdigest())
