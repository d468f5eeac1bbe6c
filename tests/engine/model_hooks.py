"""The second engine's hooks: who is asked when, and what becomes of an attempt by what they say."""

from typing import Any

from tests.engine.model_people import No
from tests.engine.model_rules import Asked, Node
from tests.engine.model_undoing import Undoing
from tests.engine.worlds import PLAIN

NOTHING = {"cleared": 0, "question": "", "risk": 0, "amended": {}, "ran": False, "unjudged": False}
Said = list[tuple[str, str, tuple[Any, ...]]]
"""Answers in order: the hook, its policy, and a verdict such as ("ask", "why") or ("broken",)."""


class Hooks(Undoing):
    """What hooks do to a node. `in_force` are the names at each point; they may change with the process."""

    def __init__(self) -> None:
        super().__init__()
        self.in_force: dict[str, list[str]] = {"before": [], "after": []}
        self.heard: dict[tuple[str, str], dict[str, Any]] = {}
        self.asking: dict[str, tuple[int, str, int]] = {}
        self.told: dict[str, int] = {}

    def of(self, node: Node, phase: str | None = None) -> dict[str, Any]:
        """Return what was heard about a phase."""
        return self.heard.setdefault((node["id"], phase or node["phase"]), dict(NOTHING))

    def enter(self, node: Node, name: str) -> None:
        """Come to a phase of which nobody has said anything."""
        self.heard.pop((node["id"], name), None)
        super().enter(node, name)

    def is_through(self, node: Node) -> bool:
        """Behind the trigger and before the gate, the hooks: for an outcome, or for the next attempt."""
        record, heard = self.record(node), self.of(node)
        begun = self.trigger_start(node) is None or record["triggered"]
        if begun and "notebook" in self.spec(node) and not record["done"] and not self.is_undoing(node):
            if heard["unjudged"]:
                if self.in_force["after"]:
                    return self.ask_hooks(node, "after", record["attempts"])
                heard["unjudged"] = False
                self.let_count(node)
            elif self.in_force["before"] and heard["cleared"] <= record["attempts"]:
                return self.ask_hooks(node, "before", record["attempts"] + 1)
        return super().is_through(node)

    def ask_hooks(self, node: Node, point: str, number: int) -> bool:
        """Wait for the hooks."""
        rounds = self.asking.get(node["id"], (0, "", 0))[0]
        self.asking[node["id"]] = (rounds + 1, point, number)
        self.notes.append(("run_hooks", node["id"], None))
        return self.wait(node, "hook")

    def looks_behind(self, node: Node) -> bool:
        """Have hooks look at a notebook that ran to its end; whether there are any."""
        if self.is_undoing(node) or not self.in_force["after"]:
            return False
        self.of(node).update(ran=True, unjudged=True)
        self.ask_hooks(node, "after", self.record(node)["attempts"])
        return True

    def hooks_say(self, node: Node, turn: int, said: Said) -> None:
        """Hear what they said when they were asked for the `turn`-th time."""
        if node["reason"] != "hook" or self.asking[node["id"]][0] != turn:
            raise No("stale")
        _, point, number = self.asking[node["id"]]
        said = [(name, policy, self.proper(node, what)) for name, policy, what in said]
        self.told[node["id"]] = self.told.get(node["id"], 0) + len(said)
        code, again = self.stopped(said)
        if point == "after":
            self.hear_behind(node, said, code, again=again)
        elif code is not None:
            self.give_phase_up(node, code)
        else:
            self.hear_ahead(node, number, said)

    def hear_ahead(self, node: Node, number: int, said: Said) -> None:
        """Remember it for this attempt; what was approved for less does not hold."""
        heard, record = self.of(node), self.record(node)
        before = dict(heard)
        asks = [f"hook {name} asks: {what[1]}" for name, _, what in said if what[0] == "ask"]
        heard.update(cleared=number, question="; ".join(asks), risk=self.highest(said), amended={})
        for _, _, what in said:
            if what[0] == "amend":
                heard["amended"] = {**heard["amended"], **what[1]}
        other = heard["question"] and heard["question"] != before["question"]
        if other or (heard["risk"] > before["risk"] and self.is_too_risky(node)):
            record.update(approved=False, gate=None)
        self.go_on(node)

    def hear_behind(self, node: Node, said: Said, code: str | None, *, again: bool) -> None:
        """Count the outcome, or not; when hooks broke it waits to be looked at once more."""
        heard, record = self.of(node), self.record(node)
        node["risk"] = max(node["risk"], self.highest(said))
        if code == "hook_failed":
            self.give_phase_up(node, code)
            return
        heard["unjudged"] = False
        if code is None:
            self.let_count(node)
            if "children" not in self.spec(node) and not node["asked"]:
                record["state"] = "succeeded"
                self.counts(node)
            self.go_on(node)
            return
        self.leave_children(node)
        if again:
            self.again_or_not(node, code)
        else:
            self.give_phase_up(node, code)

    def again_or_not(self, node: Node, code: str) -> None:
        """Make another attempt or not."""
        raise AssertionError(node, code)

    def stopped(self, said: Said) -> tuple[str | None, bool]:
        """Return why the attempt ends here, by the first who ends it, and whether it may be made again."""
        for _, policy, what in said:
            if what[0] == "broken" and policy == "closed":
                return "hook_failed", False
            if what[0] == "deny":
                return "denied", False
            if what[0] == "reject":
                return "rejected_by_hook", what[1]
        return None, False

    def proper(self, node: Node, what: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the verdict; amended parameters that do not fit the definition are none."""
        declared = PLAIN[node["name"]].get("parameters", {}).get("properties", {})
        bad = what[0] == "amend" and any(
            name in declared and type(what[1][name]) is not int for name in what[1]
        )
        return ("broken",) if bad else what

    def highest(self, said: Said) -> int:
        """Return the highest risk anybody named."""
        return max([0, *(what[1] for _, _, what in said if what[0] == "risk")])

    def people_must_open(self, node: Node) -> bool:
        """Also where a hook wants them asked."""
        return bool(self.of(node)["question"]) or super().people_must_open(node)

    def is_too_risky(self, node: Node) -> bool:
        """Also by what a hook said of the risk."""
        return super().is_too_risky(node) or (node["level"] < 100 and self.of(node)["risk"] >= node["level"])

    def look_for_waiver(self, node: Node) -> None:
        """A waiver does not answer a hook."""
        if not self.of(node)["question"]:
            super().look_for_waiver(node)

    def see_waiver(self, node: Node) -> None:
        """A waiver does not answer a hook."""
        if node["phase"] is not None and self.of(node)["question"]:
            raise No("stale")
        super().see_waiver(node)

    def queue(self, node: Node) -> bool:
        """Make an attempt, with what hooks set for it."""
        super().queue(node)
        heard, number = self.of(node), self.record(node)["attempts"]
        amended = heard["amended"] if heard["cleared"] == number else {}
        self.attempts[node["attempt"]]["amended"] = amended
        return False

    def ran(self, node: Node, phase: str) -> bool:
        """Whether its notebook ran to the end, whatever was thought of that."""
        return bool(self.of(node, phase)["ran"])

    def what_was_heard(self, node: Node) -> dict[str, Any]:
        """Return all that was heard about the phases of a node, for the comparison."""
        mine = {phase: heard for (node_id, phase), heard in self.heard.items() if node_id == node["id"]}
        return {phase: heard for phase, heard in mine.items() if heard != NOTHING}


__all__ = ["Asked", "Hooks"]
