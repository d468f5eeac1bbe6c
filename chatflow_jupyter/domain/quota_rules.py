"""Quotas of an instance and of all above it: what is used up, what is left, and how many children have room.

The least that is left counts. What an instance itself knows to have used counts even where no fact says so.
"""

from collections.abc import Sequence
from typing import TypeVar

from .definition import Quota
from .draft import Draft
from .instance import Failure, Instance
from .usage import MAX_CHILDREN_OF_TREE, Limit, Used

Number = TypeVar("Number", int, float)

CANNOT_BE_RAISED = "a quota cannot be raised: fork whoever has it with a definition that allows more"


def below(parent: Instance, own: Quota) -> Quota:
    """Return what a child's own quota adds: only what is lower than every limit above it."""
    return Quota(
        max_tokens=_lower(own.max_tokens, parent.quota.max_tokens),
        max_duration_sec=_if_lower(own.max_duration_sec, [limit.max_duration_sec for limit in parent.limits]),
        max_cost_usd=_lower(own.max_cost_usd, parent.quota.max_cost_usd),
        max_children=_if_lower(own.max_children, [limit.max_children for limit in parent.limits]),
    )


def budget_exhausted(draft: Draft) -> str | None:
    """Return what is used up and by whom, or None; undoing is not stopped by a budget."""
    if draft.instance.is_undoing:
        return None
    for limit in reversed(draft.instance.limits):
        most_sec, spent_sec = (
            limit.max_duration_sec,
            _spent_sec(draft.instance, limit, draft.used, draft.spent_sec),
        )
        if most_sec is not None and spent_sec >= most_sec:
            return f"max_duration_sec{_of(draft, limit)}: {spent_sec:.1f} of {most_sec:g} s are used"
    return None


def left_sec(instance: Instance, used: Used, spent_sec: float = 0.0) -> float | None:
    """Return for how long the instance may still run: the least over its own limit and those above it.

    `spent_sec` was spent on top of what is `used`.
    """
    if instance.is_undoing:
        return None
    left = [
        max(limit.max_duration_sec - _spent_sec(instance, limit, used, spent_sec), 0.001)
        for limit in instance.limits
        if limit.max_duration_sec is not None
    ]
    return min(left, default=None)


def no_room(draft: Draft, total: int) -> Failure | None:
    """Return why there is no room for `total` more children, or None."""
    if total == 0:
        return None
    fault = _too_many(draft, total)
    if fault is not None:
        return Failure(code="quota_exceeded", message=f"children: {fault}", phase=draft.phase.name)
    deepest = draft.definition.max_depth
    if draft.instance.max_depth is not None:
        deepest = min(deepest, draft.instance.max_depth)
    if draft.instance.depth + 1 >= deepest:
        message = f"children: the tree may be at most {deepest} deep"
        return Failure(code="too_deep", message=message, phase=draft.phase.name)
    return None


def _too_many(draft: Draft, total: int) -> str | None:
    instance = draft.instance
    for limit in reversed(instance.limits):
        if limit.max_children is None:
            continue
        known = draft.used.by(limit.instance_id).children + draft.asked
        if limit.instance_id == instance.instance_id:
            known = max(known, instance.descendants)
        if known + total > limit.max_children:
            return f"{total} more children would exceed max_children {limit.max_children}{_of(draft, limit)}"
    if draft.used.in_tree + draft.asked + total > MAX_CHILDREN_OF_TREE:
        return f"{total} more children would be more than the {MAX_CHILDREN_OF_TREE} a tree may have"
    return None


def _spent_sec(instance: Instance, limit: Limit, used: Used, more_sec: float) -> float:
    known = used.by(limit.instance_id).spent_sec + more_sec
    return max(known, instance.spent_sec) if limit.instance_id == instance.instance_id else known


def _of(draft: Draft, limit: Limit) -> str:
    own = limit.instance_id == draft.instance.instance_id
    return "" if own else f" of {limit.instance_id}, above it"


def _lower(one: Number | None, other: Number | None) -> Number | None:
    limits = [limit for limit in (one, other) if limit is not None]
    return min(limits) if limits else None


def _if_lower(own: Number | None, above: Sequence[Number | None]) -> Number | None:
    return own if own is not None and all(limit is None or own < limit for limit in above) else None
