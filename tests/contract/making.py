"""Values for the suites, made by hand: a contract is about any decision, not only those taken today."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chatflow_jupyter.domain.decision import (
    AttemptChange,
    Continuation,
    Decision,
    QueueAttempt,
    TimerChange,
    Vote,
)
from chatflow_jupyter.domain.definition import Definition, Quota
from chatflow_jupyter.domain.events import Event, EventType
from chatflow_jupyter.domain.ids import (
    AttemptId,
    InstanceId,
    OwnerId,
    Principal,
    RunAs,
    RunnerId,
    Sha256,
    TenantId,
    attempt_id,
    event_id,
)
from chatflow_jupyter.domain.instance import CurrentAttempt, DefinitionRef, Instance, ParentLink, Status
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptRow,
    Commit,
    DefinitionRecord,
    Owner,
    RequestKey,
    Transition,
)
from chatflow_jupyter.ports.state_storage import IStateStorage

NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
LOCAL, OTHER = TenantId("local"), TenantId("other")
ALICE, RUNNER = Principal("alice"), RunnerId("runner-1")
HASH, OTHER_HASH = Sha256("a" * 64), Sha256("b" * 64)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def wfi(name: str) -> InstanceId:
    return InstanceId("wfi_" + name.rjust(26, "0"))


def reference(name: str = "review", version: str = "1.0.0", content_hash: Sha256 = HASH) -> DefinitionRef:
    return DefinitionRef(name=name, version=version, content_hash=content_hash)


def definition_record(tenant_id: TenantId = LOCAL, *, at: datetime = NOW, **ref: Any) -> DefinitionRecord:
    pinned = reference(**ref)
    return DefinitionRecord(
        tenant_id=tenant_id,
        reference=pinned,
        definition=Definition.model_validate(
            {"name": pinned.name, "phases": [{"name": "collect", "notebook": "collect.ipynb"}]}
        ),
        bundle_sha256=pinned.content_hash,
        entry="definition.yaml",
        pins={"./child.yaml": reference("child")},
        published_at=at,
    )


def new_instance(name: str, *, tenant_id: TenantId = LOCAL, **fields: Any) -> Instance:
    values: dict[str, Any] = {
        "root_id": wfi(name),
        "definition": reference(),
        "principal": ALICE,
        "context": {"path": "/somewhere", "limit": 10},
        "automation_level": 60,
        "quota": Quota(max_duration_sec=3600),
        "created_at": NOW,
        "updated_at": NOW,
        "seq": 1,
    }
    return Instance(tenant_id=tenant_id, instance_id=wfi(name), **{**values, **fields})


def child_of(parent: Instance, index: int, **fields: Any) -> Instance:
    link = {"phase": "files", "key": f"files-{index}", "tolerated": False}
    link.update({name: fields.pop(name) for name in tuple(link) if name in fields})
    name = f"{parent.instance_id[-8:]}c{index}{link['phase']}"
    return new_instance(
        name,
        tenant_id=parent.tenant_id,
        root_id=parent.root_id,
        parent=ParentLink(instance_id=parent.instance_id, index=index, **link),
        feature_id=parent.feature_id,
        depth=parent.depth + 1,
        **fields,
    )


def below(parent_id: InstanceId) -> dict[str, Any]:
    """The fields that make an instance the first child of this root."""
    link = ParentLink(instance_id=parent_id, phase="files", index=0, key="files-0", tolerated=False)
    return {"root_id": parent_id, "parent": link}


def event(instance: Instance, kind: EventType, index: int = 0, **data: JsonValue) -> Event:
    return Event(
        event_id=event_id(instance.instance_id, instance.seq, index),
        type=kind,
        tenant_id=instance.tenant_id,
        instance_id=instance.instance_id,
        root_id=instance.root_id,
        seq=instance.seq,
        index=index,
        at=NOW,
        principal=ALICE,
        phase=instance.phase,
        data=data,
    )


def decision(
    instance: Instance,
    *events: Event,
    attempts: tuple[AttemptChange, ...] = (),
    timers: tuple[TimerChange, ...] = (),
    continuations: tuple[Continuation, ...] = (),
    votes: tuple[Vote, ...] = (),
) -> Decision:
    return Decision(
        instance=instance,
        events=events or (event(instance, EventType.PHASE_QUEUED),),
        attempts=attempts,
        timers=timers,
        continuations=continuations,
        votes=votes,
    )


def birth(instance: Instance, **parts: Any) -> Transition:
    created = event(instance, EventType.INSTANCE_CREATED)
    return Transition(before=None, decision=decision(instance, created, **parts))


def step(before: Instance, *events: Event, parts: dict[str, Any] | None = None, **fields: Any) -> Transition:
    """The next transition of `before`, with these fields changed."""
    after = replace(before, seq=before.seq + 1, **fields)
    return Transition(before=before, decision=decision(after, *events, **(parts or {})))


def commit_of(*transitions: Transition, **parts: Any) -> Commit:
    tenant_id = transitions[0].decision.instance.tenant_id
    return Commit(tenant_id=tenant_id, transitions=transitions, **parts)


def queued(
    instance: Instance,
    number: int = 1,
    *,
    phase: str = "collect",
    at: datetime = NOW,
    run_as: RunAs = "starter",
) -> QueueAttempt:
    return QueueAttempt(
        attempt_id=attempt_id(instance.instance_id, phase, number),
        phase=phase,
        number=number,
        notebook="collect.ipynb",
        kernel=None,
        parameters={"limit": 10},
        timeout_sec=600.0,
        queued_at=at,
        run_as=run_as,
    )


def running(name: str, *, at: datetime = NOW, run_as: RunAs = "starter", **fields: Any) -> Transition:
    """The birth of an instance whose first attempt is queued."""
    attempt = CurrentAttempt(attempt_id=attempt_id(wfi(name), "collect", 1), number=1)
    instance = new_instance(name, status=Status.RUNNING, phase="collect", attempt=attempt, **fields)
    return birth(instance, attempts=(queued(instance, at=at, run_as=run_as),))


async def born(storage: IStateStorage, name: str = "a", **fields: Any) -> Instance:
    """Commit a new root and return it."""
    transition = birth(new_instance(name, **fields))
    await storage.commit(commit_of(transition))
    return transition.decision.instance


async def started(
    storage: IStateStorage, name: str = "a", owner_id: OwnerId | None = None, **fields: Any
) -> Instance:
    """Commit a new root with a queued attempt and return it."""
    transition = running(name, **fields)
    await storage.commit(commit_of(transition, owner_id=owner_id))
    return transition.decision.instance


async def claimed(
    storage: IStateStorage, owner_id: OwnerId | None = None, lease_sec: float = 30
) -> AttemptRow:
    """Lease the oldest queued attempt."""
    row = await storage.claim(RUNNER, owner_id, now=NOW, lease_expires_at=later(lease_sec))
    assert row is not None
    return row


def request_key(key: str = "k", *, expires_at: datetime | None = None, answer: str = "first") -> RequestKey:
    return RequestKey(
        principal=ALICE,
        key=key,
        request_sha256=HASH,
        answer={"instance_id": answer},
        expires_at=expires_at or later(3600),
    )


def artifact(
    attempt: AttemptRow, name: str = "report.html", *, sha256: Sha256 = HASH, **fields: Any
) -> ArtifactRecord:
    values: dict[str, Any] = {"kind": "report", "media_type": "text/html", "size_bytes": 3, "created_at": NOW}
    return ArtifactRecord(
        tenant_id=attempt.tenant_id,
        instance_id=attempt.instance_id,
        attempt_id=attempt.attempt_id,
        phase=attempt.phase,
        attempt=attempt.number,
        name=name,
        sha256=sha256,
        **{**values, **fields},
    )


def owner(name: str, **fields: Any) -> Owner:
    values: dict[str, Any] = {
        "host": "here",
        "boot_id": "b",
        "pid": 42,
        "started_ticks": 7,
        "kind": "foreground",
        "registered_at": NOW,
    }
    return Owner(owner_id=OwnerId(name), **{**values, **fields})


NO_ATTEMPT = AttemptId("wfi_none.collect.1")
