"""When an instance has to have ended, as people look at it: by its own deadlines, or those above it."""

from dataclasses import dataclass
from datetime import datetime

from chatflow_jupyter.domain.instance import Instance, PhaseState
from chatflow_jupyter.ports.state_storage import IStateStorage


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """The next deadline that concerns an instance, and whose it is in words."""

    at: datetime
    what: str


def own_deadline(instance: Instance) -> Due | None:
    """Return the earlier deadline of the instance and its current phase, while one of them counts."""
    if instance.ended or instance.is_undoing:
        return None
    found = []
    if instance.deadline_at is not None:
        found.append(Due(at=instance.deadline_at, what="the instance"))
    record = instance.phases.get(instance.phase) if instance.phase else None
    if record is not None and record.state is PhaseState.ACTIVE and record.deadline_at is not None:
        found.append(Due(at=record.deadline_at, what=f"phase {instance.phase}"))
    return min(found, key=lambda due: due.at, default=None)


async def deadline_of(storage: IStateStorage, instance: Instance) -> Due | None:
    """Return the earliest deadline of the instance and of all above it: those end it, too.

    It is looked up rather than copied into the child: a parent that is resumed gets a new one.
    """
    if instance.ended:
        return None
    earliest, node = own_deadline(instance), instance
    while node.parent is not None:
        node = await storage.instance(node.tenant_id, node.parent.instance_id)
        above = own_deadline(node)
        if above is not None and (earliest is None or above.at < earliest.at):
            earliest = Due(at=above.at, what=f"{above.what} of its parent {node.instance_id}")
    return earliest
