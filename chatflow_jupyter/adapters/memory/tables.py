"""What the memory adapter holds, and the questions several of its facets ask."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from chatflow_jupyter.adapters.change_signal import ChangeSignal
from chatflow_jupyter.domain.audit import AuditRow
from chatflow_jupyter.domain.errors import NotFound, StaleFence
from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.ids import (
    AttemptId,
    InstanceId,
    OwnerId,
    Principal,
    ScheduleId,
    Sha256,
    TenantId,
    WaiverId,
)
from chatflow_jupyter.domain.instance import Instance, Vote
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry
from chatflow_jupyter.domain.usage import Usage
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptRow,
    ContinuationRow,
    DefinitionRecord,
    Deprecation,
    JournalEntry,
    KeptRow,
    OutboxRow,
    Owner,
    RequestKey,
    TimerRow,
    Waiver,
)


@dataclass(kw_only=True)
class Blob:
    """Stored bytes as the collector sees them."""

    size_bytes: int
    state: Literal["live", "deleting"]
    touched_at: datetime


@dataclass(kw_only=True)
class Tables:
    """Every table; dicts keep the order of insertion, which is the order of commit."""

    clock: Clock
    changes: ChangeSignal = field(default_factory=ChangeSignal)
    definitions: dict[tuple[TenantId, str, str], DefinitionRecord] = field(default_factory=dict)
    deprecations: dict[tuple[TenantId, str, str], Deprecation] = field(default_factory=dict)
    instances: dict[tuple[TenantId, InstanceId], Instance] = field(default_factory=dict)
    attempts: dict[tuple[TenantId, AttemptId], AttemptRow] = field(default_factory=dict)
    votes: list[tuple[TenantId, InstanceId, Vote]] = field(default_factory=list)
    waivers: dict[tuple[TenantId, WaiverId], Waiver] = field(default_factory=dict)
    keys: dict[tuple[TenantId, Principal, str], RequestKey] = field(default_factory=dict)
    events: defaultdict[TenantId, list[StoredEvent]] = field(default_factory=lambda: defaultdict(list))
    outbox: dict[int, OutboxRow] = field(default_factory=dict)
    continuations: dict[int, ContinuationRow] = field(default_factory=dict)
    timers: dict[tuple[TenantId, InstanceId, str], TimerRow] = field(default_factory=dict)
    artifacts: dict[tuple[TenantId, AttemptId, str], ArtifactRecord] = field(default_factory=dict)
    blobs: dict[tuple[TenantId, Sha256], Blob] = field(default_factory=dict)
    journal: dict[tuple[TenantId, InstanceId, str, str], JournalEntry] = field(default_factory=dict)
    owners: dict[OwnerId, Owner] = field(default_factory=dict)
    tree_owners: dict[tuple[TenantId, InstanceId], OwnerId | None] = field(default_factory=dict)
    usage: dict[tuple[TenantId, InstanceId], Usage] = field(default_factory=dict)
    asked_in_trees: defaultdict[tuple[TenantId, InstanceId], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    schedules: dict[tuple[TenantId, ScheduleId], Schedule] = field(default_factory=dict)
    schedule_log: defaultdict[tuple[TenantId, ScheduleId], list[tuple[int, ScheduleEntry]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    audit: defaultdict[TenantId, list[AuditRow]] = field(default_factory=lambda: defaultdict(list))
    kept_outcomes: dict[tuple[TenantId, Sha256], KeptRow] = field(default_factory=dict)
    last_outbox_id: int = 0
    last_continuation_id: int = 0

    def instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        """Return the instance; raises `NotFound`."""
        found = self.instances.get((tenant_id, instance_id))
        if found is None:
            raise NotFound(f"no instance {instance_id}")
        return found

    def leased(self, tenant_id: TenantId, attempt_id: AttemptId, fence: int) -> AttemptRow:
        """Return the attempt leased under `fence`; raises `StaleFence`."""
        found = self.attempts.get((tenant_id, attempt_id))
        if found is None or found.status != "leased" or found.fence != fence:
            raise StaleFence(f"attempt {attempt_id} is not leased under fence {fence}")
        return found

    def tree(self, tenant_id: TenantId, root_id: InstanceId) -> list[Instance]:
        """Return the nodes under a root in order of creation."""
        return [
            node
            for (tenant, _), node in self.instances.items()
            if tenant == tenant_id and node.root_id == root_id
        ]
