"""The second engine's deadlines: of a phase, of the whole, and what they leave of the children."""

from typing import Any

from tests.engine.model_people import No
from tests.engine.model_rules import OVER, Node
from tests.engine.model_undoing import Undoing
from tests.engine.worlds import PLAIN


class Deadlines(Undoing):
    """What becomes of a node whose time is over. `whole_due` and `phase_due` are seconds, or None."""

    def create(self, node_id: str, name: str, parent: Node | None = None, **more: Any) -> Node:
        """Make a node without any clock: those are wound when it starts."""
        clocks = {"whole_due": None, "phase_due": None, "between": False}
        return super().create(node_id, name, parent, **clocks, **more)

    def go_on(self, node: Node) -> None:
        """Wind the clock of the whole at the very start."""
        if node["phase"] is None:
            self.wind_whole(node)
        super().go_on(node)

    def enter(self, node: Node, name: str) -> None:
        """Wind the clock of the phase, also where people are asked first."""
        super().enter(node, name)
        self.wind_phase(node)

    def wind_whole(self, node: Node) -> None:
        """Give the node its whole time from now on."""
        limit = PLAIN[node["name"]].get("deadline_sec")
        node["whole_due"] = None if limit is None else self.now + limit

    def wind_phase(self, node: Node) -> None:
        """Give the current phase its whole time from now on."""
        limit = self.spec(node).get("deadline_sec")
        node["phase_due"] = None if limit is None else self.now + limit

    def clocks(self, node: Node) -> tuple[float | None, float | None]:
        """Return when the whole and the current phase are due; nothing is for what has ended or undoes."""
        if node["status"] in OVER or self.is_undoing(node):
            return None, None
        active = node["phase"] is not None and self.record(node)["state"] == "active"
        return node["whole_due"], node["phase_due"] if active else None

    def phase_is_late(self, node: Node) -> None:
        """Give the phase up, whatever it waits for; a fallback serves."""
        due = self.clocks(node)[1]
        if due is None or self.now < due:
            raise No("stale")
        if "fallback" in self.spec(node):
            self.drop_everything(node)
            self.give_phase_up(node, "deadline_exceeded")
        else:
            self.fail_late(node)

    def whole_is_late(self, node: Node) -> None:
        """Fail; no fallback serves."""
        due = self.clocks(node)[0]
        if due is None or self.now < due:
            raise No("stale")
        self.fail_late(node)

    def parent_is_late(self, parent: Node, child: Node) -> bool:
        """Fail a child of a phase that a deadline ended; whether that applies."""
        over = parent["phases"].get(child["born_in"], {}).get("state") == "failed"
        if not over or parent["undo"] or child["status"] in OVER or self.is_undoing(child):
            return False
        self.fail_late(child)
        return True

    def fail_late(self, node: Node) -> None:
        """Fail in the phase that is active, or between two; children undo first where all is to be undone."""
        self.drop_everything(node)
        node["between"] = node["phase"] is None or self.record(node)["state"] != "active"
        if not node["between"]:
            self.record(node)["state"] = "failed"
        undoes = PLAIN[node["name"]].get("on_failure") == "compensate" and self.steps(node)
        if undoes and node["fan"] and self.alive(node):
            self.begin_undoing(node, "failed", "deadline_exceeded")
            self.await_children(node)
        else:
            self.fail(node, "deadline_exceeded")

    def drop_everything(self, node: Node) -> None:
        """Nothing of what it does or waits for matters any more."""
        self.cancel(node)
        node.update(attempt=None, retry_at=None, gate_at=None, votes=[], escalated=False)
        if node["fan"] and self.alive(node):
            self.notes.append(("end_overdue_children", node["id"], None))
