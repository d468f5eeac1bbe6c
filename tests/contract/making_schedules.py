"""Schedules for the suites."""

from dataclasses import replace
from typing import Any

from chatflow_jupyter.domain.ids import ScheduleId
from chatflow_jupyter.domain.schedules import Order, Schedule, ScheduleEntry, ScheduleStep
from tests.contract.making import ALICE, LOCAL, NOW, later, reference


def plan(name: str, *, sch: str | None = None, **fields: Any) -> Schedule:
    """A schedule that is due in a minute, then every minute."""
    order = Order(
        what="review", follow=False, definition=reference(), context={"path": "/x"}, principal=ALICE
    )
    values: dict[str, Any] = {
        "tenant_id": LOCAL,
        "order": order,
        "cron": "* * * * *",
        "zone": "UTC",
        "catch_up": "last",
        "overlap": "skip",
        "created_at": NOW,
        "next_due_at": later(60),
        **fields,
    }
    return Schedule(schedule_id=ScheduleId(f"sch_{sch or name}"), name=name, **values)


def moved(before: Schedule, *entries: ScheduleEntry, **fields: Any) -> ScheduleStep:
    """The next change of a schedule."""
    return ScheduleStep(before=before, after=replace(before, seq=before.seq + 1, **fields), entries=entries)
