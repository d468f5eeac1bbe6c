"""What was used of limits: as the store counts it, and added up anew over the nodes of the model."""

from typing import TYPE_CHECKING, Any

from chatflow_jupyter.domain.ids import InstanceId
from tests.engine.model_rules import Node
from tests.engine.questions import TENANT
from tests.engine.worlds import PLAIN

if TYPE_CHECKING:
    from tests.engine.both_engines import BothEngines


def root_of(model: Any, node: Node) -> Node:
    """Return the root of its tree."""
    while node["parent"]:
        node = model.nodes[node["parent"]]
    return node


async def compare_usage(both: "BothEngines") -> None:
    """Assert that every counter is a recount, and that no limit on children was ever passed."""
    model = both.model
    for root in [node for node in model.nodes.values() if node["parent"] is None]:
        limiting = [
            InstanceId(node["id"])
            for node in model.nodes.values()
            if "quota" in PLAIN[node["name"]] and root_of(model, node) is root
        ]
        used = await both.storage.inner.used(TENANT, InstanceId(root["id"]), limiting)
        assert used.in_tree == model.added_up(root, "begun"), "children asked for in a tree"
        for name in limiting:
            node, known = model.nodes[name], used.by(name)
            assert round(known.spent_sec - model.added_up(node, "own_spent"), 6) == 0, f"spent below {name}"
            assert known.children == model.added_up(node, "begun"), f"children below {name}"
            most = PLAIN[node["name"]]["quota"].get("max_children")
            assert most is None or known.children <= most, f"{name} has more children than it may"
