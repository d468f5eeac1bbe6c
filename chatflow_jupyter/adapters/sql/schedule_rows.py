"""Schedules and their entries as rows: columns for what is asked for, `spec` as JSON for the rest."""

from typing import Any, get_args

from sqlalchemy import Row

from chatflow_jupyter.domain.ids import ScheduleId
from chatflow_jupyter.domain.instance import DefinitionRef
from chatflow_jupyter.domain.schedules import CatchUp, EntryKind, Order, Overlap, Schedule, ScheduleEntry
from chatflow_jupyter.ports.schedules import DueSchedule

from .damage import decodes
from .encoding import (
    from_json,
    from_us,
    json_object,
    optional_time,
    optional_us,
    text,
    to_json,
    to_us,
    whole_number,
)

_CATCH_UP: dict[str, CatchUp] = {each: each for each in get_args(CatchUp)}
_OVERLAP: dict[str, Overlap] = {each: each for each in get_args(Overlap)}
_KINDS: dict[str, EntryKind] = {each: each for each in get_args(EntryKind)}


def schedule_columns(schedule: Schedule) -> dict[str, Any]:
    """Return the row of a schedule."""
    order = schedule.order
    spec = {
        "what": order.what,
        "follow": order.follow,
        "definition": [order.definition.name, order.definition.version, order.definition.content_hash],
        "context": order.context,
        "principal": order.principal,
        "feature_id": order.feature_id,
        "automation_level": order.automation_level,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "catch_up": schedule.catch_up,
        "overlap": schedule.overlap,
        "last_due_at": optional_us(schedule.last_due_at),
        "last_instance_id": schedule.last_instance_id,
    }
    return {
        "tenant_id": schedule.tenant_id,
        "schedule_id": schedule.schedule_id,
        "name": schedule.name,
        "seq": schedule.seq,
        "created_at": to_us(schedule.created_at),
        "paused": schedule.paused,
        "next_due_at": optional_us(schedule.next_due_at),
        "removed_at": optional_us(schedule.removed_at),
        "spec": to_json(spec),
    }


@decodes("schedules", "tenant_id", "schedule_id")
def schedule_of(row: Row[Any]) -> Schedule:
    """Return the schedule of a row."""
    spec = from_json(row.spec)
    name, version, content_hash = spec["definition"]
    return Schedule(
        tenant_id=row.tenant_id,
        schedule_id=row.schedule_id,
        name=text(row.name),
        order=Order(
            what=text(spec["what"]),
            follow=bool(spec["follow"]),
            definition=DefinitionRef(name=name, version=version, content_hash=content_hash),
            context=json_object(to_json(spec["context"])),
            principal=spec["principal"],
            feature_id=spec["feature_id"],
            automation_level=spec["automation_level"],
        ),
        cron=None if spec["cron"] is None else text(spec["cron"]),
        zone=text(spec["zone"]),
        catch_up=_CATCH_UP[spec["catch_up"]],
        overlap=_OVERLAP[spec["overlap"]],
        created_at=from_us(row.created_at),
        seq=whole_number(row.seq),
        paused=bool(row.paused),
        next_due_at=optional_time(row.next_due_at),
        last_due_at=optional_time(spec["last_due_at"]),
        last_instance_id=spec["last_instance_id"],
        removed_at=optional_time(row.removed_at),
    )


def entry_columns(schedule: Schedule, place: int, entry: ScheduleEntry) -> dict[str, Any]:
    """Return the row of what became of a time of the schedule."""
    return {
        "tenant_id": schedule.tenant_id,
        "schedule_id": schedule.schedule_id,
        "seq": schedule.seq,
        "place": place,
        "kind": entry.kind,
        "at": to_us(entry.at),
        "due_at": optional_us(entry.due_at),
        "instance_id": entry.instance_id,
        "detail": entry.detail,
    }


@decodes("schedule_log", "tenant_id", "schedule_id", "seq", "place")
def entry_of(row: Row[Any]) -> ScheduleEntry:
    """Return the entry of a row."""
    return ScheduleEntry(
        kind=_KINDS[row.kind],
        at=from_us(row.at),
        due_at=optional_time(row.due_at),
        instance_id=row.instance_id,
        detail=None if row.detail is None else text(row.detail),
    )


@decodes("due_schedules", "tenant_id", "schedule_id")
def due_of(row: Row[Any]) -> DueSchedule:
    """Return the note of a row."""
    known = ScheduleId(text(row.schedule_id))
    return DueSchedule(tenant_id=row.tenant_id, schedule_id=known, due_at=from_us(row.due_at))
