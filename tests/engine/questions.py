"""Everything that can be asked of an instance where it stands: sensible, stale, doubled and hostile."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import get_args

from chatflow_jupyter.domain.birth import create_root
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.hooks import (
    Accept,
    Allow,
    Amend,
    Ask,
    Broken,
    Deny,
    HookAnswer,
    Keep,
    Reject,
    SetRisk,
)
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, Principal, RunnerId, Sha256, TenantId, child_id
from chatflow_jupyter.domain.instance import (
    DefinitionRef,
    Failure,
    HookPoint,
    HooksAsked,
    Instance,
    ParentLink,
    Spawned,
    Status,
)
from chatflow_jupyter.domain.requests import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptSucceeded,
    CachedOutcome,
    CacheLookedUp,
    ChildrenEnded,
    ChildResult,
    FanOutDue,
    GateExpiryDue,
    HookVerdicts,
    InstanceDeadlineDue,
    LossKind,
    ParentOverdue,
    Pause,
    PhaseDeadlineDue,
    Request,
    Resume,
    RetryDue,
    Terminate,
    Trigger,
)
from tests.engine.times import START

ANN, TENANT = Principal("ann"), TenantId("local")
OUTPUTS = (
    {},
    {"n": 1, "items": ["a", "b", "c"]},
    {"n": 5, "ok": True, "items": []},
    {"n": "many", "items": 3},
)
HOSTILE_OUTPUTS = ({"n": float("nan")}, {"big": "x" * 300_000}, {"n": "\ud800"})
SPAWNED = (
    tuple(Spawned(schema_ref="leaf", key=key, context={"n": 1}) for key in "ab"),
    tuple(Spawned(schema_ref="leaf", key=key, context={}) for key in "aa"),
    (Spawned(schema_ref="other", key="a", context={}),),
    (Spawned(schema_ref="leaf", key="c", context={"n": float("nan")}),),
)
CODES = ("cell_error", "timeout", "kernel_died", "bad_notebook")
PARENT = ParentLink(instance_id=InstanceId("wfi_parent"), phase="fan", index=0, key="fan-0", tolerated=False)


def reference_of(definition: Definition) -> DefinitionRef:
    """Return how an instance is pinned to `definition`."""
    return DefinitionRef(name=definition.name, version=definition.version, content_hash=Sha256("0" * 64))


def new_instance(definition: Definition, *, as_child: bool = False) -> Instance:
    """Return an instance in status created; with `as_child` it has a parent to tell."""
    instance = create_root(
        definition,
        reference_of(definition),
        tenant_id=TENANT,
        instance_id=InstanceId("wfi_one"),
        context={"items": ["x", "y"]},
        principal=ANN,
        now=START,
    ).instance
    return replace(instance, parent=PARENT, depth=1) if as_child else instance


def questions(instance: Instance) -> Iterator[Request]:
    """Yield one of every kind of request, with current, stale and unknown ids."""
    for decision, data in product((None, "approve", "reject"), ({}, {"why": 1, "n": 2}, {"n": "text"})):
        yield Trigger(principal=ANN, decision=decision, data=data)
    yield Pause(principal=ANN)
    yield Resume(principal=ANN)
    yield Terminate(principal=ANN, reason="enough")
    yield Terminate(principal=ANN, compensate=True)
    yield RetryDue()
    yield GateExpiryDue()
    yield PhaseDeadlineDue()
    yield InstanceDeadlineDue()
    yield ParentOverdue()
    yield FanOutDue()
    for attempt_id in attempt_ids(instance):
        yield AttemptStarted(attempt_id=attempt_id, fence=1, runner_id=RunnerId("r"))
        for outputs in (*OUTPUTS, *HOSTILE_OUTPUTS):
            yield AttemptSucceeded(
                attempt_id=attempt_id, fence=1, outputs=outputs, duration_sec=2.0, risk=None
            )
        yield AttemptSucceeded(attempt_id=attempt_id, fence=1, outputs=OUTPUTS[1], duration_sec=0.0, risk=70)
        for spawned in SPAWNED:
            yield AttemptSucceeded(
                attempt_id=attempt_id, fence=1, outputs={}, duration_sec=1.0, spawned=spawned
            )
        for code in CODES:
            failure = Failure(code=code, message=f"{code} happened")
            yield AttemptFailed(attempt_id=attempt_id, fence=1, failure=failure, duration_sec=2.0)
        for counts_as in get_args(LossKind):
            yield AttemptLost(attempt_id=attempt_id, fence=1, cause="gone", counts_as=counts_as)
    yield from _hooks(instance)
    yield from _cached(instance)
    yield from _children(instance)


FOUND = CachedOutcome(
    instance_id=InstanceId("wfi_earlier"), attempt=3, outputs={"n": 1}, risk=70, made_at=START
)


def _cached(instance: Instance) -> Iterator[Request]:
    """Yield every answer about an earlier outcome, for what is asked and for what was never."""
    yield CacheLookedUp(attempt=9, seq=0)
    record = instance.phases.get(instance.phase or "")
    if record is None or record.sought is None:
        return
    asked = record.sought
    for key in (None, Sha256("5" * 64), Sha256("6" * 64)):
        for found in (None, FOUND):
            yield CacheLookedUp(attempt=asked.attempt, seq=asked.seq, key=key, found=found)


VERDICTS = (
    Allow(),
    Deny(reason="no"),
    Ask(reason="sure?"),
    Amend(parameters={"x": 1}, reason="so"),
    Amend(parameters={"not a name": float("nan")}, reason="so"),
    SetRisk(risk=70, reason="so"),
    SetRisk(risk=1000, reason="so"),
    Accept(),
    Reject(reason="no", retryable=True),
    Reject(reason="no"),
    Broken(cause="it raised"),
    Keep(),
)


def _hooks(instance: Instance) -> Iterator[Request]:
    """Yield every verdict, proper at that point or not, for what is asked and for what was never."""
    never = HooksAsked(point=HookPoint.BEFORE, attempt=1, seq=0)
    yield HookVerdicts(asked=never, answers=())
    if instance.hooks_asked is None:
        return
    yield HookVerdicts(asked=instance.hooks_asked, answers=())
    for verdict in VERDICTS:
        for policy in ("closed", "open"):
            one = HookAnswer(hook="one", verdict=verdict, policy=policy)  # type: ignore[arg-type]
            two = HookAnswer(hook="two", verdict=Broken(cause="it is slow"), policy="open")
            yield HookVerdicts(asked=instance.hooks_asked, answers=(one,))
            yield HookVerdicts(asked=instance.hooks_asked, answers=(two, one))


def attempt_ids(instance: Instance) -> list[AttemptId]:
    """Return the current attempt's id, one that was replaced, and one that never was."""
    current = [] if instance.attempt is None else [instance.attempt.attempt_id]
    return [*current, AttemptId(f"{instance.instance_id}.{instance.phase}.0"), AttemptId("nobody")]


def _children(instance: Instance) -> Iterator[Request]:
    yield ChildrenEnded(children=())
    yield ChildrenEnded(children=(result(instance, 0, Status.COMPLETED, phase="elsewhere"),))
    if instance.fan_out is None:
        yield ChildrenEnded(children=(result(instance, 0, Status.FAILED),))
        return
    for index in range(instance.fan_out.started):
        for status in (Status.COMPLETED, Status.FAILED, Status.TERMINATED):
            one = result(instance, index, status)
            yield ChildrenEnded(children=(one,))
            yield ChildrenEnded(children=(one, one))
            if status is Status.FAILED:
                yield ChildrenEnded(children=(replace(one, compensation="done"),))
                yield ChildrenEnded(children=(replace(one, compensation="failed"),))
    everyone = [result(instance, index, Status.COMPLETED) for index in range(instance.fan_out.started)]
    yield ChildrenEnded(children=tuple(everyone))


def result(instance: Instance, index: int, status: Status, phase: str | None = None) -> ChildResult:
    """Return how the child at `index` ended; its seq grows with the parent's, so it is never an old one."""
    name = phase or instance.phase or "none"
    key = f"{name}-{index}"
    if instance.spawned or instance.definition.name == "tolerant":
        key = "abc"[index]
    return ChildResult(
        instance_id=child_id(instance.instance_id, name, index),
        phase=name,
        key=key,
        status=status,
        outcome={"leaf": {"n": index}},
        spent_sec=1.0 + instance.seq,
        descendants=index,
        seq=5 + instance.seq,
    )
