"""Events: committed facts, versioned, in the past tense."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .ids import EventId, InstanceId, Principal, TenantId
from .json_values import JsonObject


class EventType(StrEnum):
    """Every kind of event, with what its `data` holds in `docs/reference/events.md`."""

    INSTANCE_CREATED = "InstanceCreated"
    INSTANCE_STARTED = "InstanceStarted"
    STEP_TRIGGERED = "StepTriggered"
    PHASE_QUEUED = "PhaseQueued"
    PHASE_STARTED = "PhaseStarted"
    PHASE_SUCCEEDED = "PhaseSucceeded"
    PHASE_FAILED = "PhaseFailed"
    PHASE_SKIPPED = "PhaseSkipped"
    PHASE_REUSED = "PhaseReused"
    ATTEMPT_LOST = "AttemptLost"
    RETRY_SCHEDULED = "RetryScheduled"
    GATE_OPENED = "GateOpened"
    GATE_DECIDED = "GateDecided"
    GATE_EXPIRED = "GateExpired"
    GATE_ESCALATED = "GateEscalated"
    GATE_VOIDED = "GateVoided"
    HOOK_ANSWERED = "HookAnswered"
    CHILDREN_STARTED = "ChildrenStarted"
    CHILD_ENDED = "ChildEnded"
    COMPENSATION_STARTED = "CompensationStarted"
    PHASE_COMPENSATED = "PhaseCompensated"
    INSTANCE_WAITING = "InstanceWaiting"
    INSTANCE_PAUSED = "InstancePaused"
    INSTANCE_RESUMED = "InstanceResumed"
    INSTANCE_COMPLETED = "InstanceCompleted"
    INSTANCE_FAILED = "InstanceFailed"
    INSTANCE_TERMINATED = "InstanceTerminated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One fact. `(instance_id, seq, index)` orders the facts of an instance."""

    event_id: EventId
    type: EventType
    tenant_id: TenantId
    instance_id: InstanceId
    root_id: InstanceId
    seq: int
    index: int
    at: datetime
    principal: Principal
    phase: str | None = None
    attempt: int | None = None
    data: JsonObject = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvent:
    """An event at its `position` in its tenant's committed order (dense, from 1)."""

    position: int
    event: Event
