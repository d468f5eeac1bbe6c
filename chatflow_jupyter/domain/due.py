"""When an instance has to have ended, by its own deadlines."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .instance import Instance, PhaseState


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """The next deadline that concerns an instance, and what it limits: also in words."""

    at: datetime
    whose: Literal["phase", "instance", "above"]
    what: str


def own_deadline(instance: Instance) -> Due | None:
    """Return the earlier deadline of the instance and its current phase, while one of them counts."""
    if instance.ended or instance.is_undoing:
        return None
    found = []
    if instance.deadline_at is not None:
        found.append(Due(at=instance.deadline_at, whose="instance", what="the instance"))
    record = instance.phases.get(instance.phase) if instance.phase else None
    if record is not None and record.state is PhaseState.ACTIVE and record.deadline_at is not None:
        found.append(Due(at=record.deadline_at, whose="phase", what=f"phase {instance.phase}"))
    return min(found, key=lambda due: due.at, default=None)
