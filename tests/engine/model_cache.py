"""The second engine's reuse: a list of what was handed over for which inputs, looked through from its end."""

import json
from typing import Any

from tests.engine.model_people import No
from tests.engine.model_rules import Node
from tests.engine.worlds import PLAIN

LASTS_SEC = 90 * 24 * 3600


class Cache:
    """What phases with `cache: inputs` do differently."""

    now: float
    nodes: dict[str, Node]
    attempts: dict[str, dict[str, Any]]
    notes: list[tuple[str, str, str | None]]
    in_force: dict[str, list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.handed_over: list[dict[str, Any]] = []
        self.answering: tuple[str, str] | None = None
        self.inputs_seen: dict[tuple[str, str], set[str]] = {}
        self.judged: set[tuple[str, str]] = set()
        self.opened_by: dict[tuple[str, str], str | None] = {}
        self.reused: dict[tuple[str, str], tuple[str, int]] = {}

    def looks_first(self, node: Any) -> bool:
        """Wait to hear of earlier outcomes, unless that is what was just heard."""
        if "cache" not in self.spec(node) or self.is_undoing(node):  # type: ignore[attr-defined]
            return False
        if self.answering == (node["id"], node["phase"]):
            return False
        self.notes.append(("look_for_cached", node["id"], None))
        node.update(status="waiting", reason="cache")
        return True

    def open(self, node: Any, by: str) -> None:
        """Let the phase begin; whose answer it was can be read later."""
        self.opened_by[node["id"], node["phase"]] = node["votes"][-1]["who"] if by == "people" else None
        super().open(node, by)  # type: ignore[misc]

    def inputs(self, node: Any) -> str:
        """Write everything down that its notebook can read."""
        heard, record = self.of(node), self.record(node)  # type: ignore[attr-defined]
        amended = heard["amended"] if heard["cleared"] == record["attempts"] + 1 else {}
        gates = {
            name: [*one["gate"], self.opened_by.get((node["id"], name))]
            for name, one in node["phases"].items()
            if one["gate"] is not None
        }
        known = [node["name"], node["phase"], {**node["context"], **amended}, self.view(node), gates]  # type: ignore[attr-defined]
        return json.dumps(known, sort_keys=True)

    def hear_of_earlier(self, node: Any) -> None:
        """Take the newest outcome for these inputs whose instance has not undone anything, or make one."""
        if node["reason"] != "cache":
            raise No("stale")
        inputs, phase = self.inputs(node), node["phase"]
        attempt = f"{node['id']}.{phase}.{self.record(node)['attempts'] + 1}"  # type: ignore[attr-defined]
        same = [one for one in self.handed_over if one["inputs"] == inputs]
        self.inputs_seen.setdefault((node["id"], phase), set()).add(inputs)
        self.answering = (node["id"], phase)
        if self.has_to_run(node):
            self.judged.add((node["id"], phase))
        elif same and self.stands(same[-1]):
            self.take(node, attempt, same[-1])
        self.go_on(node)  # type: ignore[attr-defined]
        self.answering = None

    def has_to_run(self, node: Any) -> bool:
        """Whether people approved what it would do, or hooks look at what it did."""
        gate = self.record(node)["gate"]  # type: ignore[attr-defined]
        return bool(self.in_force["after"]) or (gate is not None and gate[1] == "people")

    def stands(self, one: dict[str, Any]) -> bool:
        """Whether it may still be taken."""
        return self.nodes[one["node"]]["undo"] is None and self.now < one["at"] + LASTS_SEC

    def take(self, node: Any, attempt: str, one: dict[str, Any]) -> None:
        """Let the phase have succeeded as it did there."""
        record = self.record(node)  # type: ignore[attr-defined]
        record.update(attempts=record["attempts"] + 1, done=True, state="succeeded")
        record["origin"] = self.spec(node).get("run_as", "starter")  # type: ignore[attr-defined]
        node["vars"][node["phase"]] = one["outputs"]
        node["risk"] = one["risk"]
        self.attempts[attempt] = {**self.attempts[one["attempt"]], "node": node["id"]}
        self.reused[node["id"], node["phase"]] = (one["node"], one["number"])

    def counts(self, node: Any) -> None:
        """Remember what was handed over, now that it counts, unless attempts had different inputs."""
        record, phase = self.record(node), node["phase"]  # type: ignore[attr-defined]
        if "cache" not in self.spec(node):  # type: ignore[attr-defined]
            return
        inputs = self.inputs_seen[node["id"], phase]
        if len(inputs) != 1 or (node["id"], phase) in self.judged or self.in_force["after"]:
            return
        made = {"node": node["id"], "attempt": f"{node['id']}.{phase}.{record['attempts']}"}
        one = {"inputs": next(iter(inputs)), "number": record["attempts"], "risk": node["risk"]}
        self.handed_over.append({**made, **one, "outputs": node["vars"][phase], "at": self.now})

    def steps(self, node: Any) -> list[str]:
        """What was done elsewhere is not undone here; an attempt made here before that may be."""
        return [step for step in super().steps(node) if not self.only_reused(node, step)]  # type: ignore[misc]

    def only_reused(self, node: Any, step: str) -> bool:
        """Whether nothing of the phase was done here."""
        name = step.removesuffix(".compensate")
        if (node["id"], name) not in self.reused:
            return False
        written = next(one for one in PLAIN[node["name"]]["phases"] if one["name"] == name)
        tried = written.get("compensate_after") == "start" and node["phases"][name]["attempts"] > 1
        return not tried and not self.ran(node, name)  # type: ignore[attr-defined]
