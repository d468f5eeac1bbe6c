"""The second engine's quotas: whoever asks, everybody above is asked too, and everything is added up anew."""

from collections.abc import Iterator
from typing import Any

from tests.engine.model_rules import Node, Rules
from tests.engine.worlds import PLAIN


class Quotas(Rules):
    """Limits are those that the definitions write down; nothing is handed down and nothing is kept."""

    def budget_is_used_up(self, node: Node) -> bool:
        """Whether the time given to the node, or to anybody above it, is spent."""
        return any(
            self.added_up(up, "own_spent") >= limit for up, limit in self.limits(node, "max_duration_sec")
        )

    def are_too_many(self, node: Node, count: int) -> bool:
        """Whether so many more children are more than the node, or anybody above it, may have below it."""
        return bool(count) and any(
            self.added_up(up, "begun") + count > limit for up, limit in self.limits(node, "max_children")
        )

    def limits(self, node: Node, what: str) -> Iterator[tuple[Node, float]]:
        """Yield whoever has a limit, from the node upwards."""
        up: Node | None = node
        while up is not None:
            limit = PLAIN[up["name"]].get("quota", {}).get(what)
            if limit is not None:
                yield up, limit
            up = self.nodes[up["parent"]] if up["parent"] else None

    def added_up(self, node: Node, what: str) -> Any:
        """Add up over the node and all below it."""
        return node[what] + sum(self.added_up(child, what) for child in self.children_of(node))
