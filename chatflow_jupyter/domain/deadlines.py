"""Deadlines: until when a phase, and an instance as a whole, has to have ended."""

from datetime import timedelta

from .decision import TimerKind
from .draft import Draft


def arm_instance_deadline(draft: Draft) -> None:
    """Give the instance its whole time from now on, when its definition limits that."""
    deadline_sec = draft.definition.deadline_sec
    if deadline_sec is not None:
        deadline_at = draft.now + timedelta(seconds=deadline_sec)
        draft.change(deadline_at=deadline_at)
        draft.set_timer(TimerKind.INSTANCE_DEADLINE, deadline_at)


def arm_phase_deadline(draft: Draft) -> None:
    """Give the current phase its whole time from now on, when it is limited."""
    deadline_sec = draft.phase.deadline_sec
    if deadline_sec is not None:
        deadline_at = draft.now + timedelta(seconds=deadline_sec)
        draft.change_record(deadline_at=deadline_at)
        draft.set_timer(TimerKind.PHASE_DEADLINE, deadline_at)
