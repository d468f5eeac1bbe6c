"""When a node gives the engine something to do."""

from chatflow_jupyter.domain.instance import Instance, Status


def is_busy(node: Instance) -> bool:
    """Return whether the node runs, or has an attempt to bring to its end, as a paused one may."""
    goes_on = node.status in (Status.RUNNING, Status.COMPENSATING) and not node.paused
    return node.attempt is not None or goes_on
