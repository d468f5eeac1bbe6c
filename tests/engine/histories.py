"""Random histories of trees: people, runners, clocks and crashes in any order, reproducible by seed."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any, Literal, cast

from chatflow_jupyter.domain.decision import ContinuationKind
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, RunnerId
from chatflow_jupyter.domain.instance import Failure
from chatflow_jupyter.domain.requests import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    Pause,
    Request,
    Resume,
    Terminate,
    Trigger,
)
from chatflow_jupyter.ports.records import ContinuationRow, TimerRow
from chatflow_jupyter.services.orchestrator import NewInstance
from tests.engine.both_engines import LEASE_SEC, BothEngines, TurnedClock
from tests.engine.model import No
from tests.engine.model_rules import Node
from tests.engine.questions import ANN, TENANT
from tests.engine.worlds import ROOTS

ITEMS = (["a", "b", "c"], ["a"], [], ["a", "b"], ["a", "a"], 3)
CODES = ("cell_error", "timeout", "bad_notebook")
STEP_SEC = 2.5  # never within the second of rounding that a gate's clock is given


class History:
    """One random walk; `events` of it are in `both.log`."""

    def __init__(self, storage: Any, clock: TurnedClock, seed: int, *, death: float = 0.12) -> None:
        self.random = Random(seed)
        self.both = BothEngines(storage, clock, self.random, death)
        self.model = self.both.model
        self.leased: list[tuple[str, int]] = []
        self.old_rows: list[ContinuationRow] = []
        self.old_timers: list[TimerRow] = []
        self.delivered: set[int] = set()

    async def run(self, steps: int) -> None:
        """Walk, then see that everything comes to an end."""
        await self.both.begin()
        actions: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (4, self.create),
            (12, self.trigger),
            (2, self.pause),
            (4, self.resume),
            (1, self.terminate),
            (18, self.claim),
            (24, self.report),
            (16, self.deliver_note),
            (6, self.deliver_timer),
            (3, self.sweep),
            (8, self.wait),
        ]
        weights, choices = [weight for weight, _ in actions], [action for _, action in actions]
        await self.create()
        for _ in range(steps):
            await self.random.choices(choices, weights)[0]()
        self.both.death = 0
        await self.come_to_an_end()

    # people

    async def create(self) -> None:
        """Create an instance, perhaps with a key that was used before."""
        if len(self.model.nodes) > 25:
            return
        name, start = self.random.choice(ROOTS), self.random.random() < 0.7
        key = self.random.choice([None, f"c{self.random.randint(1, 3)}"])
        new = NewInstance(record=self.both.records[name], context={}, principal=ANN, start=start)

        coming: list[str] = []

        async def product() -> str:
            coming.append(self.both.ids.coming())
            return str((await self.both.orchestrator.create(new, key=key)).instance_id)

        def model() -> str:
            made = coming.pop()

            def born() -> str:
                node = self.model.create(made, name)
                if start:
                    self.model.go_on(node)
                return str(node["id"])

            return cast("str", self.keyed(key, (name, start), born))

        await self.both.ask_racing(f"create {name} start={start} key={key}", product, model)

    async def trigger(self) -> None:
        """Advance some instance, mostly one that waits for it."""
        node = self.some(lambda node: node["reason"] in ("trigger", "approval") or node["status"] == "failed")
        if node is not None:
            decision = self.random.choice(["approve", "approve", "reject", None])
            await self.ask_trigger(node, decision if node["reason"] == "approval" else None)

    async def ask_trigger(self, node: Node, decision: Any, data: dict[str, Any] | None = None) -> None:
        """Trigger in both engines, perhaps with a key that was used before."""
        data = self.random.choice([{}, {"why": 1}, {"why": 2, "x": [1]}]) if data is None else data
        if self.random.random() < 0.1:
            decision = self.random.choice(["approve", "reject"])
        key = f"t{self.random.randint(1, 6)}" if self.random.random() < 0.3 else None
        request = Trigger(principal=ANN, decision=decision, data=data)

        async def product() -> Any:
            return await self.both.orchestrator.trigger(TENANT, InstanceId(node["id"]), request, key=key)

        def model() -> Any:
            def go() -> Any:
                self.model.trigger(node, decision, data)
                shown = "paused" if node["paused"] else node["status"]
                return {"status": shown, "current_phase": node["phase"], "waiting_reason": node["reason"]}

            return self.keyed(key, (node["id"], decision, data), go)

        async def short() -> Any:
            answer = await product()
            return {name: answer[name] for name in ("status", "current_phase", "waiting_reason")}

        await self.both.ask_racing(f"trigger {node['id'][-4:]} {decision} {data} key={key}", short, model)

    def keyed(self, key: str | None, body: Any, act: Callable[[], Any]) -> Any:
        """Answer as the first time, refuse another request, or act."""
        if key is not None and key in self.model.keys:
            first, answer = self.model.keys[key]
            if first != body:
                raise No("idempotency_key_reused")
            return answer
        answer = act()
        if key is not None:
            self.model.keys[key] = (body, answer)
        return answer

    async def pause(self) -> None:
        """Pause some instance."""
        await self.simple("pause", Pause(principal=ANN), self.model.pause, lambda node: not node["paused"])

    async def resume(self) -> None:
        """Resume some instance, mostly a paused one."""
        await self.simple("resume", Resume(principal=ANN), self.model.resume, lambda node: node["paused"])

    async def terminate(self) -> None:
        """End some instance."""
        request = Terminate(principal=ANN, reason="enough")
        await self.simple(
            "terminate", request, self.model.terminate, lambda node: node["status"] != "completed"
        )

    async def simple(
        self, what: str, request: Request, model: Callable[[Node], None], likely: Callable[[Node], bool]
    ) -> None:
        """Ask something of an instance that takes no arguments."""
        node = self.some(likely)
        if node is not None:
            await self.apply(f"{what} {node['id'][-4:]}", node, request, lambda: model(node))

    async def apply(self, what: str, node: Node, request: Request, model: Callable[[], None]) -> None:
        """Apply a request in both engines."""

        async def product() -> None:
            await self.both.orchestrator.apply(TENANT, InstanceId(node["id"]), request)

        await self.both.ask_racing(what, product, model)

    def some(self, likely: Callable[[Node], bool]) -> Node | None:
        """Return a random node, three times of four one that is likely."""
        nodes = list(self.model.nodes.values())
        if self.random.random() < 0.75:
            nodes = [node for node in nodes if likely(node)]
        return self.random.choice(nodes) if nodes else None

    # runners

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
        if self.random.random() < 0.9:
            await self.start(row.attempt_id, row.fence)
        return True

    async def start(self, attempt: str, fence: int) -> None:
        """Say that the notebook begins."""
        request = AttemptStarted(attempt_id=AttemptId(attempt), fence=fence, runner_id=RunnerId("r"))
        node = self.model.nodes[self.model.attempts[attempt]["node"]]
        await self.apply(f"start {attempt[-9:]}", node, request, lambda: self.model.started(attempt, fence))

    async def report(self, *, surely: bool = False) -> None:
        """Report for an attempt, often an old one or under an old fence, sometimes twice."""
        open_ones = [one for one in self.leased if self.model.attempts[one[0]]["status"] == "leased"]
        attempts = open_ones if surely or (open_ones and self.random.random() < 0.8) else self.leased
        if not attempts:
            return
        attempt, fence = self.random.choice(attempts)
        if not surely and self.random.random() < 0.1:
            fence += self.random.choice([-1, 1])
        node = self.model.nodes[self.model.attempts[attempt]["node"]]
        seconds, risk = self.random.choice([0.5, 3.0, 20.0]), self.random.choice([0, 0, 0, 55, 90])
        if surely or self.random.random() < 0.75:
            outputs = {
                "n": self.random.randint(0, 5),
                "items": self.random.choice(ITEMS[:5] if surely else ITEMS),
            }
            done = AttemptSucceeded(
                attempt_id=AttemptId(attempt), fence=fence, outputs=outputs, duration_sec=seconds, risk=risk
            )
            model = lambda: self.model.succeeded(attempt, fence, outputs, seconds, risk)  # noqa: E731
            await self.apply(f"success {attempt[-9:]} {fence} {outputs}", node, done, model)
        else:
            code = self.random.choice(CODES)
            failure = Failure(code=code, message=code)
            bad = AttemptFailed(
                attempt_id=AttemptId(attempt), fence=fence, failure=failure, duration_sec=seconds, risk=risk
            )
            model = lambda: self.model.failed(attempt, fence, code, seconds, risk)  # noqa: E731
            await self.apply(f"failure {attempt[-9:]} {fence} {code}", node, bad, model)

    # the engine's own

    async def deliver_note(self, *, in_order: bool = False) -> bool:
        """Deliver one waiting note (or all ends of one parent's children); sometimes an old one again."""
        rows = list(await self.both.storage.inner.continuations(10_000))
        if not in_order and self.old_rows and self.random.random() < 0.15:
            await self.deliver([self.random.choice(self.old_rows)])
            return True
        if not rows:
            return False
        row = rows[0] if in_order else self.random.choice(rows)
        chosen = [row]
        if row.continuation.kind is ContinuationKind.CHILD_ENDED and self.random.random() < 0.5:
            same = (ContinuationKind.CHILD_ENDED, row.continuation.instance_id)
            chosen = [one for one in rows if (one.continuation.kind, one.continuation.instance_id) == same]
        await self.deliver(chosen)
        return True

    async def deliver(self, chosen: list[ContinuationRow]) -> None:
        """Let the dispatcher handle exactly these notes."""
        self.old_rows = [*self.old_rows, *chosen][-20:]
        note = chosen[0].continuation
        parent = self.model.nodes[note.instance_id]

        before = 0

        async def product() -> None:
            nonlocal before
            before = self.both.storage.commits
            self.both.storage.lay_out(rows=chosen)
            await self.both.dispatcher.step()
            self.both.storage.lay_out()

        def model() -> None:
            died = self.both.storage.rows != ()
            self.handle(str(note.kind), parent, chosen, self.both.storage.commits - before if died else None)
            if died and note.kind not in (ContinuationKind.CHILD_ENDED, ContinuationKind.FAN_OUT):
                return  # a walk that was cut off; its note waits
            for row in chosen:
                if row.continuation_id not in self.delivered:
                    one = row.continuation
                    self.delivered.add(row.continuation_id)
                    self.model.notes.remove((str(one.kind), one.instance_id, one.about))

        await self.both.ask(f"note {note.kind} for {note.instance_id[-4:]}", product, model)

    def handle(self, kind: str, parent: Node, rows: list[ContinuationRow], limit: int | None) -> None:
        """Do in the model what a note asks for; what it refuses is of no consequence."""
        try:
            if kind == "child_ended":
                children = [self.model.nodes[str(row.continuation.about)] for row in rows]
                self.model.see_children_end(parent, children)
            elif kind == "fan_out":
                self.model.look_for_room(parent)
            else:
                self.model.walk(kind, parent, limit)
        except No:
            pass

    async def deliver_timer(self) -> bool:
        """Deliver a timer that is due, or an old one again."""
        rows = list(await self.both.storage.inner.due_timers(self.both.clock.now(), 10_000))
        if self.old_timers and self.random.random() < 0.3:
            rows = self.old_timers
        if not rows:
            return False
        row = self.random.choice(rows)
        self.old_timers = [*self.old_timers, row][-10:]
        node = self.model.nodes[str(row.instance_id)]

        async def product() -> None:
            self.both.storage.lay_out(timers=[row])
            await self.both.dispatcher.step()
            self.both.storage.lay_out()

        def model() -> None:
            with contextlib.suppress(No):
                (self.model.retry_is_due if row.kind == "retry" else self.model.gate_expires)(node)

        await self.both.ask(f"timer {row.kind} for {row.instance_id[-4:]}", product, model)
        return True

    async def sweep(self) -> None:
        """Take an expired lease back."""
        rows = await self.both.storage.inner.expired_leases(self.both.clock.now(), 10_000)
        now = self.both.clock.passed_sec
        late = [
            n for n, one in self.model.attempts.items() if one["status"] == "leased" and one["until"] < now
        ]
        assert sorted(row.attempt_id for row in rows) == sorted(late)
        if not rows:
            return
        row = self.random.choice(rows)

        async def product() -> None:
            self.both.storage.lay_out(leases=[row])
            await self.both.dispatcher.step()
            self.both.storage.lay_out()

        model = lambda: self.model.lost(row.attempt_id, row.fence)  # noqa: E731
        await self.both.ask(f"lost {row.attempt_id[-9:]}", product, model, quietly=True)

    async def wait(self, seconds: float | None = None) -> None:
        """Let time pass."""
        self.both.clock.passed_sec += (
            self.random.choice([1, 2, 4, 20, 40]) * STEP_SEC if seconds is None else seconds
        )

    # the end

    async def come_to_an_end(self) -> None:
        """Give everybody what they wait for; whatever is then not over is stuck."""
        for _ in range(2000):
            if not await self.help_along():
                break
        else:
            message = "it goes on for ever"
            raise AssertionError(message)
        left = [
            node
            for node in self.model.nodes.values()
            if node["status"] not in ("completed", "failed", "terminated")
        ]
        assert not left, f"stuck: {[(node['id'][-4:], node['status'], node['reason']) for node in left]}"

    async def help_along(self) -> bool:
        """Do one thing that somebody waits for; False when nobody does."""
        if await self.deliver_note(in_order=True) or await self.claim():
            return True
        for node in list(self.model.nodes.values()):
            if node["paused"]:
                await self.apply(
                    "resume", node, Resume(principal=ANN), lambda node=node: self.model.resume(node)
                )  # type: ignore[misc]
                return True
            if node["status"] == "created" or node["reason"] in ("trigger", "approval", "retry"):
                decision: Literal["approve"] | None = "approve" if node["reason"] == "approval" else None
                await self.ask_trigger(node, decision, {"why": 1})
                return True
            if node["reason"] == "budget":
                request = Terminate(principal=ANN)
                await self.apply("terminate", node, request, lambda node=node: self.model.terminate(node))  # type: ignore[misc]
                return True
        if any(one["status"] == "leased" for one in self.model.attempts.values()):
            await self.report(surely=True)
            return True
        return False
