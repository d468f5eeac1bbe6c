"""A decision in the making: the instance as changed so far and everything to be committed with it."""

from collections.abc import Mapping
from datetime import datetime

from .decision import (
    AttemptChange,
    ChildRequest,
    Continuation,
    ContinuationKind,
    Decision,
    KeptOutcome,
    ReusedWork,
    TimerChange,
    TimerKind,
)
from .definition import Definition, Phase
from .events import Event, EventType
from .evolve import evolve
from .hooks import NO_HOOKS, HookPlan
from .ids import Principal, event_id
from .instance import Failure, Instance, PhaseRecord, PhaseState, Status, Vote, WaitingReason
from .json_values import JsonObject, JsonValue
from .usage import NOTHING_KNOWN, Used


class Draft:
    """Collects one transition. Used only inside `decide`, which hands out the finished value."""

    def __init__(
        self,
        definition: Definition,
        instance: Instance,
        principal: Principal,
        now: datetime,
        used: Used = NOTHING_KNOWN,
        hooks: HookPlan = NO_HOOKS,
    ) -> None:
        """Start from `instance`; everything that follows happens at `now`.

        `used` is what is known of the limits it is under, `hooks` which of them are in force.
        """
        self.definition = definition
        self.used = used
        self.hooks = hooks
        self.spent_sec = 0.0
        self.asked = 0
        self.now = now
        self.instance = evolve(instance, {"seq": instance.seq + 1, "updated_at": now})
        self.attempts: list[AttemptChange] = []
        self.children: list[ChildRequest] = []
        self.kept: KeptOutcome | None = None
        self.reused: ReusedWork | None = None
        self._principal = principal
        self._events: list[Event] = []
        self._timers: dict[TimerKind, TimerChange] = {}
        self._continuations: list[Continuation] = []
        self._votes: list[Vote] = []

    @property
    def phase(self) -> Phase:
        """The current phase; only asked for where there is one."""
        assert self.instance.phase is not None
        return self.definition.phase(self.instance.phase)

    @property
    def record(self) -> PhaseRecord:
        """What has happened to the current phase."""
        return self.instance.phases[self.phase.name]

    def change(self, **fields: object) -> None:
        """Replace fields of the instance."""
        self.instance = evolve(self.instance, fields)

    def change_record(self, **fields: object) -> None:
        """Replace fields of the current phase's record."""
        name = self.phase.name
        changed = evolve(self.instance.phases[name], fields)
        self.change(phases={**self.instance.phases, name: changed})

    def spend(self, seconds: float) -> None:
        """Count time of an attempt, here and on all whose limits the instance is under."""
        self.spent_sec += seconds
        self.change(spent_sec=self.instance.spent_sec + seconds)

    def ask_for(self, children: int) -> None:
        """Count children that are to be born on all whose limits the instance is under."""
        self.asked += children

    def leave_children(self) -> None:
        """Forget the children of the current phase; those asked for and never born count no more."""
        if self.instance.fan_out is None:
            self.ask_for(-len(self.instance.spawned))
        self.change(fan_out=None, spawned=())

    def emit(self, kind: EventType, *, phase: str | None = None, **data: JsonValue) -> None:
        """Add an event; the attempt number is that of the phase, when it has one."""
        record = self.instance.phases.get(phase) if phase else None
        index = len(self._events)
        self._events.append(
            Event(
                event_id=event_id(self.instance.instance_id, self.instance.seq, index),
                type=kind,
                tenant_id=self.instance.tenant_id,
                instance_id=self.instance.instance_id,
                root_id=self.instance.root_id,
                seq=self.instance.seq,
                index=index,
                at=self.now,
                principal=self._principal,
                phase=phase,
                attempt=(record.attempts or None) if record else None,
                data={name: value for name, value in data.items() if value is not None},
            )
        )

    def set_timer(self, kind: TimerKind, due_at: datetime | None) -> None:
        """Set or clear the instance's timer of this kind."""
        self._timers[kind] = TimerChange(kind=kind, due_at=due_at)

    def vote(self, vote: Vote) -> None:
        """Keep a person's answer as a row."""
        self._votes.append(vote)

    @property
    def triggered(self) -> JsonObject:
        """What has come with triggers until now."""
        known = self.instance.variables.get("trigger")
        return known if isinstance(known, Mapping) else {}

    def merge_trigger(self, data: JsonObject) -> None:
        """Add what came with a trigger to the variables under `trigger`."""
        if data:
            self.replace_triggered({**self.triggered, **data})

    def replace_triggered(self, data: JsonObject) -> None:
        """Let the variables under `trigger` be these; the current phase keeps what they were before it."""
        name = self.instance.phase
        if name is not None and self.instance.phases[name].triggered_before is None:
            self.change_record(triggered_before=self.triggered)
        self.change(variables={**self.instance.variables, "trigger": data})

    def continue_self(self, kind: ContinuationKind) -> None:
        """Ask for this instance, or its children, to be looked at after the commit."""
        self._continuations.append(Continuation(instance_id=self.instance.instance_id, kind=kind))

    def run(self) -> None:
        """Mark the instance running, or compensating while what it did is undone."""
        status = Status.COMPENSATING if self.instance.is_undoing else Status.RUNNING
        self.change(status=status, waiting_reason=None, waiting_detail=None, hooks_asked=None)

    def wait(self, reason: WaitingReason, detail: str, **data: JsonValue) -> None:
        """Mark the instance waiting and say so."""
        self.change(status=Status.WAITING, waiting_reason=reason, waiting_detail=detail, hooks_asked=None)
        self.emit(
            EventType.INSTANCE_WAITING, phase=self.instance.phase, reason=str(reason), detail=detail, **data
        )

    def lift_pause(self) -> None:
        """Mark the instance as no longer paused and say so, also to those below it."""
        self.change(paused=False)
        self.emit(EventType.INSTANCE_RESUMED, phase=self.instance.phase, from_status="paused")
        if self.instance.descendants:
            self.continue_self(ContinuationKind.RESUME_CHILDREN)

    def end_phase(self, state: PhaseState, reason: str | None = None) -> None:
        """Close the current phase."""
        if self.record.deadline_at is not None:
            self.set_timer(TimerKind.PHASE_DEADLINE, None)
        self.change_record(state=state, ended_at=self.now, reason=reason)

    def complete(self) -> None:
        """End the instance as completed."""
        self._end(Status.COMPLETED)
        self.emit(EventType.INSTANCE_COMPLETED)

    def fail(self, failure: Failure) -> None:
        """End the instance as failed; it may be resumed."""
        self._end(Status.FAILED)
        self.change(failure=failure)
        self.emit(
            EventType.INSTANCE_FAILED,
            phase=failure.phase,
            code=failure.code,
            message=failure.message,
            cell_index=failure.cell_index,
            compensated=self.instance.compensated or None,
        )

    def terminate(self, reason: str) -> None:
        """End the instance for good, and its subtree after it."""
        self._end(Status.TERMINATED)
        self.emit(EventType.INSTANCE_TERMINATED, reason=reason, compensated=self.instance.compensated or None)
        if self.instance.descendants:
            self.continue_self(ContinuationKind.TERMINATE_CHILDREN)

    def finish(self) -> Decision:
        """Return the finished decision."""
        return Decision(
            instance=self.instance,
            events=tuple(self._events),
            attempts=tuple(self.attempts),
            timers=tuple(self._timers.values()),
            continuations=tuple(self._continuations),
            children=tuple(self.children),
            votes=tuple(self._votes),
            spent_sec=self.spent_sec,
            asked=self.asked,
            kept=self.kept,
            reused=self.reused,
        )

    def _end(self, status: Status) -> None:
        self.change(
            status=status,
            waiting_reason=None,
            waiting_detail=None,
            paused=False,
            attempt=None,
            gate=None,
            hooks_asked=None,
            ended_at=self.now,
        )
        for kind in TimerKind:
            self.set_timer(kind, None)
        parent = self.instance.parent
        if parent is not None:
            self._continuations.append(
                Continuation(
                    instance_id=parent.instance_id,
                    kind=ContinuationKind.CHILD_ENDED,
                    about=self.instance.instance_id,
                )
            )
