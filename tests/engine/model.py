"""A second engine: what can be asked of it. A request that changes nothing raises `No`."""

from typing import Any

from tests.engine.model_cache import Cache
from tests.engine.model_forks import Forks
from tests.engine.model_hooks import Hooks
from tests.engine.model_people import Answer, No
from tests.engine.model_rules import OVER, Asked, Node

NEVER_AGAIN = ("bad_notebook", "invalid_parameters", "invalid_outputs", "no_such_kernel", "cancelled")
NEVER_AGAIN += ("invalid_children", "quota_exceeded", "too_deep", "artifact_refused", "hook_failed")


class Model(Cache, Hooks, Forks):
    """People, runners, clocks and notes, one method for each."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, tuple[Any, Any]] = {}

    def trigger(self, node: Node, answer: Answer, *, engine: bool = False) -> None:
        """Advance: the table of states, row by row."""
        decision, data = answer.decision, answer.data
        status, reason = node["status"], node["reason"]
        if status in ("completed", "terminated"):
            raise No("already_ended")
        if self.is_compensated(node):
            raise No("compensated")
        if node["paused"]:
            raise No("paused")
        if decision is not None and reason != "approval":
            raise No("no_gate_waiting")
        if reason == "trigger" and "schema" in self.trigger_start(node) and "why" not in data:
            raise No("invalid_input")
        if status in ("running", "compensating") or reason in ("children", "hook", "cache"):
            raise No("busy")
        if reason == "approval":
            self.vote(node, answer)
            return
        if reason == "budget" and self.budget_is_used_up(node):
            raise No("budget_exhausted")
        if status == "failed" and node["fan"] and data:
            raise No("children_started")
        if status == "failed" and not engine and node["phase"] is None:
            raise No("invalid_parameters")
        if status == "failed" and not engine and node["fan"] and self.children_that_are_over(node):
            raise No("child_terminated")
        node["trigger"].update(data)
        if status == "failed":
            self.take_up_again(node)
        elif reason == "trigger":
            self.record(node)["triggered"] = True
            self.go_on(node)
        else:
            node["retry_at"] = None
            self.go_on(node)

    def pause(self, node: Node) -> None:
        """Queue nothing new, here and below."""
        if node["status"] in OVER or node["paused"]:
            raise No("already_ended" if node["status"] in OVER else "paused")
        node["paused"], node["gate_at"] = True, None
        if node["attempt"] and not self.attempts[node["attempt"]].get("started"):
            self.attempts[node["attempt"]].update(status="cancelled")
            self.attempts[node["attempt"]]["fence"] += 1
            node["attempt"] = None
        if node["had_children"]:
            self.notes.append(("pause_children", node["id"], None))

    def resume(self, node: Node) -> None:
        """Evaluate once."""
        if not node["paused"]:
            raise No("not_paused")
        node["paused"] = False
        if node["had_children"]:
            self.notes.append(("resume_children", node["id"], None))
        if node["reason"] == "approval":
            self.wind_gate(node)
            self.look_for_waiver(node)
        if node["status"] in ("running", "compensating") and node["attempt"] is None:
            self.go_on(node)
        elif node["reason"] == "children":
            self.look_at_children(node)

    def terminate(self, node: Node, *, undo: bool = False) -> None:
        """End for good; perhaps what was done is undone first."""
        if node["status"] in ("completed", "terminated"):
            raise No("already_ended")
        if undo:
            self.terminate_undone(node)
            return
        self.cancel(node)
        self.end(node, "terminated")

    def report(self, attempt: str, fence: int) -> Node:
        """Return whose attempt it is, or refuse a stale one."""
        known = self.attempts.get(attempt)
        if known is None or known["status"] != "leased" or known["fence"] != fence:
            raise No("stale_fence")
        node = self.nodes[known["node"]]
        assert node["attempt"] == attempt, "the model itself lost an attempt"
        return node

    def succeeded(
        self,
        attempt: str,
        fence: int,
        outputs: dict[str, Any],
        seconds: float,
        risk: int,
        asked: Asked,
    ) -> None:
        """The notebook ran to its end, unless what it hands over and asks for cannot be used."""
        node = self.report(attempt, fence)
        node.update(attempt=None, spent=node["spent"] + seconds, own_spent=node["own_spent"] + seconds)
        missing = set(self.spec(node).get("outputs", {}).get("required", [])) - set(outputs)
        code = "invalid_outputs" if missing else self.cannot_be_born(node, asked)
        if code is not None:
            self.of(node)["ran"] = True
            self.attempts[attempt]["status"] = "failed"
            self.again_or_not(node, code)
            return
        self.attempts[attempt]["status"] = "succeeded"
        node.update(risk=risk, asked=asked, begun=node["begun"] + len(asked))
        node["vars"][node["phase"]] = outputs
        if self.looks_behind(node):
            return
        self.let_count(node)
        if "children" not in self.spec(node) and not asked:
            self.record(node)["state"] = "succeeded"
            self.counts(node)
        self.go_on(node)

    def failed(self, attempt: str, fence: int, code: str, seconds: float, risk: int) -> None:
        """The notebook did not run to its end."""
        node = self.report(attempt, fence)
        self.attempts[attempt]["status"] = "failed"
        node.update(attempt=None, risk=risk, spent=node["spent"] + seconds)
        node["own_spent"] += seconds
        if code == "artifact_refused":
            self.of(node)["ran"] = True
        self.again_or_not(node, code)

    def again_or_not(self, node: Node, code: str) -> None:
        """Make another attempt, now or later, or give the phase up."""
        record, retries = self.record(node), self.spec(node).get("retries", {})
        earlier = record["failures"]
        record["failures"] += 1
        wanted = code in retries["on"] if "on" in retries else code not in NEVER_AGAIN
        if not wanted or record["failures"] >= retries.get("max_attempts", 1):
            self.give_phase_up(node, code)
        elif retries.get("backoff_sec", 0) == 0:
            self.go_on(node)
        else:
            node.update(
                status="waiting", reason="retry", retry_at=self.now + retries["backoff_sec"] * 2**earlier
            )

    def started(self, attempt: str, fence: int) -> None:
        """The notebook begins, unless what its approvers saw is no longer so."""
        node = self.report(attempt, fence)
        if self.attempts[attempt].get("started"):
            raise No("stale")
        if self.is_void(node):
            self.attempts[attempt]["status"] = "cancelled"
            node["attempt"] = None
            self.take_back(node)
            self.record(node).update(approved=False, gate=None)
            self.go_on(node)
        elif self.budget_is_used_up(node):
            self.attempts[attempt]["status"] = "cancelled"
            node["attempt"] = None
            self.go_on(node)
        else:
            self.attempts[attempt]["started"] = True

    def lost(self, attempt: str, fence: int, with_it: str = "") -> None:
        """The runner is gone: again, at most three times; with its process, at most ten times."""
        node = self.report(attempt, fence)
        self.attempts[attempt]["status"] = "lost"
        node["attempt"] = None
        if with_it == "":
            self.record(node)["lost"] += 1
        elif with_it == "process" and self.attempts[attempt].get("started"):
            self.record(node)["cut_off"] += 1
        if self.record(node)["lost"] == 3 or self.record(node)["cut_off"] == 10:
            self.give_phase_up(node, "runner_lost")
        else:
            self.go_on(node)

    def retry_is_due(self, node: Node) -> None:
        """The back-off is over."""
        if node["reason"] != "retry":
            raise No("stale")
        node["retry_at"] = None
        self.go_on(node)

    def see_children_end(self, node: Node, children: list[Node]) -> None:
        """Count each end once, however often it is told, and what became known of one that had ended."""
        fresh = 0
        for child in children:
            if node["fan"] is None or child["status"] not in OVER or child["born_in"] != node["phase"]:
                continue
            before = node["fan"]["seen"].get(child["index"], {"ends": 0, "spent": 0.0})
            old = child["ends"] <= before["ends"] and child["spent"] == before["spent"]
            if node["status"] in ("completed", "terminated") or old:
                continue
            fresh += 1
            node["spent"] += child["spent"] - before["spent"]
            undone = self.how_undone(child)
            seen = {"status": child["status"], "ends": child["ends"], "spent": child["spent"]}
            node["fan"]["seen"][child["index"]] = {**seen, "undone": undone}
            outcome = {name: value for name, value in child["vars"].items() if name != "children"}
            entry = {"status": child["status"], **outcome, **({"compensation": undone} if undone else {})}
            node["vars"].setdefault("children", {})[child["key"]] = entry
        if not fresh:
            raise No("stale")
        self.look_at_children(node)

    def look_for_room(self, node: Node) -> None:
        """Start the children an earlier commit had no room for."""
        if node["fan"] is None or node["reason"] != "children" or node["paused"]:
            raise No("stale")
        self.look_at_children(node)

    def take_up_again(self, node: Node) -> None:
        """Resume a failure: failed children first, else the failed phase; the rest stays finished."""
        if self.is_undoing(node) and node["fan"] is not None:
            node["failure"] = None
            self.ask_children(node)
            return
        if node["fan"] is not None and self.children_that_are_over(node):
            self.end(
                node, "failed", "child_terminated"
            )  # only the engine gets here; its parent waits for an end
            return
        if node["phase"] is None:
            self.end(node, "failed", "invalid_parameters")  # as above: it failed at birth
            return
        node["failure"] = None
        if not self.is_undoing(node):
            self.wind_whole(node)
        if node["between"]:
            node["between"] = False
            self.go_on(node)
            return
        self.record(node).update(state="active", failures=0, lost=0, cut_off=0)
        self.wind_phase(node)
        if node["fan"] is None:
            self.go_on(node)
            return
        reopened = self.reopen(node)
        self.wait(node, "children")
        if reopened:
            self.notes.append(("retry_children", node["id"], None))
        self.look_at_children(node)

    def children_that_are_over(self, node: Node) -> int:
        """Count the children of the phase that can never be resumed."""
        return 0 if self.is_undoing(node) else self.bad(node) - len(self.failed_children(node))

    def walk(self, kind: str, parent: Node, limit: int | None) -> None:
        """Pass a pause, resume, end or retry on to the children; at most `limit` of them before a crash."""
        phase = parent["phase"] if kind == "retry_children" else None
        done = 0
        for child in self.children_of(parent, phase):
            if done == limit:
                return
            try:
                done += self.pass_on(kind, parent, child)
            except No:
                continue

    def pass_on(self, kind: str, parent: Node, child: Node) -> bool:
        """Do to the child what the note to its parent means now; whether it meant anything."""
        if kind in ("pause_children", "resume_children"):  # both say: be as your parent is now
            if parent["paused"]:
                self.pause(child)
            else:
                self.resume(child)
        elif kind == "terminate_children" and self.is_compensated(parent):
            if self.is_undoing(child):
                return False  # nobody but a person gives an undoing up
            left = child["status"] not in OVER or self.how_undone(child) == "failed"
            self.terminate(child, undo=left)
        elif kind == "terminate_children" and parent["status"] == "terminated":
            self.terminate(child)
        elif kind == "terminate_children" and self.is_asked_to_undo(parent, child):
            self.terminate(child, undo=True)
        elif kind == "retry_children" and child["status"] == "failed" and self.waits_for(parent, child):
            self.trigger(child, Answer(), engine=True)
        elif kind == "end_overdue_children":
            return self.parent_is_late(parent, child)
        else:
            return False
        return True

    def waits_for(self, parent: Node, child: Node) -> bool:
        """Whether the parent was resumed for that child and has not seen it end since."""
        seen = parent["fan"]["seen"].get(child["index"]) if parent["reason"] == "children" else None
        return seen is not None and seen["status"] == "running"
