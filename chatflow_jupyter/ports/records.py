"""Rows as the ports exchange them: immutable, in the domain's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.decision import Continuation, Decision, KeptOutcome, TimerKind
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.ids import (
    AttemptId,
    InstanceId,
    OwnerId,
    Principal,
    RunAs,
    RunnerId,
    Sha256,
    TenantId,
    WaiverId,
)
from chatflow_jupyter.domain.instance import DefinitionRef, Failure, Instance, Spawned
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.domain.schedules import ScheduleStep

ARTIFACT_KINDS = frozenset({"prompt", "response", "code", "notebook", "report", "log", "data"})
AttemptStatus = Literal["queued", "leased", "succeeded", "failed", "lost", "cancelled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinitionRecord:
    """A published definition. `entry` is its file in the bundle; `pins` maps child schemas to versions."""

    tenant_id: TenantId
    reference: DefinitionRef
    definition: Definition
    bundle_sha256: Sha256
    entry: str
    pins: Mapping[str, DefinitionRef]
    published_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Deprecation:
    """Somebody's word that a published version is not to be started any more, unless it is named exactly."""

    tenant_id: TenantId
    name: str
    version: str
    principal: Principal
    reason: str
    deprecated_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionUse:
    """How many instances are pinned to a version, and how many of them have not ended."""

    instances: int
    unfinished: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestKey:
    """An idempotency key, the hash of the request it came with, and the answer to keep."""

    principal: Principal
    key: str
    request_sha256: Sha256
    answer: JsonObject
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """What was answered to the first request with a key."""

    request_sha256: Sha256
    answer: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """One instance's part of a commit. `before` is None for an instance that is being created."""

    before: Instance | None
    decision: Decision


@dataclass(frozen=True, kw_only=True, slots=True)
class ContinuationRow:
    """A continuation as stored; `continuation_id` grows."""

    continuation_id: int
    tenant_id: TenantId
    continuation: Continuation


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptRow:
    """That an attempt of an instance handed over an outcome for the inputs with this hash: the newest one."""

    tenant_id: TenantId
    instance_id: InstanceId
    outcome: KeptOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedWork:
    """What a fork has of its source, an instance as it was at `seq`: what these phases of it left behind."""

    source_id: InstanceId
    seq: int
    phases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """Everything one request changes: the instance, children born with it, the key, notes consumed.

    `owner_id` is set on the tree when a root is created. With `no_artifact_but`, it was decided on there
    being no artifact of the instance but those of that phase. `schedule` is what started the root;
    `shares` is for a fork, born in the first of `transitions`.
    `act` is what somebody did by it; the engine's own requests have none.
    """

    tenant_id: TenantId
    transitions: tuple[Transition, ...]
    key: RequestKey | None = None
    consumed: tuple[int, ...] = ()
    owner_id: OwnerId | None = None
    no_artifact_but: str | None = None
    schedule: ScheduleStep | None = None
    shares: SharedWork | None = None
    act: Act | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a running attempt is: cells done of all, and the name of the one that runs."""

    cell_index: int
    cells_total: int
    cell_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """One execution of a phase."""

    tenant_id: TenantId
    instance_id: InstanceId
    root_id: InstanceId
    attempt_id: AttemptId
    phase: str
    number: int
    notebook: str
    kernel: str | None
    parameters: JsonObject
    timeout_sec: float | None
    status: AttemptStatus
    fence: int
    queued_at: datetime
    runner_id: RunnerId | None = None
    owner_id: OwnerId | None = None
    lease_expires_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: Progress | None = None
    failure: Failure | None = None
    run_as: RunAs = "starter"
    starter: Principal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Serves:
    """Which attempts a runner may hold: those to be run as the user who started them, or as the tenant."""

    tenant_id: TenantId
    starter: Principal | None = None

    def may_hold(self, attempt: AttemptRow) -> bool:
        """Whether `attempt` is one of these. With a `starter` it is a user's runner, else the tenant's."""
        if attempt.tenant_id != self.tenant_id:
            return False
        if self.starter is None:
            return attempt.run_as == "tenant"
        return attempt.run_as == "starter" and attempt.starter == self.starter


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerRow:
    """A timer that is due."""

    tenant_id: TenantId
    instance_id: InstanceId
    kind: TimerKind
    due_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """An event's message on its way to the bus; `outbox_id` grows."""

    outbox_id: int
    tenant_id: TenantId
    topic: str
    message: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactRecord:
    """Stored bytes of an attempt. A name is unique within its attempt."""

    tenant_id: TenantId
    instance_id: InstanceId
    attempt_id: AttemptId
    phase: str
    attempt: int
    name: str
    kind: str
    media_type: str
    sha256: Sha256
    size_bytes: int
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalEntry:
    """What `once` stored: a JSON value, or the hash of stored bytes."""

    name: str
    value: JsonValue = None
    sha256: Sha256 | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A process that drives instances of an embedded home; dead ones are recognised by these facts."""

    owner_id: OwnerId
    host: str
    boot_id: str
    pid: int
    started_ticks: int
    kind: Literal["foreground", "background"]
    registered_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class UnfinishedTree:
    """A tree in which something is to be done by the engine, and who has it."""

    tenant_id: TenantId
    root_id: InstanceId
    owner_id: OwnerId | None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceFilter:
    """Which instances to list; every given field must match. Only roots unless `parent_id` is given.

    Without `families`, what they know of their children is left out: of many parents of many, that is most.
    """

    feature_id: str | None = None
    status: str | None = None
    waiting_reason: str | None = None
    name: str | None = None
    parent_id: InstanceId | None = None
    phase: str | None = None
    before: InstanceId | None = None
    limit: int = 50
    families: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where an instance stands, and nothing else: what a poll asks for. `status` is the one people see."""

    instance_id: InstanceId
    status: str
    waiting_reason: str | None
    phase: str | None
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureCount:
    """How many roots of one feature and definition stand alike, and when the newest of them was created.

    `status` is the one people see: `paused` hides another.
    """

    name: str
    status: str
    waiting_reason: str | None
    number: int
    newest_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """Somebody's word that a gate need not ask until `expires_at`.

    It is about the gate before `phase` of every version of the definition `name`; with `feature_id` only of
    that feature's instances.
    """

    tenant_id: TenantId
    waiver_id: WaiverId
    name: str
    phase: str
    feature_id: str | None
    principal: Principal
    reason: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What storing bytes gave: their hash and size."""

    sha256: Sha256
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """What a runner needs to run one attempt."""

    attempt: AttemptRow
    variables: JsonObject
    parent_id: InstanceId | None
    feature_id: str | None
    bundle_sha256: Sha256
    notebook: str
    lease_sec: float
    spawns: tuple[str, ...] = ()
    """The definitions its notebook may start with `ctx.spawn`."""
    scheduled_at: str | None = None
    """The time its instance was started for, ISO 8601, when a schedule started it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptReport:
    """How an attempt ended, as the runner reports it: a failure, or an outcome."""

    duration_sec: float
    outputs: JsonObject = field(default_factory=dict)
    risk: int | None = None
    spawned: tuple[Spawned, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Soundness:
    """What an examination of a home found: a line per fault, and how much it looked at."""

    faults: tuple[str, ...]
    objects: int
    size_bytes: int
    took_sec: float
