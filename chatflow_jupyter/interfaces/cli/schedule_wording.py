"""Schedules in words, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.domain.schedules import Schedule, ScheduleEntry
from chatflow_jupyter.interfaces.cli.shapes import shown_time
from chatflow_jupyter.interfaces.cli.terminal import safe_line

HEAD = ["NAME", "STATE", "WHEN", "WHAT", "NEXT", "LAST"]
MAX_CELL = 200
MAX_DETAIL = 300


def state_of(schedule: Schedule) -> str:
    """Return whether anything is started by it: active, paused, ended or removed."""
    if schedule.removed_at is not None:
        return "removed"
    if schedule.next_due_at is None:
        return "ended"
    return "paused" if schedule.paused else "active"


def schedule_object(schedule: Schedule, *, driven: bool) -> JsonObject:
    """Return a schedule as `--json` prints it; `driven` is whether a process is there to start it."""
    order = schedule.order
    return {
        "schedule_id": schedule.schedule_id,
        "name": schedule.name,
        "state": state_of(schedule),
        "driven": driven,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "what": order.what,
        "follow": order.follow,
        "schema_id": order.definition.schema_id,
        "context": order.context,
        "feature_id": order.feature_id,
        "automation_level": order.automation_level,
        "principal": order.principal,
        "catch_up": schedule.catch_up,
        "overlap": schedule.overlap,
        "next_due_at": shown_time(schedule.next_due_at),
        "last_due_at": shown_time(schedule.last_due_at),
        "last_instance_id": schedule.last_instance_id,
        "created_at": shown_time(schedule.created_at),
        "removed_at": shown_time(schedule.removed_at),
    }


def entry_object(entry: ScheduleEntry) -> JsonObject:
    """Return what became of a time as `--json` prints it."""
    return {
        "kind": entry.kind,
        "at": shown_time(entry.at),
        "due_at": shown_time(entry.due_at),
        "instance_id": entry.instance_id,
        "detail": entry.detail,
    }


def schedule_row(schedule: Schedule) -> list[str]:
    """Return the cells of a schedule in the list of all."""
    order = schedule.order
    cells = (
        schedule.name,
        state_of(schedule),
        f"{schedule.cron} {schedule.zone}" if schedule.cron else "once",
        f"{order.what} (followed)" if order.follow else order.definition.schema_id,
        local(schedule, schedule.next_due_at) if schedule.looks_at is not None else "",
        schedule.last_instance_id or "",
    )
    return [safe_line(cell, MAX_CELL) for cell in cells]


def schedule_lines(
    schedule: Schedule, upcoming: Sequence[datetime], log: Sequence[ScheduleEntry]
) -> list[str]:
    """Return all there is to say about a schedule."""
    order = schedule.order
    when = f"{schedule.cron}, in the time of {schedule.zone}" if schedule.cron else "once"
    what = f"{order.what}, as it is then" if order.follow else f"{order.definition.schema_id} ({order.what})"
    return [
        f"{safe_line(schedule.name)}  {state_of(schedule)}  {schedule.schedule_id}",
        f"  when:      {safe_line(when)}; catch-up {schedule.catch_up}, overlap {schedule.overlap}",
        f"  what:      {safe_line(what, MAX_DETAIL)}",
        *(f"  next:      {local(schedule, due)}" for due in upcoming),
        *(f"  {entry_line(schedule, entry)}" for entry in log),
    ]


def entry_line(schedule: Schedule, entry: ScheduleEntry) -> str:
    """Return what became of a time, or what somebody did, in one line."""
    due = f" the time {local(schedule, entry.due_at)}" if entry.due_at is not None else ""
    started = f": {entry.instance_id}" if entry.instance_id is not None else ""
    detail = f"; {safe_line(entry.detail, MAX_DETAIL)}" if entry.detail else ""
    return f"{local(schedule, entry.at)}  {entry.kind}{due}{started}{detail}"


def local(schedule: Schedule, moment: datetime | None) -> str:
    """Return a moment on the clock of the schedule, with its offset: an hour may come twice."""
    if moment is None:
        return ""
    return moment.astimezone(ZoneInfo(schedule.zone)).strftime("%Y-%m-%d %H:%M:%S%z")
