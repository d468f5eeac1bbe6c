"""The JSON that `--json` prints, and the exit status an instance's state means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from chatflow_jupyter.domain.events import Event
from chatflow_jupyter.domain.instance import Failure, ForkOrigin, Instance, PhaseRecord, ReusedFrom, Status
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.domain.schedules import schedule_told
from chatflow_jupyter.ports.records import ArtifactRecord, Standing, Waiver

COMPLETED, WAITING, FAILED, TERMINATED, CONFLICT = 0, 3, 4, 5, 7


def exit_status(instance: Instance) -> int:
    """Return the exit status of a command that followed `instance`: 0, 3 (not ended), 4 or 5."""
    ended = {Status.COMPLETED: COMPLETED, Status.FAILED: FAILED, Status.TERMINATED: TERMINATED}
    return ended.get(instance.status, WAITING)


def instance_object(instance: Instance) -> JsonObject:
    """Return an instance as `--json` prints it."""
    return {
        "instance_id": instance.instance_id,
        "status": instance.shown_status,
        "current_phase": instance.phase,
        "waiting_reason": str(instance.waiting_reason) if instance.waiting_reason else None,
        "error": instance.failure.message if instance.failure else None,
        "waiting_detail": instance.waiting_detail,
        "schema_id": instance.definition.schema_id,
        "tenant_id": instance.tenant_id,
        "root_id": instance.root_id,
        "parent_id": instance.parent.instance_id if instance.parent else None,
        "key": instance.parent.key if instance.parent else None,
        "forked_from": _origin(instance.forked_from),
        "feature_id": instance.feature_id,
        "schedule": _schedule(instance),
        "automation_level": instance.automation_level,
        "paused": instance.paused,
        "anew": instance.anew,
        "compensated": instance.compensated,
        "created_at": shown_time(instance.created_at),
        "started_at": shown_time(instance.started_at),
        "ended_at": shown_time(instance.ended_at),
        "deadline_at": shown_time(instance.deadline_at),
        "seq": instance.seq,
        "context": instance.context,
        "outcome": outcome_of(instance),
        "phases": {name: _phase(record) for name, record in instance.phases.items()},
        "failure": _failure(instance.failure),
    }


def standing_object(stands: Standing) -> JsonObject:
    """Return where an instance stands as `status --brief --json` prints it."""
    return {
        "instance_id": stands.instance_id,
        "status": stands.status,
        "current_phase": stands.phase,
        "waiting_reason": stands.waiting_reason,
        "seq": stands.seq,
    }


def outcome_of(instance: Instance) -> JsonObject:
    """Return what the phases handed over, by phase."""
    return {name: value for name, value in instance.variables.items() if name in instance.phases}


def event_object(event: Event) -> JsonObject:
    """Return an event as the contract names its fields."""
    return {
        "event_id": event.event_id,
        "type": str(event.type),
        "version": event.version,
        "tenant_id": event.tenant_id,
        "instance_id": event.instance_id,
        "root_id": event.root_id,
        "seq": event.seq,
        "index": event.index,
        "phase": event.phase,
        "attempt": event.attempt,
        "at": shown_time(event.at),
        "principal": event.principal,
        "data": event.data,
    }


def artifact_object(record: ArtifactRecord) -> JsonObject:
    """Return an artifact's row."""
    return {
        "phase": record.phase,
        "name": record.name,
        "kind": record.kind,
        "attempt": record.attempt,
        "size_bytes": record.size_bytes,
        "media_type": record.media_type,
        "sha256": record.sha256,
        "created_at": shown_time(record.created_at),
    }


def waiver_object(waiver: Waiver, state: str) -> JsonObject:
    """Return a waiver; `state` says whether it holds."""
    return {
        "waiver_id": waiver.waiver_id,
        "state": state,
        "name": waiver.name,
        "phase": waiver.phase,
        "feature_id": waiver.feature_id,
        "principal": waiver.principal,
        "reason": waiver.reason,
        "created_at": shown_time(waiver.created_at),
        "expires_at": shown_time(waiver.expires_at),
        "revoked_at": shown_time(waiver.revoked_at),
    }


def print_json(value: JsonValue | Sequence[JsonObject]) -> None:
    """Print one JSON value; ASCII only, so that no locale or terminal can spoil it."""
    print(json.dumps(value, indent=2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(type(value).__name__)


def _origin(origin: ForkOrigin | None) -> JsonObject | None:
    if origin is None:
        return None
    return {"instance_id": origin.instance_id, "phase": origin.phase, "seq": origin.seq}


def _phase(record: PhaseRecord) -> JsonObject:
    return {
        "state": str(record.state),
        "attempts": record.attempts,
        "started_at": shown_time(record.started_at),
        "ended_at": shown_time(record.ended_at),
        "reason": record.reason,
        "origin": record.origin,
        "deadline_at": shown_time(record.deadline_at),
        "shared": record.shared,
        "reused_from": _reused(record.reused_from),
    }


def _reused(source: ReusedFrom | None) -> JsonObject | None:
    if source is None:
        return None
    return {
        "instance_id": source.instance_id,
        "attempt": source.attempt,
        "made_at": shown_time(source.made_at),
    }


def _schedule(instance: Instance) -> JsonObject | None:
    told = schedule_told(instance)
    return None if told is None else {"name": told[0], "due_at": told[1]}


def _failure(failure: Failure | None) -> JsonObject | None:
    if failure is None:
        return None
    return {
        "code": failure.code,
        "message": failure.message,
        "phase": failure.phase,
        "cell_index": failure.cell_index,
        "cell_name": failure.cell_name,
        "ename": failure.ename,
        "last_output": failure.last_output,
    }


def shown_time(moment: datetime | None) -> str | None:
    """Return a moment as `--json` prints it: ISO 8601, UTC."""
    return None if moment is None else moment.isoformat()
