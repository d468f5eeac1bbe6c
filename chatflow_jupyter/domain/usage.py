"""What limits a subtree and what was used of it: facts for a decision, which sees one instance only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .ids import InstanceId

MAX_CHILDREN_OF_TREE = 100_000
"""How many children may be asked for below one root, whatever its quota: a tree that breeds must end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How much `instance_id` and all below it may use together; `None` is no limit."""

    instance_id: InstanceId
    max_duration_sec: float | None = None
    max_children: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What an instance and all below it have used: seconds of attempts, and children asked for."""

    spent_sec: float = 0.0
    children: int = 0


NONE_USED = Usage()


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What is known to be used of limits, by the instance that has them; `in_tree`: children asked for.

    What is not known counts as nothing: a commit finds out.
    """

    of: Mapping[InstanceId, Usage] = field(default_factory=dict)
    in_tree: int = 0

    def by(self, instance_id: InstanceId) -> Usage:
        """Return what that instance and all below it have used."""
        return self.of.get(instance_id, NONE_USED)

    def and_also(self, limits: Sequence[Limit], spent_sec: float, children: int) -> "Used":
        """Return what is used after an instance under `limits` used this much more."""
        if not (spent_sec or children):
            return self
        more = {}
        for limit in limits:
            known = self.by(limit.instance_id)
            more[limit.instance_id] = Usage(
                spent_sec=known.spent_sec + spent_sec, children=known.children + children
            )
        return Used(of={**self.of, **more}, in_tree=self.in_tree + children)


NOTHING_KNOWN = Used()
