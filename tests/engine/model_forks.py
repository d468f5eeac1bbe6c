"""The second engine's forks: it photographs a node at every door, and hangs the photograph up elsewhere."""

from copy import deepcopy
from typing import Any

from tests.engine.model_deadlines import Deadlines
from tests.engine.model_people import No
from tests.engine.model_rules import Node
from tests.engine.worlds import PLAIN

PHOTOGRAPHED = ("vars", "trigger", "phases", "risk")


class Forks(Deadlines):
    """What becomes of forks. `doors` has, by phase, how the node looked when it came there."""

    def enter(self, node: Node, name: str) -> None:
        """Come to a phase; remember how everything was."""
        node.setdefault("doors", {})[name] = self.photograph(node)
        super().enter(node, name)
        self.record(node)["shared"] = False

    def photograph(self, node: Node) -> dict[str, Any]:
        """Return a copy of what a fork takes over."""
        return deepcopy({name: node[name] for name in PHOTOGRAPHED})

    def fork(self, made: str, source: Node, phase: str, changes: dict[str, Any]) -> Node:
        """Begin a new root where `source` came to `phase`."""
        taken = self.at_the_door(source, phase)
        context = {**source["context"], **changes}
        needed = PLAIN[source["name"]].get("parameters", {}).get("required", [])
        if not all(isinstance(context.get(parameter), int) for parameter in needed):
            raise No("invalid_input")
        node = self.create(made, source["name"], context=context, level=source["level"], **deepcopy(taken))
        node["lent"] = list(node["phases"])
        node["doors"] = deepcopy({name: source["doors"][name] for name in node["lent"]})
        for taken_at in (node, *node["doors"].values()):
            for record in taken_at["phases"].values():
                record["shared"] = True
                record["origin"] = record["origin"] if context == source["context"] else None
        for attempt, known in list(self.attempts.items()):
            of, name, number = attempt.rsplit(".", 2)
            if of == source["id"] and name in node["lent"]:
                self.attempts[f"{made}.{name}.{number}"] = {**known, "node": made}
        self.wind_whole(node)
        self.enter(node, phase)
        self.go_on(node)
        return node

    def at_the_door(self, source: Node, phase: str) -> dict[str, Any]:
        """Return how the source looked there; of what was undone nobody may take anything."""
        doors = source.get("doors", {})
        if phase not in [one["name"] for one in PLAIN[source["name"]]["phases"]]:
            raise No("invalid_input")
        if phase not in doors and not self.stands_before(source, phase):
            raise No("not_reached")
        taken: dict[str, Any] = doors[phase] if phase in doors else self.photograph(source)
        if taken["phases"] and source["undo"] is not None:
            raise No("compensated")
        return taken

    def stands_before(self, source: Node, phase: str) -> bool:
        """Whether it would enter that phase now, if it were not held up."""
        if source["undo"] is not None:
            return False
        passed = source["phase"] is None or self.record(source)["state"] in ("succeeded", "skipped")
        return passed and self.successor(source) == phase

    def steps(self, node: Node) -> list[str]:
        """Nothing that was lent is undone."""
        lent = node.get("lent", [])
        return [step for step in super().steps(node) if step.removesuffix(".compensate") not in lent]

    def has_stuck_child(self, node: Node) -> bool:
        """Children of the source are its own business."""
        lent = {key for key, entry in self.lent_children(node).items() if entry["status"] == "failed"}
        kept = {key: one for key, one in node["vars"].get("children", {}).items() if key not in lent}
        return super().has_stuck_child({**node, "vars": {**node["vars"], "children": kept}})

    def lent_children(self, node: Node) -> dict[str, Any]:
        """Return the children it has only heard of through its source: they hang somewhere else."""
        own = [child["key"] for child in self.children_of(node)]
        return {key: one for key, one in node["vars"].get("children", {}).items() if key not in own}
