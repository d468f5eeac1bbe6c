"""Histories of one instance, made with `decide` alone: every state it can be in, every event it can emit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from chatflow_jupyter.domain.birth import create_child, create_root
from chatflow_jupyter.domain.decision import Decision, Refusal
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.events import Event
from chatflow_jupyter.domain.fork import create_fork
from chatflow_jupyter.domain.hooks import (
    NO_HOOKS,
    Accept,
    Allow,
    Amend,
    Ask,
    Broken,
    Finding,
    HookAnswer,
    HookPlan,
    Processed,
    SetRisk,
    Verdict,
)
from chatflow_jupyter.domain.ids import InstanceId, Principal, RunnerId, Sha256, TenantId, WaiverId, child_id
from chatflow_jupyter.domain.instance import DefinitionRef, Failure, HookPoint, Instance, Status
from chatflow_jupyter.domain.requests import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptSucceeded,
    CachedOutcome,
    CacheLookedUp,
    ChildrenEnded,
    ChildResult,
    GateExpiryDue,
    HookVerdicts,
    Pause,
    Request,
    Resume,
    RetryDue,
    Terminate,
    Trigger,
    WaiverFound,
)
from chatflow_jupyter.domain.transition import decide

PERSON = Principal("local")
HOOKED = HookPlan(before=("style",), after=("style",))
PROCESSED = (
    Processed(
        hook="secrets", findings=(Finding(name="a.txt", verdict="replaced", reason="a token"),), more=1
    ),
)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = (
    "name: plain\nautomation_level: 100\ndeadline_sec: 9000\n"
    "phases:\n  - {deadline_sec: 600, name: one, notebook: one.ipynb}\n"
)
RETRYING = PLAIN.replace("one.ipynb}", "one.ipynb, retries: {max_attempts: 2, backoff_sec: 5}}")
TRIGGERED = PLAIN.replace("one.ipynb}", "one.ipynb, start: on_trigger}")
GATED = PLAIN.replace("one.ipynb}", "one.ipynb, gate: {title: Go on?, expires_sec: 60}}")
ASKING = PLAIN.replace(
    "one.ipynb}",
    "one.ipynb, gate: {approvers: [ann, bob], quorum: 2, expires_sec: 60, on_expire: escalate, "
    "escalate_to: [eve], waivable: true}}",
)
BUDGET = PLAIN.replace("phases:", "quota: {max_duration_sec: 0}\nphases:")
FALLING_BACK = PLAIN.replace("one.ipynb}", "one.ipynb, fallback: two}\n  - {name: two, notebook: b.ipynb}")
CACHED = PLAIN.replace("one.ipynb}", "one.ipynb, cache: inputs}")
SKIPPED = PLAIN.replace("one.ipynb}", "one.ipynb, when: {field: context.x, operator: exists}}")
SAGA = PLAIN.replace("one.ipynb}", "one.ipynb, compensate: undo.ipynb}\n  - {name: two, notebook: two.ipynb}")
UNDOING = SAGA.replace("phases:", "on_failure: compensate\nphases:")
CHILDREN = """\
name: parent
automation_level: 100
deadline_sec: 9000
phases:
  - name: files
    deadline_sec: 600
    children: {schema: ./child.yaml, items: [a, b, c], max_parallel: 2}
"""


@dataclass
class History:
    """One instance and everything that happened to it. Every request comes a second after the last."""

    definition: Definition
    instance: Instance
    now: datetime = EPOCH
    events: list[Event] = field(default_factory=list)
    hooks: HookPlan = NO_HOOKS

    @classmethod
    def of(cls, text: str, hooks: HookPlan = NO_HOOKS) -> "History":
        """Create an instance of the definition `text`, with these hooks in force."""
        definition = parse_definition(text, file="definition.yaml")
        born = create_root(
            definition,
            DefinitionRef(name=definition.name, version="0.0.0", content_hash=Sha256("0" * 64)),
            tenant_id=TenantId("local"),
            instance_id=InstanceId("wfi_history"),
            context={},
            principal=PERSON,
            now=EPOCH,
            feature_id="feat_1",
        )
        return cls(definition, born.instance, events=list(born.events), hooks=hooks)

    def ask(self, request: Request) -> Decision | Refusal:
        """Return what `decide` says now, changing nothing."""
        return decide(self.definition, self.instance, request, self.now, hooks=self.hooks)

    def do(self, *requests: Request | Callable[["History"], Request]) -> "History":
        """Apply requests that must be accepted."""
        for entry in requests:
            request = entry(self) if callable(entry) else entry
            self.now += timedelta(seconds=1)
            decision = self.ask(request)
            assert isinstance(decision, Decision), (request, decision)
            self.instance, self.events = decision.instance, [*self.events, *decision.events]
        return self

    def later(self, seconds: float) -> "History":
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        return self


def started(history: History) -> AttemptStarted:
    """The runner begins."""
    assert history.instance.attempt is not None
    return AttemptStarted(
        attempt_id=history.instance.attempt.attempt_id, fence=1, runner_id=RunnerId("run_1")
    )


def succeeded(history: History) -> Request:
    """The notebook ran to its end."""
    assert history.instance.attempt is not None
    held = history.instance.attempt.attempt_id
    return AttemptSucceeded(attempt_id=held, fence=1, outputs={"high": 3}, duration_sec=1.0, risk=10)


def failed(history: History) -> Request:
    """The notebook failed in a cell."""
    assert history.instance.attempt is not None
    failure = Failure(code="cell_error", message="ValueError: no", cell_index=1)
    return AttemptFailed(
        attempt_id=history.instance.attempt.attempt_id, fence=1, failure=failure, duration_sec=1.0
    )


def lost(history: History) -> Request:
    """The runner is gone."""
    assert history.instance.attempt is not None
    return AttemptLost(attempt_id=history.instance.attempt.attempt_id, fence=1, cause="its process is gone")


def looked_up(history: History, found: CachedOutcome | None = None) -> Request:
    """The earlier outcomes are looked through; if nothing is said, there is none."""
    assert history.instance.phase is not None
    sought = history.instance.phases[history.instance.phase].sought
    assert sought is not None
    return CacheLookedUp(attempt=sought.attempt, seq=sought.seq, key=Sha256("5" * 64), found=found)


FOUND = CachedOutcome(
    instance_id=InstanceId("wfi_earlier"), attempt=1, outputs={"n": 1}, risk=5, made_at=EPOCH
)


def answered(history: History, *verdicts: Verdict) -> Request:
    """The hooks that are asked have answered; if nothing is said, they let pass."""
    asked = history.instance.hooks_asked
    assert asked is not None
    passing = Allow() if asked.point is HookPoint.BEFORE else Accept()
    answers = tuple(HookAnswer(hook="style", verdict=verdict) for verdict in verdicts or (passing,))
    return HookVerdicts(asked=asked, answers=answers)


def child_ended(index: int, status: Status = Status.COMPLETED) -> Request:
    """A child of phase `files` ended."""
    result = ChildResult(
        instance_id=child_id(InstanceId("wfi_history"), "files", index),
        phase="files",
        key=f"files-{index}",
        status=status,
        outcome={},
        spent_sec=1.0,
        descendants=0,
        seq=7 + index,
    )
    return ChildrenEnded(children=(result,))


START = Trigger(principal=PERSON)
PAUSE = Pause(principal=PERSON)
RESUME = Resume(principal=PERSON)
TERMINATE = Terminate(principal=PERSON, reason="no longer wanted")
APPROVE = Trigger(principal=PERSON, decision="approve", reason="looked at")
COMPENSATE = Terminate(principal=PERSON, reason="ordered twice", compensate=True)
REJECT = Trigger(principal=PERSON, decision="reject", reason="not yet")


WAIVED = WaiverFound(
    waiver_id=WaiverId("wvr_1"),
    phase="one",
    waived_by=PERSON,
    reason="known",
    expires_at=EPOCH + timedelta(days=1),
)


def vote(name: str, *, shown: str | None = None, claimed: bool = False) -> Request:
    """Somebody approves what there is to see."""
    seen = None if shown is None else Sha256(shown * 64)
    return Trigger(principal=Principal(name), decision="approve", shown=seen, claimed=claimed)


def states() -> dict[str, History]:
    """One history for every state an instance can be in, by the name the table gives it."""
    made = {
        "created": History.of(PLAIN),
        "running": History.of(PLAIN).do(START, started),
        "waiting/trigger": History.of(TRIGGERED).do(START),
        "waiting/approval": History.of(GATED).do(START),
        "waiting/retry": History.of(RETRYING).do(START, started, failed),
        "waiting/budget": History.of(BUDGET).do(START),
        "waiting/hook": History.of(PLAIN, HOOKED).do(START),
        "waiting/hook, after": History.of(PLAIN, HOOKED).do(START, answered, started, succeeded),
        "waiting/cache": History.of(CACHED).do(START),
        "waiting/children": History.of(CHILDREN).do(START),
        "failed": History.of(PLAIN).do(START, started, failed),
        "completed": History.of(PLAIN).do(START, started, succeeded),
        "terminated": History.of(PLAIN).do(START, TERMINATE),
        "failed, with something to undo": _gone_wrong(SAGA),
        "compensating": _gone_wrong(UNDOING).do(started),
        "waiting/children, to undo": History.of(CHILDREN).do(START, COMPENSATE),
        "failed, undoing": _gone_wrong(UNDOING).do(started, failed),
        "failed, compensated": _gone_wrong(UNDOING).do(started, succeeded),
    }
    return (
        made
        | {"paused, was running": History.of(PLAIN).do(START, started, PAUSE)}
        | {"paused, was waiting": History.of(GATED).do(START, PAUSE)}
        | {"paused, was compensating": _gone_wrong(UNDOING).do(started, PAUSE)}
        | {"paused, to undo": History.of(CHILDREN).do(START, COMPENSATE, PAUSE)}
    )


def _gone_wrong(text: str) -> History:
    """The second phase fails."""
    return History.of(text).do(START, started, succeeded, started, failed)


def telling() -> Iterable[History]:
    """Histories that together emit every type of event with all of its data."""
    yield from states().values()
    yield _gone_wrong(SAGA).do(COMPENSATE, started, succeeded)
    yield History.of(GATED).do(START, APPROVE, started, succeeded)
    yield History.of(GATED).do(START, REJECT)
    yield History.of(GATED).do(START).later(120).do(GateExpiryDue())
    yield History.of(ASKING).do(START, vote("ann", shown="1"), vote("bob", shown="2", claimed=True))
    yield History.of(ASKING).do(START, vote("ann"), vote("bob"), started, succeeded)
    agreed = History.of(ASKING).do(START, vote("ann", shown="1"), vote("bob", shown="1"))
    yield agreed.do(replace(started(agreed), shown=Sha256("2" * 64)))
    yield History.of(ASKING).do(START).later(120).do(GateExpiryDue())
    yield History.of(ASKING).do(START, WAIVED)
    yield History.of(_gated_by('{field: context.x, operator: ">", value: 1}')).do(START)
    yield History.of(_gated_by("{field: context.x, operator: exists, value: false}")).do(START)
    yield History.of(RETRYING).do(START, started, failed, RetryDue(), started, lost)
    yield History.of(FALLING_BACK).do(START, started, failed)
    yield History.of(SKIPPED).do(START)
    yield History.of(TRIGGERED).do(START, Trigger(principal=PERSON, data={"go": True}))
    yield History.of(CHILDREN).do(START, child_ended(0), child_ended(1), child_ended(2))
    yield History.of(PLAIN).do(START, started, failed, START, started, PAUSE, succeeded, RESUME)

    yield History.of(CACHED).do(START, lambda it: looked_up(it, FOUND))
    yield History.of(CACHED).do(replace(START, anew=True), looked_up, started, succeeded)
    yield History.of(PLAIN, HOOKED).do(
        START,
        lambda it: answered(
            it,
            Amend(parameters={"x": 1}, reason="so"),
            SetRisk(risk=5, reason="so"),
            Ask(reason="sure?"),
        ),
    )
    yield History.of(PLAIN, HOOKED).do(START, lambda it: answered(it, Broken(cause="KeyError: 'x'")))
    yield History.of(PLAIN).do(START, started, lambda it: replace(succeeded(it), processed=PROCESSED))


def birth_of_a_forced_one() -> tuple[Event, ...]:
    """The events of the first transition of an instance that reuses nothing."""
    known = History.of(CACHED).instance
    return create_root(
        parse_definition(CACHED, file="cached.yaml"),
        known.definition,
        tenant_id=known.tenant_id,
        instance_id=known.instance_id,
        context={},
        principal=PERSON,
        now=EPOCH,
        anew=True,
    ).events


def _gated_by(rule: str) -> str:
    return GATED.replace("{title", f"{{auto: {rule}, title")


def birth_of_a_fork() -> tuple[Event, ...]:
    """The events of a fork's first transition."""
    source = History.of(SAGA).do(START, started, succeeded)
    fork = create_fork(
        source.definition,
        source.instance.definition,
        source.instance,
        ("one",),
        "two",
        instance_id=InstanceId("wfi_fork"),
        changes={"month": 5},
        principal=PERSON,
        now=EPOCH,
    )
    return fork.events


def birth_of_a_child() -> tuple[Event, ...]:
    """The events of a child's first transition."""
    parent = History.of(CHILDREN)
    decision = parent.ask(START)
    assert isinstance(decision, Decision)
    born = create_child(
        parse_definition(PLAIN, file="child.yaml"),
        parent.instance.definition,
        decision.instance,
        decision.children[0],
        EPOCH,
    )
    return born.events
