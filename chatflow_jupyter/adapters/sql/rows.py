"""Domain values as rows, and rows as domain values; instances have `instance_rows`."""

from typing import Any, get_args

from sqlalchemy import Row

from chatflow_jupyter.domain.decision import (
    Continuation,
    ContinuationKind,
    QueueAttempt,
    TimerKind,
)
from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.events import Event, EventType, StoredEvent
from chatflow_jupyter.domain.ids import RunAs
from chatflow_jupyter.domain.instance import DefinitionRef, Failure, Instance
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptRow,
    AttemptStatus,
    ContinuationRow,
    DefinitionRecord,
    JournalEntry,
    Owner,
    Progress,
    TimerRow,
)

from .damage import decodes
from .encoding import (
    from_json,
    from_us,
    json_object,
    json_value,
    optional_time,
    optional_us,
    text,
    to_json,
    to_us,
    whole_number,
)


def event_columns(event: Event, position: int) -> dict[str, Any]:
    """Return the row of an event at its position."""
    return {
        "tenant_id": event.tenant_id,
        "position": position,
        "event_id": event.event_id,
        "type": event.type.value,
        "version": event.version,
        "instance_id": event.instance_id,
        "root_id": event.root_id,
        "seq": event.seq,
        "place": event.index,
        "at": to_us(event.at),
        "principal": event.principal,
        "phase": event.phase,
        "attempt": event.attempt,
        "data": to_json(event.data),
    }


@decodes("events", "tenant_id", "position")
def event_of(row: Row[Any]) -> StoredEvent:
    """Return the event of a row."""
    event = Event(
        event_id=row.event_id,
        type=EventType(row.type),
        tenant_id=row.tenant_id,
        instance_id=row.instance_id,
        root_id=row.root_id,
        seq=row.seq,
        index=row.place,
        at=from_us(row.at),
        principal=row.principal,
        phase=row.phase,
        attempt=row.attempt,
        data=json_object(row.data),
        version=row.version,
    )
    return StoredEvent(position=row.position, event=event)


def queued_columns(instance: Instance, queued: QueueAttempt, queue_number: int) -> dict[str, Any]:
    """Return the row of a new attempt, without what is empty until it is leased."""
    return {
        "tenant_id": instance.tenant_id,
        "attempt_id": queued.attempt_id,
        "instance_id": instance.instance_id,
        "root_id": instance.root_id,
        "phase": queued.phase,
        "number": queued.number,
        "notebook": queued.notebook,
        "kernel": queued.kernel,
        "parameters": to_json(queued.parameters),
        "timeout_sec": queued.timeout_sec,
        "status": "queued",
        "fence": 0,
        "queue_number": queue_number,
        "queued_at": to_us(queued.queued_at),
        "run_as": queued.run_as,
        "starter": instance.principal,
    }


_RUN_AS: dict[str, RunAs] = {whom: whom for whom in get_args(RunAs)}
_ATTEMPT_STATUSES: dict[str, AttemptStatus] = {status: status for status in get_args(AttemptStatus)}


@decodes("attempts", "tenant_id", "attempt_id")
def attempt_of(row: Row[Any]) -> AttemptRow:
    """Return the attempt of a row."""
    return AttemptRow(
        tenant_id=row.tenant_id,
        instance_id=row.instance_id,
        root_id=row.root_id,
        attempt_id=row.attempt_id,
        phase=text(row.phase),
        number=whole_number(row.number),
        notebook=text(row.notebook),
        kernel=None if row.kernel is None else text(row.kernel),
        parameters=json_object(row.parameters),
        timeout_sec=None if row.timeout_sec is None else float(row.timeout_sec),
        status=_ATTEMPT_STATUSES[row.status],
        fence=whole_number(row.fence),
        queued_at=from_us(row.queued_at),
        runner_id=row.runner_id,
        owner_id=row.owner_id,
        lease_expires_at=optional_time(row.lease_expires_at),
        started_at=optional_time(row.started_at),
        ended_at=optional_time(row.ended_at),
        progress=None if row.progress is None else Progress(**from_json(row.progress)),
        failure=None if row.failure is None else Failure(**from_json(row.failure)),
        run_as=_RUN_AS[row.run_as],
        starter=row.starter,
    )


def progress_text(progress: Progress | None) -> str | None:
    """Return the progress as it is stored."""
    if progress is None:
        return None
    return to_json(
        {
            "cell_index": progress.cell_index,
            "cells_total": progress.cells_total,
            "cell_name": progress.cell_name,
        }
    )


def definition_columns(record: DefinitionRecord) -> dict[str, Any]:
    """Return the row of a definition."""
    pins = {name: [pin.name, pin.version, pin.content_hash] for name, pin in record.pins.items()}
    return {
        "tenant_id": record.tenant_id,
        "name": record.reference.name,
        "version": record.reference.version,
        "content_hash": record.reference.content_hash,
        "bundle_sha256": record.bundle_sha256,
        "entry": record.entry,
        "definition": record.definition.model_dump_json(by_alias=True, exclude_defaults=True),
        "pins": to_json(pins),
        "published_at": to_us(record.published_at),
    }


@decodes("definitions", "tenant_id", "name", "version")
def definition_of(row: Row[Any]) -> DefinitionRecord:
    """Return the definition of a row."""
    pins = {
        name: DefinitionRef(name=pin[0], version=pin[1], content_hash=pin[2])
        for name, pin in from_json(row.pins).items()
    }
    return DefinitionRecord(
        tenant_id=row.tenant_id,
        reference=DefinitionRef(name=row.name, version=row.version, content_hash=row.content_hash),
        definition=Definition.load(row.definition),
        bundle_sha256=row.bundle_sha256,
        entry=row.entry,
        pins=pins,
        published_at=from_us(row.published_at),
    )


@decodes("continuations", "continuation_id")
def continuation_of(row: Row[Any]) -> ContinuationRow:
    """Return the continuation of a row."""
    return ContinuationRow(
        continuation_id=row.continuation_id,
        tenant_id=row.tenant_id,
        continuation=Continuation(
            instance_id=row.instance_id, kind=ContinuationKind(row.kind), about=row.about
        ),
    )


@decodes("timers", "tenant_id", "instance_id", "kind")
def timer_of(row: Row[Any]) -> TimerRow:
    """Return the timer of a row."""
    return TimerRow(
        tenant_id=row.tenant_id,
        instance_id=row.instance_id,
        kind=TimerKind(row.kind),
        due_at=from_us(row.due_at),
    )


def artifact_columns(record: ArtifactRecord) -> dict[str, Any]:
    """Return the row of an artifact."""
    return {
        "tenant_id": record.tenant_id,
        "attempt_id": record.attempt_id,
        "name": record.name,
        "instance_id": record.instance_id,
        "phase": record.phase,
        "attempt": record.attempt,
        "kind": record.kind,
        "media_type": record.media_type,
        "sha256": record.sha256,
        "size_bytes": record.size_bytes,
        "created_at": to_us(record.created_at),
        "deleted_at": optional_us(record.deleted_at),
    }


@decodes("artifacts", "tenant_id", "attempt_id", "name")
def artifact_of(row: Row[Any]) -> ArtifactRecord:
    """Return the artifact of a row."""
    return ArtifactRecord(
        tenant_id=row.tenant_id,
        instance_id=row.instance_id,
        attempt_id=row.attempt_id,
        phase=row.phase,
        attempt=row.attempt,
        name=row.name,
        kind=row.kind,
        media_type=row.media_type,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        created_at=from_us(row.created_at),
        deleted_at=optional_time(row.deleted_at),
    )


@decodes("journal", "name")
def journal_of(row: Row[Any]) -> JournalEntry:
    """Return the journal entry of a row."""
    return JournalEntry(name=row.name, value=json_value(row.value), sha256=row.sha256)


def owner_columns(owner: Owner) -> dict[str, Any]:
    """Return the row of an owner."""
    fields = {name: getattr(owner, name) for name in Owner.__dataclass_fields__}
    return {**fields, "registered_at": to_us(owner.registered_at)}


@decodes("owners", "owner_id")
def owner_of(row: Row[Any]) -> Owner:
    """Return the owner of a row."""
    return Owner(
        owner_id=row.owner_id,
        host=row.host,
        boot_id=row.boot_id,
        pid=row.pid,
        started_ticks=row.started_ticks,
        kind=row.kind,
        registered_at=from_us(row.registered_at),
    )
