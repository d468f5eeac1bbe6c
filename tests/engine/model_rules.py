"""The rules of the second engine: plain dicts, slow, obvious, written from their text, not the code."""

from typing import Any

from chatflow_jupyter.domain.ids import InstanceId, child_id
from tests.engine.model_conditions import fill_in, holds, look
from tests.engine.worlds import PLAIN

Node = dict[str, Any]
Asked = list[tuple[str, str, dict[str, Any]]]
"""Children a notebook asks for: schema, key and context of each."""
BATCH = 1
OVER = ("completed", "failed", "terminated")


class Rules:
    """All trees, the attempts and the notes that wait. A node is a dict; so is everything in it."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.attempts: dict[str, dict[str, Any]] = {}
        self.notes: list[tuple[str, str, str | None]] = []
        self.now = 0.0

    def create(self, node_id: str, name: str, parent: Node | None = None, **more: Any) -> Node:
        """Make a node; a child also starts."""
        node: Node = {
            "id": node_id,
            "name": name,
            "status": "created",
            "reason": None,
            "paused": False,
            "phase": None,
            "phases": {},
            "attempt": None,
            "fan": None,
            "asked": [],
            "begun": 0,
            "vars": {},
            "trigger": {},
            "risk": 0,
            "spent": 0.0,
            "own_spent": 0.0,
            "retry_at": None,
            "gate_at": None,
            "asked_at": 0.0,
            "votes": [],
            "taken_back": [],
            "escalated": False,
            "version": 0,
            "ends": 0,
            "had_children": False,
            "context": {},
            "index": 0,
            "tolerated": False,
            **dict.fromkeys(("parent", "born_in", "key", "failure", "undo")),
            "level": PLAIN[name].get("automation_level", 60) if parent is None else parent["level"],
            **more,
        }
        self.nodes[node_id] = node
        if parent is not None:
            node.update(parent=parent["id"], newborn=True)
            self.begin_as_child(node)
            node["newborn"] = False
        return node

    def begin_as_child(self, node: Node) -> None:
        """Start, unless the context is not what the definition needs: whole numbers, in these worlds."""
        needed = PLAIN[node["name"]].get("parameters", {}).get("required", [])
        if all(isinstance(node["context"].get(parameter), int) for parameter in needed):
            self.go_on(node)
        else:
            self.end(node, "failed", "invalid_parameters")

    def go_on(self, node: Node) -> None:
        """Go on until something has to be waited for."""
        while True:
            node.update(status="compensating" if self.is_undoing(node) else "running", reason=None)
            if node["paused"]:
                return
            if node["phase"] is None or self.record(node)["state"] != "active":
                following = self.successor(node)
                if following is None:
                    self.come_through(node)
                    return
                self.enter(node, following)
            elif not self.is_through(node):
                return

    def is_through(self, node: Node) -> bool:
        """Take the active phase one step on; False when it waits, has ended the node, or went elsewhere."""
        record, spec = self.record(node), self.spec(node)
        if self.trigger_start(node) is not None and not record["triggered"]:
            return self.wait(node, "trigger")
        if not record["approved"]:
            if self.people_must_open(node):
                node.update(asked_at=self.now, votes=[], escalated=False)
                self.wind_gate(node)
                self.look_for_waiver(node)
                return self.wait(node, "approval")
            record.update(approved=True, gate=("approve", "rule") if "gate" in spec else None)
        if "notebook" in spec and not record["done"]:
            if self.looks_first(node):
                return False
            if self.budget_is_used_up(node):
                return self.wait(node, "budget")
            return self.queue(node)
        code = self.begin_children(node) if "children" in spec and node["fan"] is None else None
        if code is not None:
            self.give_phase_up(node, code)
            return False
        if node["asked"] and node["fan"] is None:
            self.begin_asked(node)
        if node["fan"] is not None and node["fan"]["total"]:
            return self.wait(node, "children")
        record["state"] = "succeeded"
        self.leave_children(node)
        return True

    def let_count(self, node: Node) -> None:
        """Count what the notebook handed over, as the word of whom it ran for."""
        self.record(node).update(done=True, origin=self.spec(node).get("run_as", "starter"))

    def leave_children(self, node: Node) -> None:
        """Forget who was asked for; whoever was not born makes room for others."""
        if node["fan"] is None:
            node["begun"] -= len(node["asked"])
        node.update(fan=None, asked=[])

    def enter(self, node: Node, name: str) -> None:
        """Come to a phase; skip it unless its condition is true."""
        self.leave_children(node)
        node["phase"] = name
        record = {"state": "active", "attempts": 0, "failures": 0, "lost": 0, "cut_off": 0}
        node["phases"][name] = {**record, "triggered": False, "approved": False}
        self.record(node).update(gate=None, done=False, origin=None)
        spec = self.spec(node)
        if "when" in spec and holds(spec["when"], self.view(node)) is not True:
            self.record(node)["state"] = "skipped"

    def successor(self, node: Node) -> str | None:
        """Return the phase that follows, by fallback, route or order."""
        phases = PLAIN[node["name"]]["phases"]
        names = [phase["name"] for phase in phases]
        fallbacks = [phase.get("fallback") for phase in phases]
        if node["phase"] is None:
            return names[0]
        state = self.record(node)["state"]
        if state == "failed":
            return str(self.spec(node)["fallback"])
        if state == "succeeded":
            for route in self.spec(node).get("next", []):
                if "when" not in route or holds(route["when"], self.view(node)) is True:
                    return None if route["to"] == "end" else str(route["to"])
        later = names[names.index(node["phase"]) + 1 :]
        return next((name for name in later if name not in fallbacks), None)

    def people_must_open(self, node: Node) -> bool:
        """An explicit gate that no rule opens, or too much risk for the automation level."""
        spec = self.spec(node)
        if "gate" in spec:
            rule = spec["gate"].get("auto")
            known = self.view(node)
            if spec["gate"].get("governed"):
                word = {name for name, record in node["phases"].items() if record["origin"] == "tenant"}
                known = {name: value for name, value in known.items() if name in word}
            if rule is None or holds(rule, known) is not True:
                return True
        return self.is_too_risky(node)

    def is_too_risky(self, node: Node) -> bool:
        """Whether the automation level stops here, gate or no gate."""
        level = node["level"]
        return bool(level < 100 and max(self.spec(node).get("risk", 0), node["risk"]) >= level)

    def queue(self, node: Node) -> bool:
        """Make an attempt available."""
        record = self.record(node)
        assert record["state"] == "active"
        assert not record["done"]
        record["attempts"] += 1
        attempt = f"{node['id']}.{node['phase']}.{record['attempts']}"
        assert attempt not in self.attempts
        self.attempts[attempt] = {"status": "queued", "fence": 0, "node": node["id"], "at": self.now}
        node["attempt"] = attempt
        return False

    def give_phase_up(self, node: Node, code: str) -> None:
        """Go to the fallback, or fail."""
        self.record(node)["state"] = "failed"
        if "fallback" in self.spec(node):
            self.leave_children(node)
            self.go_on(node)
        else:
            self.fail(node, code)

    def fail(self, node: Node, code: str) -> None:
        """Fail, until somebody resumes it."""
        self.end(node, "failed", code)

    def come_through(self, node: Node) -> None:
        """No phase is left."""
        self.end(node, "completed")

    def is_undoing(self, node: Node) -> bool:
        """Whether it goes back instead of on."""
        return False

    def end(self, node: Node, status: str, failure: str | None = None) -> None:
        """Nothing happens any more; the parent is told."""
        node.update(status=status, reason=None, paused=False, attempt=None, retry_at=None, gate_at=None)
        node.update(votes=[], escalated=False)
        node["failure"] = failure or (node["failure"] if status == "terminated" else None)
        node["ends"] += 1
        if node["parent"]:
            self.notes.append(("child_ended", node["parent"], node["id"]))
        if status == "terminated" and node["had_children"]:
            self.notes.append(("terminate_children", node["id"], None))

    def cancel(self, node: Node) -> None:
        """Take its attempt from whoever holds it."""
        if node["attempt"]:
            self.attempts[node["attempt"]].update(status="cancelled")
            self.attempts[node["attempt"]]["fence"] += 1

    def wait(self, node: Node, reason: str) -> bool:
        """Stop for a named reason."""
        node.update(status="waiting", reason=reason)
        return False

    def wind_gate(self, node: Node) -> None:
        """Set the gate's clock."""
        expires = (self.spec(node).get("gate") or {}).get("expires_sec")
        node["gate_at"] = None if expires is None else self.now + expires

    def look_for_waiver(self, node: Node) -> None:
        """Have the waivers looked through, where the gate may be waived."""
        if self.spec(node).get("gate", {}).get("waivable") and not self.is_too_risky(node):
            self.notes.append(("look_for_waiver", node["id"], None))

    # children

    def begin_children(self, node: Node) -> str | None:
        """Count the items and start the first; or return why not, as a code."""
        spec = self.spec(node)["children"]
        items = spec.get("items") or look(self.view(node), spec.get("foreach", ""))
        if not isinstance(items, list):
            return "invalid_children"
        try:
            for index, item in enumerate(items):
                fill_in(spec.get("context", {}), {**self.view(node), "item": item, "index": index})
        except LookupError:
            return "invalid_children"
        keys = [self.key_of(node, spec, item, index) for index, item in enumerate(items)]
        taken = list(node["vars"].get("children", {}))
        if len(set(keys + taken)) < len(keys) + len(taken):
            return "invalid_children"
        if self.are_too_many(node, len(items)):
            return "quota_exceeded"
        node["begun"] += len(items)
        node["fan"] = {"total": len(items), "items": items, "keys": keys, "started": 0, "seen": {}}
        node["had_children"] = node["had_children"] or bool(items)
        if node.get("newborn") and items:  # one birth at a time: its own children come with the next commit
            self.notes.append(("fan_out", node["id"], None))
        else:
            self.start_more(node)
        return None

    def cannot_be_born(self, node: Node, asked: Asked) -> str | None:
        """Why an attempt that asked for these children fails, as a code."""
        allowed = self.spec(node).get("spawns", {}).get("schemas", [])
        keys = [key for _, key, _ in asked] + list(node["vars"].get("children", {}))
        if not all(schema in allowed for schema, _, _ in asked) or len(keys) > len(set(keys)):
            return "invalid_children"
        return "quota_exceeded" if self.are_too_many(node, len(asked)) else None

    def begin_asked(self, node: Node) -> None:
        """Start the first of the children that the notebook asked for."""
        asked = node["asked"]
        node["fan"] = {"total": len(asked), "keys": [key for _, key, _ in asked], "started": 0, "seen": {}}
        node["had_children"] = True
        self.start_more(node)

    def next_child(self, node: Node, index: int) -> tuple[str, dict[str, Any]]:
        """Return the schema and the context of the child at that place."""
        if "children" not in self.spec(node):
            schema, _, asked = node["asked"][index]
            return schema, asked
        spec = self.spec(node)["children"]
        view = {**self.view(node), "item": node["fan"]["items"][index], "index": index}
        return spec["schema"], fill_in(spec.get("context", {}), view)

    def offspring(self, node: Node) -> dict[str, Any]:
        """Return what the current phase says of its children, declared or asked for."""
        spec = self.spec(node)
        found: dict[str, Any] = spec["children"] if "children" in spec else spec["spawns"]
        return found

    def key_of(self, node: Node, spec: dict[str, Any], item: Any, index: int) -> str:
        """Return what the child is called among its parent's."""
        if "key" not in spec:
            return f"{node['phase']}-{index}"
        return str(fill_in(spec["key"], {"item": item, "index": index}))

    def start_more(self, node: Node) -> None:
        """Keep at most `max_parallel` alive; none after a failure that counts."""
        spec, fan = self.offspring(node), node["fan"]
        room = min(spec.get("max_parallel", 16) - self.alive(node), fan["total"] - fan["started"])
        if room <= 0 or (self.bad(node) and spec.get("on_failure") != "continue"):
            return
        if room > BATCH:
            self.notes.append(("fan_out", node["id"], None))
        for _ in range(min(room, BATCH)):
            index = fan["started"]
            fan["started"] += 1
            schema, context = self.next_child(node, index)
            more = {"index": index, "born_in": node["phase"], "key": fan["keys"][index], "context": context}
            tolerated = spec.get("on_failure") == "continue"
            born = str(child_id(InstanceId(node["id"]), node["phase"], index))
            self.create(born, schema, node, tolerated=tolerated, **more)

    def alive(self, node: Node) -> int:
        """Children started whose end the parent has not seen, or that it waits for once more."""
        ended = [seen for seen in node["fan"]["seen"].values() if seen["status"] != "running"]
        return int(node["fan"]["started"]) - len(ended)

    def bad(self, node: Node) -> int:
        """Children that count as failed."""
        return len([1 for seen in node["fan"]["seen"].values() if seen["status"] in ("failed", "terminated")])

    def look_at_children(self, node: Node) -> None:
        """All ended: go on or fail; otherwise start more."""
        if node["reason"] != "children":
            return
        fatal = self.bad(node) and self.offspring(node).get("on_failure") != "continue"
        if fatal:
            if self.alive(node) == 0:
                self.give_phase_up(node, "child_failed")
        elif node["fan"]["started"] == node["fan"]["total"] and self.alive(node) == 0:
            self.record(node)["state"] = "succeeded"
            self.leave_children(node)
            self.go_on(node)
        elif not node["paused"]:
            self.start_more(node)

    def record(self, node: Node) -> dict[str, Any]:
        """Return what has happened to the current phase."""
        return node["phases"][node["phase"]]  # type: ignore[no-any-return]

    def spec(self, node: Node) -> dict[str, Any]:
        """Return the current phase as written."""
        return next(phase for phase in PLAIN[node["name"]]["phases"] if phase["name"] == node["phase"])

    def trigger_start(self, node: Node) -> Any:
        """Return None when the phase starts by itself, else what its trigger must fit (maybe nothing)."""
        start = self.spec(node).get("start", "auto") if node["phase"] else "auto"
        return None if start == "auto" else {} if start == "on_trigger" else start["on_trigger"]

    def view(self, node: Node) -> dict[str, Any]:
        """Return what conditions may read."""
        known = {"context": node["context"], "trigger": node["trigger"], **node["vars"]}
        for name, record in node["phases"].items():
            known[name] = {**known.get(name, {}), "status": record["state"]}
        return known

    def looks_first(self, node: Node) -> bool:
        """Whether it waits to hear of earlier outcomes before an attempt is made."""
        return False

    def counts(self, node: Node) -> None:
        """Hear that what its notebook handed over counts."""

    def budget_is_used_up(self, node: Node) -> bool:
        """Whether no time is left."""
        return False

    def are_too_many(self, node: Node, count: int) -> bool:
        """Whether there is no room for so many more children."""
        return False

    def children_of(self, node: Node, phase: str | None = None) -> list[Node]:
        """Return the children in order of index."""
        found = [child for child in self.nodes.values() if child["parent"] == node["id"]]
        return sorted(
            (child for child in found if phase in (None, child["born_in"])),
            key=lambda child: (child["born_in"], child["index"]),
        )
