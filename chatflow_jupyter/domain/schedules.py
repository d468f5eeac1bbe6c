"""Schedules: when instances are started by themselves, and what became of each time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from .ids import InstanceId, Principal, ScheduleId, TenantId
from .instance import DefinitionRef, Instance
from .json_values import JsonObject

CatchUp: TypeAlias = Literal["none", "last", "all"]
Overlap: TypeAlias = Literal["skip", "allow", "queue"]
EntryKind: TypeAlias = Literal["fired", "skipped", "missed", "failed", "paused", "resumed", "removed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a schedule starts: a pinned definition, or with `follow` whatever `what` names at that time."""

    what: str
    follow: bool
    definition: DefinitionRef
    context: JsonObject
    principal: Principal
    feature_id: str | None = None
    automation_level: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A named plan of starts. `seq` grows by one with every change.

    Either `cron` says when in the time `zone`, again and again, or `next_due_at` is the only time. It is None
    when nothing is due any more. `last_*` are about the last start.
    """

    tenant_id: TenantId
    schedule_id: ScheduleId
    name: str
    order: Order
    cron: str | None
    zone: str
    catch_up: CatchUp
    overlap: Overlap
    created_at: datetime
    seq: int = 1
    paused: bool = False
    next_due_at: datetime | None = None
    last_due_at: datetime | None = None
    last_instance_id: InstanceId | None = None
    removed_at: datetime | None = None

    @property
    def looks_at(self) -> datetime | None:
        """When the engine has to look at it next: not at all while it is paused, or once it is removed."""
        return None if self.paused or self.removed_at is not None else self.next_due_at


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleEntry:
    """What became of the time `due_at`: an instance, or why there is none; or what somebody did (None)."""

    kind: EntryKind
    at: datetime
    due_at: datetime | None = None
    instance_id: InstanceId | None = None
    detail: str | None = None


def taken(name: str) -> str:
    """Return why a second schedule of that name is refused."""
    return f"there is a schedule {name} already; remove it first, or choose another name"


def schedule_meta(schedule: Schedule, due_at: datetime) -> JsonObject:
    """Return what an instance started for that time knows of it; children inherit it."""
    return {"schedule": {"name": schedule.name, "id": schedule.schedule_id, "at": due_at.isoformat()}}


def schedule_told(instance: Instance) -> tuple[str, str] | None:
    """Return the name of the schedule that started the instance and the time, ISO 8601; None without one.

    A fork was started by whoever forked it, and keeps the time its source was started for.
    """
    known = instance.meta.get("schedule")
    if not isinstance(known, Mapping) or instance.forked_from is not None:
        return None
    return str(known.get("name")), str(known.get("at"))


def scheduled_at_of(instance: Instance) -> str | None:
    """Return the time a schedule started the instance, or its source, for, ISO 8601; None without one."""
    known = instance.meta.get("schedule")
    return str(known.get("at")) if isinstance(known, Mapping) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleStep:
    """One change of a schedule with what is noted about it; `before` must still be what is stored."""

    before: Schedule
    after: Schedule
    entries: tuple[ScheduleEntry, ...] = ()
