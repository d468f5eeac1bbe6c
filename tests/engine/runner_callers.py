"""Runners in the histories: they lease what is queued and report, also late, twice or under an old fence."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chatflow_jupyter.domain.ids import AttemptId, RunnerId
from chatflow_jupyter.domain.instance import Failure, Spawned
from chatflow_jupyter.domain.requests import AttemptFailed, AttemptStarted, AttemptSucceeded
from tests.engine.both_engines import LEASE_SEC
from tests.engine.hook_callers import HookCallers
from tests.engine.model_rules import Asked, Node

ITEMS = (["a", "b", "c"], ["a", "b", "c"], ["a", "b"], ["a", "b"], ["a"], [], ["a", "a"], 3)
ASKED = (
    ("leaf", {}),
    ("leaf", {"n": 1}),
    ("egg", {"n": 2}),
    ("egg", {"n": 2}),
    ("egg", {"n": 3}),
    ("egg", {"n": "text"}),
    ("branch", {}),
)
CODES = ("cell_error", "timeout", "bad_notebook", "bad_notebook", "bad_notebook")


class RunnerCallers(HookCallers):
    """Claims, starts and reports attempts in both engines."""

    leased: list[tuple[str, int]]
    fails: float
    apply: Callable[..., Any]
    change_artifact_of: Callable[[Node], None]

    async def claim(self) -> bool:
        """Lease the attempt queued longest and, unless the runner dies, start it; whether there was one."""
        expires = self.both.clock.now() + timedelta(seconds=LEASE_SEC)
        row = await self.both.storage.claim(
            RunnerId("r"), None, now=self.both.clock.now(), lease_expires_at=expires
        )
        queued = {name: known for name, known in self.model.attempts.items() if known["status"] == "queued"}
        if row is None:
            assert not queued, f"queued, but nobody can claim them: {queued}"
            return False
        known = queued[row.attempt_id]
        assert known["at"] == min(one["at"] for one in queued.values()), "not the one queued longest"
        known.update(status="leased", fence=row.fence, until=self.both.clock.passed_sec + LEASE_SEC)
        self.leased.append((row.attempt_id, row.fence))
        node = self.model.nodes[known["node"]]
        if node["phases"][row.phase]["gate"] == ("approve", "people") and self.random.random() < 0.2:
            self.change_artifact_of(node)
        if self.random.random() < 0.9:
            await self.start(row.attempt_id, row.fence)
        return True

    async def start(self, attempt: str, fence: int) -> None:
        """Say that the notebook begins."""
        node = self.model.nodes[self.model.attempts[attempt]["node"]]
        request = AttemptStarted(attempt_id=AttemptId(attempt), fence=fence, runner_id=RunnerId("r"))
        await self.apply(f"start {attempt[-9:]}", node, request, lambda: self.model.started(attempt, fence))

    async def report(self, *, surely: bool = False, of: Callable[[Node], bool] = lambda _: True) -> None:
        """Report for an attempt, often an old one or under an old fence, sometimes twice."""
        open_ones = [one for one in self.leased if self.model.attempts[one[0]]["status"] == "leased"]
        attempts = open_ones if surely or (open_ones and self.random.random() < 0.8) else self.leased
        attempts = [one for one in attempts if of(self.model.nodes[self.model.attempts[one[0]]["node"]])]
        if not attempts:
            return
        attempt, fence = self.random.choice(attempts)
        if not surely and self.random.random() < 0.1:
            fence += self.random.choice([-1, 1])
        node = self.model.nodes[self.model.attempts[attempt]["node"]]
        seconds, risk = self.random.choice([0.5, 3.0, 20.0]), self.random.choice([0, 0, 0, 55, 90])
        fails = 0.5 if ".compensate." in attempt else self.fails
        if surely or self.random.random() > fails:
            outputs = {
                "n": self.random.randint(0, 5),
                "items": self.random.choice(ITEMS[:6] if surely else ITEMS),
            }
            if self.random.random() < 0.1:
                del outputs["n"]
            asked = self.asked_for(node)
            done = AttemptSucceeded(
                attempt_id=AttemptId(attempt),
                fence=fence,
                outputs=outputs,
                duration_sec=seconds,
                risk=risk,
                spawned=tuple(Spawned(schema_ref=one[0], key=one[1], context=one[2]) for one in asked),
            )
            model = lambda: self.model.succeeded(attempt, fence, outputs, seconds, risk, asked)  # noqa: E731
            await self.apply(f"success {attempt[-9:]} {fence} {outputs} {asked}", node, done, model)
        else:
            code = self.random.choice(CODES)
            failure = Failure(code=code, message=code)
            bad = AttemptFailed(
                attempt_id=AttemptId(attempt), fence=fence, failure=failure, duration_sec=seconds, risk=risk
            )
            model = lambda: self.model.failed(attempt, fence, code, seconds, risk)  # noqa: E731
            await self.apply(f"failure {attempt[-9:]} {fence} {code}", node, bad, model)

    def asked_for(self, node: Node) -> Asked:
        """Return children to ask for, mostly where it is allowed; sometimes others, and keys may repeat."""
        allowed = self.model.spec(node).get("spawns", {}).get("schemas", []) if node["phase"] else []
        if not allowed and self.random.random() < 0.97:
            return []
        kinds = ASKED
        if allowed and self.random.random() < 0.9:
            kinds = tuple(one for one in ASKED if one[0] in allowed)
        count = self.random.choice([0, 1, 2, 2, 3])
        return [
            (schema, self.random.choice("abcdefghijkl"), dict(context))
            for schema, context in self.random.choices(kinds, k=count)
        ]
