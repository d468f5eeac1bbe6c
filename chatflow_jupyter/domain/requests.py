"""What can be asked of an instance: by people, by runners, and by the engine itself."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from .hooks import HookAnswer, Processed
from .ids import ENGINE_PRINCIPAL, AttemptId, InstanceId, Principal, RunnerId, Sha256, WaiverId
from .instance import Failure, HooksAsked, Spawned, Status
from .json_values import JsonObject

LossKind: TypeAlias = Literal["runner", "process", "nothing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """Advance the instance: start it, answer its gate, hand in data, retry now, or resume a failure.

    For an answer: `verbs` are what the principal may do; `phase` is the one whose gate is meant (None: the
    one that waits); `shown` is a hash over the artifacts there are to see now, `seen` what the caller saw.
    `anew`: from now on no phase reuses an earlier outcome.
    """

    principal: Principal
    data: JsonObject = field(default_factory=dict)
    decision: Literal["approve", "reject"] | None = None
    reason: str | None = None
    verbs: frozenset[str] = frozenset()
    claimed: bool = False
    phase: str | None = None
    shown: Sha256 | None = None
    seen: Sha256 | None = None
    anew: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Let the running attempt finish and queue nothing new."""

    principal: Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class Resume:
    """End a pause; evaluates once."""

    principal: Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminate:
    """End the instance and its subtree, with `compensate` once all is undone; cancels the running attempt."""

    principal: Principal
    reason: str | None = None
    compensate: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptStarted:
    """A runner holds the lease and begins. `shown`: see `Trigger`; None is no statement about it."""

    attempt_id: AttemptId
    fence: int
    runner_id: RunnerId
    shown: Sha256 | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptSucceeded:
    """The notebook ran to its end, and these children are to be born of it.

    `outputs` is its outcome, `risk` what it reported (0 to 100), `processed` what became of its artifacts.
    """

    attempt_id: AttemptId
    fence: int
    outputs: JsonObject
    duration_sec: float
    risk: int | None = None
    spawned: tuple[Spawned, ...] = ()
    processed: tuple[Processed, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptFailed:
    """The notebook did not run to its end."""

    attempt_id: AttemptId
    fence: int
    failure: Failure
    duration_sec: float
    risk: int | None = None
    processed: tuple[Processed, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptLost:
    """The runner is gone: alone, with the whole process around it, or for what no phase can have done."""

    attempt_id: AttemptId
    fence: int
    cause: str
    counts_as: LossKind = "runner"


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryDue:
    """The back-off of a failed attempt is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateExpiryDue:
    """The gate before the current phase was open for its whole `expires_sec`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseDeadlineDue:
    """The current phase was entered its whole `deadline_sec` ago."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceDeadlineDue:
    """The instance was started, or resumed, its whole `deadline_sec` ago."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentOverdue:
    """A deadline ended the phase of the parent that this child is of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WaiverFound:
    """Somebody waived the gate before `phase` beforehand, until `expires_at`."""

    waiver_id: WaiverId
    phase: str
    waived_by: Principal
    reason: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildResult:
    """How one child ended; `outcome` is its variables by phase, `seq` the child's at its end.

    `compensation` is how far it came in undoing what it did, if it was to.
    """

    instance_id: InstanceId
    phase: str
    key: str
    status: Status
    outcome: JsonObject
    spent_sec: float
    descendants: int
    seq: int
    compensation: Literal["done", "failed"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildrenEnded:
    """Some children of the current phase ended."""

    children: tuple[ChildResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FanOutDue:
    """More children of the current phase may be started than one commit could hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HookVerdicts:
    """The hooks that were `asked` have answered, in their order; of those behind a failure there is none."""

    asked: HooksAsked
    answers: tuple[HookAnswer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedOutcome:
    """What an attempt of another instance handed over for the same inputs, at `made_at`."""

    instance_id: InstanceId
    attempt: int
    outputs: JsonObject
    risk: int
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheLookedUp:
    """What the transition `seq` asked for, before that attempt: the inputs as a `key`, and what is kept.

    Without a key the inputs could not be read.
    """

    attempt: int
    seq: int
    key: Sha256 | None = None
    found: CachedOutcome | None = None


TimerRequest: TypeAlias = RetryDue | GateExpiryDue | PhaseDeadlineDue | InstanceDeadlineDue
Request: TypeAlias = (
    Trigger
    | Pause
    | Resume
    | Terminate
    | AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | AttemptLost
    | RetryDue
    | GateExpiryDue
    | PhaseDeadlineDue
    | InstanceDeadlineDue
    | ParentOverdue
    | WaiverFound
    | ChildrenEnded
    | FanOutDue
    | HookVerdicts
    | CacheLookedUp
)


def principal_of(request: Request) -> Principal:
    """Return who asked: the caller, or the engine itself."""
    match request:
        case Trigger() | Pause() | Resume() | Terminate():
            return request.principal
        case _:
            return ENGINE_PRINCIPAL
