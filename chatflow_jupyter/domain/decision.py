"""What `decide` answers: a decision to commit as a whole, or a refusal."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from .events import Event
from .ids import AttemptId, InstanceId, RunAs, Sha256
from .instance import Failure, Instance, ParentLink, Vote
from .json_values import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAttempt:
    """Make a new attempt available to runners."""

    attempt_id: AttemptId
    phase: str
    number: int
    notebook: str
    kernel: str | None
    parameters: JsonObject
    timeout_sec: float | None
    queued_at: datetime
    run_as: RunAs = "starter"


@dataclass(frozen=True, kw_only=True, slots=True)
class StartAttempt:
    """Record the start of a leased attempt; refused by the store when the fence is stale."""

    attempt_id: AttemptId
    fence: int
    started_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EndAttempt:
    """End a leased attempt; refused by the store when the fence is stale."""

    attempt_id: AttemptId
    fence: int
    status: Literal["succeeded", "failed", "lost", "cancelled"]
    ended_at: datetime
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelAttempt:
    """End an attempt whoever holds it; the fence grows so that its runner is refused from now on."""

    attempt_id: AttemptId
    ended_at: datetime


AttemptChange: TypeAlias = QueueAttempt | StartAttempt | EndAttempt | CancelAttempt


class TimerKind(StrEnum):
    """What a timer ends."""

    RETRY = "retry"
    GATE_EXPIRY = "gate_expiry"
    PHASE_DEADLINE = "phase_deadline"
    INSTANCE_DEADLINE = "instance_deadline"


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerChange:
    """Set the instance's timer of this kind to `due_at`, or clear it (None)."""

    kind: TimerKind
    due_at: datetime | None


class ContinuationKind(StrEnum):
    """Why an instance is looked at again."""

    CHILD_ENDED = "child_ended"
    FAN_OUT = "fan_out"
    PAUSE_CHILDREN = "pause_children"
    RESUME_CHILDREN = "resume_children"
    TERMINATE_CHILDREN = "terminate_children"
    RETRY_CHILDREN = "retry_children"
    LOOK_FOR_WAIVER = "look_for_waiver"
    END_OVERDUE_CHILDREN = "end_overdue_children"
    RUN_HOOKS = "run_hooks"
    LOOK_FOR_CACHED = "look_for_cached"


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """A committed note: look at `instance_id` again. `about` is the child it concerns, if one."""

    instance_id: InstanceId
    kind: ContinuationKind
    about: InstanceId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildRequest:
    """Create this child, started, in the same commit."""

    instance_id: InstanceId
    schema_ref: str
    link: ParentLink
    context: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptOutcome:
    """An outcome of the instance that may stand for that of another one with the same inputs, until then."""

    key: Sha256
    phase: str
    attempt: int
    risk: int
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ReusedWork:
    """The attempt of another instance that stands as attempt `number` of this one, with its artifacts."""

    source_id: InstanceId
    phase: str
    attempt: int
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A whole transition: committed entirely or not at all.

    `spent_sec` and `asked` (children asked for) count at once on everybody whose limits it is under.
    """

    instance: Instance
    events: tuple[Event, ...]
    attempts: tuple[AttemptChange, ...] = ()
    timers: tuple[TimerChange, ...] = ()
    continuations: tuple[Continuation, ...] = ()
    children: tuple[ChildRequest, ...] = ()
    votes: tuple[Vote, ...] = ()
    spent_sec: float = 0.0
    asked: int = 0
    kept: KeptOutcome | None = None
    reused: ReusedWork | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Nothing changes. `stale` marks a request that simply came too late to matter."""

    code: str
    message: str
    stale: bool = False
