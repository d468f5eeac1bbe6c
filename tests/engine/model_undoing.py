"""The second engine's undoing: which steps, in which order, who is waited for, and how it ends."""

from typing import Any

from tests.engine.model_gates import Gates
from tests.engine.model_people import No
from tests.engine.model_rules import OVER, Node
from tests.engine.worlds import PLAIN


class Undoing(Gates):
    """What becomes of a node that undoes. `undo` is a dict with goal, failure and done, or None."""

    def is_undoing(self, node: Node) -> bool:
        """Whether it was told to undo and is not through with it."""
        return node["undo"] is not None and not node["undo"]["done"]

    def is_compensated(self, node: Node) -> bool:
        """Whether all was undone."""
        return node["undo"] is not None and bool(node["undo"]["done"])

    def steps(self, node: Node) -> list[str]:
        """Return what is still to be undone: what was done last comes first."""
        left: list[str] = []
        for phase in PLAIN[node["name"]]["phases"]:
            name, record = phase["name"], node["phases"].get(phase["name"])
            if "compensate" not in phase or record is None:
                continue
            had_children = any(child["born_in"] == name for child in self.children_of(node))
            did_something = record["done"] or record["state"] == "succeeded" or had_children
            if self.ran(node, name) or (phase.get("compensate_after") == "start" and record["attempts"]):
                did_something = True
            step = node["phases"].get(name + ".compensate")
            if did_something and (step is None or step["state"] != "succeeded"):
                left.insert(0, name + ".compensate")
        return left

    def ran(self, node: Node, phase: str) -> bool:
        """Whether its notebook ran to the end without its counting."""
        return False

    def spec(self, node: Node) -> dict[str, Any]:
        """Return the current phase as written; a step has of its phase what a notebook needs."""
        name, dot, _ = node["phase"].partition(".")
        written = next(phase for phase in PLAIN[node["name"]]["phases"] if phase["name"] == name)
        if not dot:
            return written  # type: ignore[no-any-return]
        kept = {
            key: written[key] for key in ("retries", "parameters", "timeout_sec", "run_as") if key in written
        }
        return {"name": node["phase"], "notebook": written["compensate"], **kept}

    def successor(self, node: Node) -> str | None:
        """Go back instead of on, while undoing."""
        if not self.is_undoing(node):
            return super().successor(node)
        return next(iter(self.steps(node)), None)

    def enter(self, node: Node, name: str) -> None:
        """Nobody is asked whether a step may begin."""
        super().enter(node, name)
        self.record(node)["approved"] = self.is_undoing(node)

    def budget_is_used_up(self, node: Node) -> bool:
        """Undoing has no budget."""
        return not self.is_undoing(node) and super().budget_is_used_up(node)

    def begin_undoing(self, node: Node, goal: str, failure: str | None) -> None:
        """Forget what it waited for."""
        node["undo"] = {"goal": goal, "failure": failure, "done": False}
        node.update(attempt=None, votes=[], escalated=False, retry_at=None, gate_at=None, failure=None)
        if node["had_children"]:
            self.notes.append(("terminate_children", node["id"], None))

    def come_through(self, node: Node) -> None:
        """Complete; or, all being undone, end as it was to end."""
        if not self.is_undoing(node):
            super().come_through(node)
            return
        node["undo"]["done"] = True
        self.leave_children(node)
        node["failure"] = node["undo"]["failure"]
        self.end(node, node["undo"]["goal"], node["failure"])
        if node["status"] == "failed" and node["had_children"]:
            self.notes.append(("terminate_children", node["id"], None))

    def fail(self, node: Node, code: str) -> None:
        """Fail; undo first where that is wanted."""
        if self.is_undoing(node):
            self.end(node, "failed", "compensation_failed")
        elif PLAIN[node["name"]].get("on_failure") == "compensate" and self.steps(node):
            self.begin_undoing(node, "failed", code)
            if node["fan"] and self.stuck(node):
                self.fail(node, "child_failed")
            else:
                self.go_on(node)
        else:
            self.end(node, "failed", code)

    def terminate_undone(self, node: Node) -> None:
        """End for good, once what it did is undone; its children first."""
        if self.is_undoing(node) and node["status"] != "failed":
            raise No("paused" if node["paused"] else "busy")
        children = node["fan"] and (self.alive(node) or self.failed_children(node))
        children = children or self.has_stuck_child(node)
        if self.is_compensated(node) or not (children or self.steps(node)):
            self.terminate(node)
            return
        self.cancel(node)
        self.begin_undoing(node, "terminated", node["undo"]["failure"] if node["undo"] else node["failure"])
        if node["paused"] and node["had_children"]:
            self.notes.append(("resume_children", node["id"], None))
        node["paused"] = False
        if node["fan"]:
            self.await_children(node)
        else:
            self.go_back(node)

    def ask_children(self, node: Node) -> None:
        """Have them undo what they did, those that failed as well."""
        self.await_children(node)
        if node["reason"] == "children":
            self.notes.append(("terminate_children", node["id"], None))

    def await_children(self, node: Node) -> None:
        """Wait until they have, if there are any."""
        self.reopen(node)
        if self.alive(node):
            self.wait(node, "children")
        else:
            self.go_back(node)

    def go_back(self, node: Node) -> None:
        """Leave where it stands and undo; a step that failed is taken again."""
        record = self.record(node)
        if "." in node["phase"]:
            record.update(state="active", failures=0, lost=0, cut_off=0)
        elif record["state"] == "active":
            children = [child for child in self.children_of(node) if child["born_in"] == node["phase"]]
            record["state"] = "failed" if record["attempts"] or children else "skipped"
        self.go_on(node)

    def children_ended_undone(self, node: Node) -> None:
        """All ended: go back; but not while some did not undo what they did."""
        if self.alive(node):
            return
        failed = self.failed_children(node)
        if self.stuck(node):
            self.fail(node, "child_failed")
        elif failed:
            self.ask_children(node)
        else:
            self.go_back(node)

    def look_at_children(self, node: Node) -> None:
        """While undoing no more are started."""
        if not self.is_undoing(node):
            super().look_at_children(node)
        elif node["reason"] == "children":
            self.children_ended_undone(node)

    def failed_children(self, node: Node) -> list[int]:
        """Return the children of the phase that failed and can still be resumed."""
        seen = node["fan"]["seen"]
        return [i for i, one in seen.items() if one["status"] == "failed" and one["undone"] != "done"]

    def reopen(self, node: Node) -> bool:
        """Count failed children as alive once more; whether there were any."""
        failed = self.failed_children(node)
        for index in failed:
            node["fan"]["seen"][index]["status"] = "running"
            node["vars"]["children"][node["fan"]["keys"][index]]["status"] = "running"
        return bool(failed)

    def how_undone(self, node: Node) -> str | None:
        """Return how far an ended child came in undoing."""
        if self.is_compensated(node):
            return "done"
        if node["status"] != "failed":
            return None
        return "failed" if self.is_undoing(node) or self.has_stuck_child(node) else None

    def stuck(self, node: Node) -> bool:
        """Whether children of the phase, or some below them, could not undo what they did."""
        return any(node["fan"]["seen"][i]["undone"] == "failed" for i in self.failed_children(node))

    def has_stuck_child(self, node: Node) -> bool:
        """Whether it has heard so of a child of any phase."""
        heard = node["vars"].get("children", {}).values()
        return any(one["status"] == "failed" and one.get("compensation") == "failed" for one in heard)

    def is_asked_to_undo(self, parent: Node, child: Node) -> bool:
        """Whether the parent waits for this child to undo what it did, or it is alive while that undoes."""
        if self.is_undoing(parent) and child["status"] not in OVER and not self.is_undoing(child):
            return True
        if not self.is_undoing(parent) or parent["reason"] != "children":
            return False
        seen = parent["fan"]["seen"].get(child["index"])
        return child["born_in"] == parent["phase"] and (seen is None or seen["status"] == "running")
