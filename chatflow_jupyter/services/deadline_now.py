"""When an instance has to have ended, as people look at it: by its own deadlines, or those above it."""

from chatflow_jupyter.domain.due import Due, own_deadline
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.state_storage import IStateStorage


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
            earliest = Due(at=above.at, whose="above", what=f"{above.what} of its parent {node.instance_id}")
    return earliest
