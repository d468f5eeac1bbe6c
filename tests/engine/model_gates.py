"""The second engine's gates: votes, quorum, expiry, escalation, waivers, and approvals that turn out void."""

import json
from typing import Any

from tests.engine.model_people import VERBS, Answer, No
from tests.engine.model_quota import Quotas
from tests.engine.model_rules import Node


class Gates(Quotas):
    """What becomes of a gate. `waivers` are dicts with name, phase, feature, given, until."""

    def __init__(self) -> None:
        super().__init__()
        self.waivers: list[dict[str, Any]] = []

    def vote(self, node: Node, answer: Answer) -> None:
        """Count an answer; as many as the quorum must say the same about the same artifacts."""
        gate = self.gate(node)
        if answer.decision is None:
            raise No("decision_required")
        if answer.phase is not None and answer.phase != node["phase"]:
            raise No("gate_passed")
        if node["gate_at"] is not None and self.now >= node["gate_at"]:
            raise No("gate_expired")
        if not self.is_asked(node, answer.who):
            raise No("not_an_approver")
        if answer.saw is not None and answer.saw != node["version"]:
            raise No("artifacts_changed")
        still = [one for one in node["votes"] if one["who"] != answer.who and one["saw"] == node["version"]]
        new = {"who": answer.who, "said": answer.decision, "saw": node["version"], "data": answer.data}
        node["votes"] = [*still, new]
        same = [one for one in node["votes"] if one["said"] == answer.decision]
        if answer.decision == "approve":
            same = [one for one in same if json.dumps(one["data"]) == json.dumps(answer.data)]
        if len(same) < gate.get("quorum", 1):
            return
        before = node["trigger"]
        node["taken_back"] = [(name, name in before, before.get(name)) for name in answer.data]
        for one in same:
            node["trigger"].update(one["data"])
        if answer.decision == "approve":
            self.open(node, "people")
        else:
            self.close(node, "people")

    def is_asked(self, node: Node, who: str) -> bool:
        """Whether the gate asks that person: by name or verb; without any, everybody."""
        gate = self.gate(node)
        people = list(gate.get("approvers", []))
        if node["escalated"]:
            people += gate["escalate_to"]
        return not people or who in people or any(f"verb:{verb}" in people for verb in VERBS[who])

    def open(self, node: Node, by: str) -> None:
        """Let the phase begin."""
        self.record(node).update(approved=True, gate=("approve", by))
        node["approved_version"] = node["version"] if by == "people" else None
        node.update(votes=[], escalated=False, gate_at=None)
        self.go_on(node)

    def close(self, node: Node, by: str) -> None:
        """Fail, go elsewhere, or end for good."""
        self.record(node)["gate"] = ("reject", by)
        node.update(votes=[], escalated=False, gate_at=None)
        then = self.gate(node).get("on_reject", "terminate")
        if then == "fail":
            self.record(node)["state"] = "failed"
            self.fail(node, "rejected")
        elif then == "terminate":
            self.end(node, "terminated")
        else:
            self.record(node)["state"] = "skipped"
            if then["goto"] == "end":
                self.end(node, "completed")
            else:
                self.enter(node, then["goto"])
                self.go_on(node)

    def gate_expires(self, node: Node) -> None:
        """Nobody answered in time."""
        if node["reason"] != "approval" or node["gate_at"] is None or self.now < node["gate_at"]:
            raise No("stale")
        node["gate_at"] = None
        then = self.gate(node).get("on_expire", "reject")
        if then == "approve":
            self.open(node, "expiry")
        elif then == "escalate" and not node["escalated"]:
            node["escalated"] = True
            self.wind_gate(node)
        else:
            self.close(node, "expiry")

    def see_waiver(self, node: Node) -> None:
        """Open the gate if somebody waived it and that still holds."""
        waivable = self.gate(node).get("waivable") and not self.is_too_risky(node)
        if node["reason"] != "approval" or node["paused"] or not waivable:
            raise No("stale")
        for waiver in self.waivers:
            same = (waiver["name"], waiver["phase"]) == (node["name"], node["phase"])
            given = waiver["given"] <= node["asked_at"]
            if same and given and waiver["feature"] is None and waiver["until"] > self.now:
                self.open(node, "waiver")
                return
        raise No("stale")

    def take_back(self, node: Node) -> None:
        """Forget the data of an approval that turned out void."""
        for name, was_there, value in node["taken_back"]:
            if was_there:
                node["trigger"][name] = value
            else:
                node["trigger"].pop(name, None)

    def is_void(self, node: Node) -> bool:
        """Whether what the approvers of the current phase saw has changed since."""
        gate = self.record(node)["gate"]
        return gate == ("approve", "people") and node["approved_version"] != node["version"]

    def gate(self, node: Node) -> dict[str, Any]:
        """Return the gate before the current phase as written; empty where only its risk asks."""
        return self.spec(node).get("gate") or {}
