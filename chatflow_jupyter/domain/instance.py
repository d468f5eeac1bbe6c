"""An instance: one run of a definition, as an immutable value that `decide` replaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from .definition import Quota
from .ids import AttemptId, InstanceId, Principal, RunAs, Sha256, TenantId
from .json_values import JsonObject, JsonValue
from .usage import Limit


class Status(StrEnum):
    """Where an instance stands. `paused` is a flag beside it, not a status of its own."""

    CREATED = "created"
    RUNNING = "running"
    WAITING = "waiting"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"


class WaitingReason(StrEnum):
    """What a waiting instance waits for."""

    TRIGGER = "trigger"
    APPROVAL = "approval"
    CHILDREN = "children"
    BUDGET = "budget"
    RETRY = "retry"
    HOOK = "hook"
    CACHE = "cache"


class HookPoint(StrEnum):
    """Where hooks look: before an attempt, after it, and at each of its artifacts."""

    BEFORE = "before"
    AFTER = "after"
    ARTIFACT = "artifact"


class PhaseState(StrEnum):
    """How far one phase of an instance has come."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


FINAL = frozenset({Status.COMPLETED, Status.TERMINATED})
ENDED = FINAL | {Status.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinitionRef:
    """The exact definition an instance is pinned to; `content_hash` covers every byte of its bundle."""

    name: str
    version: str
    content_hash: Sha256

    @property
    def schema_id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why something failed: a stable `code`, one clear line, and where in the notebook."""

    code: str
    message: str
    phase: str | None = None
    cell_index: int | None = None
    cell_name: str | None = None
    ename: str | None = None
    traceback: str | None = None
    last_output: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOutcome:
    """How the gate before a phase was answered: by its rule, its people, its clock, or a waiver.

    `principals` are those whose votes, or whose waiver, decided; `reason` is the last one's. `shown` is a
    hash over the artifacts of the other phases that people saw when they answered. `given` names the
    variables that came with the last answer, `replaced` holds what those among them were before.
    """

    decision: Literal["approve", "reject"] = "approve"
    by: Literal["rule", "people", "expiry", "waiver"]
    at: datetime
    principals: tuple[Principal, ...] = ()
    reason: str | None = None
    shown: Sha256 | None = None
    given: tuple[str, ...] = ()
    replaced: JsonObject = field(default_factory=dict)

    @property
    def view(self) -> JsonObject:
        """The outcome as conditions and notebooks see it."""
        return {
            "decision": self.decision,
            "by": self.by,
            "principal": self.principals[-1] if self.principals else None,
            "principals": list(self.principals),
            "reason": self.reason,
            "at": self.at.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class HooksAsked:
    """Which hooks an instance waits for: those at `point` of that attempt, asked by the transition `seq`."""

    point: HookPoint
    attempt: int
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Clearance:
    """What the hooks before an attempt said together: people to be asked, the risk, further parameters."""

    attempt: int
    question: str | None = None
    risk: int = 0
    parameters: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """That an earlier outcome was looked for before an attempt; `key` is over the inputs, once answered.

    `seq` is the transition that asked or, once `answered`, the one that came with the answer. `mixed` means
    that attempts of the phase had different inputs, or unknown ones.
    """

    attempt: int
    seq: int
    answered: bool = False
    key: Sha256 | None = None
    mixed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ReusedFrom:
    """Which attempt of which instance handed over what stands as the outcome of a phase, and when."""

    instance_id: InstanceId
    attempt: int
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseRecord:
    """What has happened to one phase. `failures`, `lost` and `cut_off` count since the last resume.

    `lost` counts runners that ended under it, `cut_off` whole processes. While it is active, `deadline_at` is
    until when it has to end. `ran_sec` is how long the notebook took that ran to its end before hooks looked
    at what it handed over; `unjudged` until they have answered. `origin` is as whom the attempt ran whose
    outcome stands. `risk` is what its last attempt reported. `triggered_before` is what had come with
    triggers until it was entered, where more came since. A `shared` one was passed by the instance this is a
    fork of. With `cache` it was `sought` among earlier outcomes, and is perhaps `reused_from` one.
    """

    state: PhaseState
    attempts: int = 0
    failures: int = 0
    lost: int = 0
    cut_off: int = 0
    triggered: bool = False
    approved: bool = False
    gate: GateOutcome | None = None
    notebook_done: bool = False
    origin: RunAs | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    deadline_at: datetime | None = None
    clearance: Clearance | None = None
    ran_sec: float | None = None
    unjudged: bool = False
    risk: int | None = None
    triggered_before: JsonObject | None = None
    shared: bool = False
    had_children: bool = False
    sought: Sought | None = None
    reused_from: ReusedFrom | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One person's answer to a gate, and a hash over the artifacts that were there to see.

    `claimed` means that the name was given by a caller who answers for others, and was not verified.
    """

    phase: str
    principal: Principal
    decision: Literal["approve", "reject"]
    at: datetime
    reason: str | None = None
    data: JsonObject = field(default_factory=dict)
    shown: Sha256 | None = None
    claimed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenGate:
    """The gate an instance waits at since `asked_at`, with the latest vote of each person, in their order."""

    asked_at: datetime | None = None
    votes: tuple[Vote, ...] = ()
    expires_at: datetime | None = None
    escalated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FanOut:
    """Progress of the children of the current phase."""

    total: int
    started: int = 0
    ended: int = 0
    failed: int = 0

    @property
    def alive(self) -> int:
        """Children started and not yet ended."""
        return self.started - self.ended


@dataclass(frozen=True, kw_only=True, slots=True)
class Spawned:
    """A child the notebook of the current phase asked for with `ctx.spawn`; its index is its place."""

    schema_ref: str
    key: str
    context: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Undoing:
    """That what an instance did is being undone, or was (`done`), and as what it ends then.

    `reason` is why; `failure` is kept until the end for an instance that had failed.
    """

    goal: Literal["failed", "terminated"]
    reason: str
    failure: Failure | None = None
    done: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentLink:
    """Where a child hangs: the parent's phase, its item and whether the parent tolerates a failure."""

    instance_id: InstanceId
    phase: str
    index: int
    key: str
    tolerated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ForkOrigin:
    """What an instance is a fork of: an instance as it was at `seq`, and the phase it began at instead."""

    instance_id: InstanceId
    phase: str
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CurrentAttempt:
    """The one attempt an instance has queued or leased."""

    attempt_id: AttemptId
    number: int
    started: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One run of a definition. `seq` grows by one with every transition.

    `lineage` holds the limits of those above it that have any, the root's first; `max_depth` is the least of
    its own definition's and theirs. With `anew` no phase reuses what an earlier one handed over.
    """

    tenant_id: TenantId
    instance_id: InstanceId
    root_id: InstanceId
    definition: DefinitionRef
    principal: Principal
    context: JsonObject
    automation_level: int
    quota: Quota
    created_at: datetime
    updated_at: datetime
    depth: int = 0
    max_depth: int | None = None
    parent: ParentLink | None = None
    lineage: tuple[Limit, ...] = ()
    forked_from: ForkOrigin | None = None
    feature_id: str | None = None
    meta: JsonObject = field(default_factory=dict)
    variables: JsonObject = field(default_factory=dict)
    status: Status = Status.CREATED
    waiting_reason: WaitingReason | None = None
    waiting_detail: str | None = None
    paused: bool = False
    phase: str | None = None
    phases: Mapping[str, PhaseRecord] = field(default_factory=dict)
    attempt: CurrentAttempt | None = None
    fan_out: FanOut | None = None
    spawned: tuple[Spawned, ...] = ()
    gate: OpenGate | None = None
    reported_risk: int = 0
    spent_sec: float = 0.0
    descendants: int = 0
    failure: Failure | None = None
    undoing: Undoing | None = None
    hooks_asked: HooksAsked | None = None
    anew: bool = False
    seq: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deadline_at: datetime | None = None

    @property
    def shown_status(self) -> str:
        """The status people see: `paused` hides the underlying one until it ends."""
        return "paused" if self.paused and self.status not in ENDED else str(self.status)

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more unless somebody resumes a failure."""
        return self.status in ENDED

    @property
    def is_undoing(self) -> bool:
        """Whether it was told to undo what it did, and has not come to the end of that."""
        return self.undoing is not None and not self.undoing.done

    @property
    def compensated(self) -> bool:
        """Whether all that could be undone of what it did was undone."""
        return self.undoing is not None and self.undoing.done

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What limits the time and the number of its children: those above it, and its own quota."""
        own = self.quota
        if own.max_duration_sec is None and own.max_children is None:
            return self.lineage
        limit = Limit(
            instance_id=self.instance_id,
            max_duration_sec=own.max_duration_sec,
            max_children=own.max_children,
        )
        return (*self.lineage, limit)

    @property
    def view(self) -> JsonObject:
        """The variables conditions read: context, trigger data, outcomes, states and gates, children."""
        outcomes: dict[str, JsonValue] = {"context": self.context, **self.variables}
        for name, record in self.phases.items():
            known = self.variables.get(name)
            outcome = known if isinstance(known, Mapping) else {}
            opening = {} if record.gate is None else {"gate": record.gate.view}
            outcomes[name] = {**outcome, "status": str(record.state), **opening}
        return outcomes
