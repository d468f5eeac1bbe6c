"""Trees: how the nodes under one root add up to one status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .ids import InstanceId
from .instance import Instance, Status


class NodeClass(StrEnum):
    """How a node counts towards its tree's status."""

    CREATED = "created"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    TOLERATED = "tolerated"
    TERMINATED = "terminated"
    COMPLETED = "completed"


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeStatus:
    """The roll-up of a tree; the counts are those of its nodes at this moment."""

    root_instance_id: InstanceId
    status: str
    total_nodes: int
    failed_nodes: int
    waiting_nodes: int
    running_nodes: int
    completed_nodes: int
    execution_time_sec: float


def node_class(instance: Instance) -> NodeClass:
    """Return how `instance` counts in its tree."""
    if instance.status is Status.FAILED:
        tolerated = instance.parent is not None and instance.parent.tolerated
        return NodeClass.TOLERATED if tolerated else NodeClass.FAILED
    if instance.paused and not instance.ended:
        return NodeClass.WAITING
    if instance.status is Status.COMPENSATING:
        return NodeClass.RUNNING
    return NodeClass(str(instance.status))


def roll_up(counts: Mapping[NodeClass, int]) -> str:
    """Return the one status of a tree with these nodes."""
    for present, status in (
        (NodeClass.RUNNING, Status.RUNNING),
        (NodeClass.WAITING, Status.WAITING),
        (NodeClass.CREATED, Status.CREATED),
        (NodeClass.FAILED, Status.FAILED),
        (NodeClass.TERMINATED, Status.TERMINATED),
    ):
        if counts.get(present, 0):
            return str(status)
    return str(Status.COMPLETED)


def tree_status(
    root: InstanceId,
    counts: Mapping[NodeClass, int],
    *,
    started_at: datetime | None,
    ended_at: datetime | None,
    now: datetime,
) -> TreeStatus:
    """Fold the counters of a tree; the execution time runs from the root's start to its end, or to `now`."""
    elapsed_sec = 0.0 if started_at is None else ((ended_at or now) - started_at).total_seconds()
    return TreeStatus(
        root_instance_id=root,
        status=roll_up(counts),
        total_nodes=sum(counts.values()),
        failed_nodes=counts.get(NodeClass.FAILED, 0) + counts.get(NodeClass.TOLERATED, 0),
        waiting_nodes=counts.get(NodeClass.WAITING, 0),
        running_nodes=counts.get(NodeClass.RUNNING, 0),
        completed_nodes=counts.get(NodeClass.COMPLETED, 0),
        execution_time_sec=round(max(elapsed_sec, 0.0), 3),
    )
