"""Random histories of trees: people, runners, clocks and crashes in any order, reproducible by seed."""

import contextlib
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Literal

from chatflow_jupyter.domain.decision import ContinuationKind
from chatflow_jupyter.domain.ids import AttemptId, InstanceId
from chatflow_jupyter.domain.requests import LossKind, Resume, Terminate
from chatflow_jupyter.ports.records import ContinuationRow, TimerRow
from tests.engine.both_engines import TurnedClock
from tests.engine.callers import Callers
from tests.engine.invariants import check_nobody_is_overdue
from tests.engine.model_people import VERBS, No
from tests.engine.model_rules import Node
from tests.engine.questions import ANN, TENANT

ONE_COMMIT = (
    *(ContinuationKind.CHILD_ENDED, ContinuationKind.FAN_OUT),
    *(ContinuationKind.LOOK_FOR_WAIVER, ContinuationKind.LOOK_FOR_CACHED),
)
STEP_SEC = 2.5  # never within the second of rounding that a gate's clock is given

HELP = {"why": 1}
"""What everybody says in the end, so that they agree."""


class History(Callers):
    """One random walk: callers, and the engine's own notes, clocks and sweeps."""

    def __init__(
        self,
        storage: Any,
        clock: TurnedClock,
        seed: int,
        *,
        undoes: bool,
        hooked: bool = False,
        among: tuple[str, ...] = (),
        death: float = 0.12,
    ) -> None:
        super().__init__(storage, clock, seed, undoes=undoes, hooked=hooked, among=among, death=death)
        self.old_rows: list[ContinuationRow] = []
        self.old_timers: list[TimerRow] = []
        self.delivered: set[int] = set()

    async def run(self, steps: int) -> None:
        """Walk, then see that everything comes to an end."""
        await self.both.begin()
        actions: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (4, self.create),
            (3, self.fork),
            (12, self.trigger),
            (2, self.pause),
            (4, self.resume),
            (3 if self.undoes else 1, self.terminate),
            (18, self.claim),
            (24, self.report),
            (16, self.deliver_note),
            (6, self.deliver_timer),
            (3, self.sweep),
            (2 if self.deadly else 0, self.lose_processes),
            (8, self.wait),
            (2, self.change_artifact),
            (3, self.waive),
        ]
        if self.both.hooked is not None:
            actions.append((40, self.answer_hooks))
        weights = [weight * self.random.choice([0.3, 1, 1, 3]) for weight, _ in actions]
        choices = [action for _, action in actions]
        await self.create()
        for step in range(steps):
            await self.random.choices(choices, weights)[0]()
            if self.timed and step % 20 == 19:
                await self.answer_all_clocks()
        self.both.death, self.both.compare_every = 0, 10
        await self.come_to_an_end()

    async def deliver_note(self, *, in_order: bool = False) -> bool:
        """Deliver one waiting note (or all ends of one parent's children); sometimes an old one again."""
        rows = [
            row
            for row in await self.both.storage.inner.continuations(10_000)
            if row.continuation.kind is not ContinuationKind.RUN_HOOKS
        ]
        if not in_order and self.old_rows and self.random.random() < self.stale:
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
            if died and note.kind not in ONE_COMMIT:
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
            elif kind == "look_for_waiver":
                self.model.see_waiver(parent)
            elif kind == "look_for_cached":
                self.model.hear_of_earlier(parent)
            else:
                self.model.walk(kind, parent, limit)
        except No:
            pass

    async def deliver_timer(self) -> bool:
        """Deliver a timer that is due, or an old one again."""
        rows = list(await self.both.storage.inner.due_timers(self.both.clock.now(), 10_000))
        if self.old_timers and self.random.random() < self.stale:
            rows = self.old_timers
        if not rows:
            return False
        await self.answer(self.random.choice(rows))
        return True

    async def answer(self, row: TimerRow) -> None:
        """Let the dispatcher handle exactly this timer."""
        self.old_timers = [*self.old_timers, row][-10:]
        node = self.model.nodes[str(row.instance_id)]

        async def product() -> None:
            self.both.storage.lay_out(timers=[row])
            await self.both.dispatcher.step()
            self.both.storage.lay_out()

        def model() -> None:
            with contextlib.suppress(No):
                answers = {
                    "retry": self.model.retry_is_due,
                    "gate_expiry": self.model.gate_expires,
                    "phase_deadline": self.model.phase_is_late,
                    "instance_deadline": self.model.whole_is_late,
                }
                answers[str(row.kind)](node)

        await self.both.ask(f"timer {row.kind} for {row.instance_id[-4:]}", product, model)

    async def answer_all_clocks(self) -> None:
        """Let every timer that is due be answered; then nothing is behind its deadline."""
        death, self.both.death = self.both.death, 0
        while rows := list(await self.both.storage.inner.due_timers(self.both.clock.now(), 10_000)):
            await self.answer(rows[0])
        self.both.death = death
        for node in [node for node in self.model.nodes.values() if node["parent"] is None]:
            tree = await self.both.storage.inner.tree(TENANT, InstanceId(node["id"]))
            check_nobody_is_overdue({one.instance_id: one for one in tree}, self.both.clock.now())

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

    async def lose_processes(self) -> None:
        """Lose the processes around one phase, one after another, or see their machine start anew."""
        open_ones = [name for name, one in self.model.attempts.items() if one["status"] == "leased"]
        if not open_ones:
            return
        attempt = self.random.choice(open_ones)
        node = self.model.nodes[self.model.attempts[attempt]["node"]]
        kinds: list[LossKind] = ["process", "process", "process", "nothing"]
        for _ in range(self.random.choice([1, 4, 12])):
            attempt = node["attempt"]
            if attempt is None or self.model.attempts[attempt]["status"] != "leased":
                return
            await self.lose(attempt, self.random.choice(kinds))
            while (attempt := node["attempt"]) and self.model.attempts[attempt]["status"] == "queued":
                await self.claim()

    async def lose(self, attempt: str, counts_as: LossKind) -> None:
        """Take the attempt from a process that is gone."""
        row = await self.both.storage.inner.attempt(TENANT, AttemptId(attempt))

        async def product() -> None:
            await self.both.dispatcher.lose(row, cause="gone", counts_as=counts_as)

        model = lambda: self.model.lost(attempt, row.fence, counts_as)  # noqa: E731
        await self.both.ask(f"{counts_as} lost {attempt[-9:]}", product, model, quietly=True)

    async def wait(self, seconds: float | None = None) -> None:
        """Let time pass."""
        self.both.clock.passed_sec += (
            self.random.choice([1, 2, 4, 20, 40]) * STEP_SEC if seconds is None else seconds
        )

    async def come_to_an_end(self) -> None:
        """Give everybody what they wait for; whatever is then not over is stuck."""
        for _ in range(2000):
            if not await self.help_along():
                break
        else:
            message = "it goes on for ever"
            raise AssertionError(message)
        self.both.compare_every = 1
        await self.both.compare()
        left = [
            node
            for node in self.model.nodes.values()
            if node["status"] not in ("completed", "failed", "terminated")
        ]
        assert not left, f"stuck: {[(node['id'][-4:], node['status'], node['reason']) for node in left]}"

    def somebody_asked(self, node: Node) -> str:
        """Return who can bring a gate nearer to its end: somebody asked whose approval does not stand yet."""
        if node["reason"] != "approval":
            return "ann"
        stands = [
            vote["who"]
            for vote in node["votes"]
            if (vote["said"], vote["saw"], vote["data"]) == ("approve", node["version"], HELP)
        ]
        return next(who for who in VERBS if who not in stands and self.model.is_asked(node, who))

    async def help_along(self) -> bool:
        """Do one thing that somebody waits for; False when nobody does."""
        if await self.deliver_note(in_order=True) or await self.answer_hooks(kindly=True):
            return True
        if await self.claim():
            return True
        for node in list(self.model.nodes.values()):
            if node["paused"]:
                await self.apply(
                    "resume", node, Resume(principal=ANN), lambda node=node: self.model.resume(node)
                )  # type: ignore[misc]
                return True
            if node["reason"] == "approval" and (node["gate_at"] or inf) <= self.both.clock.passed_sec:
                return await self.deliver_timer()  # the clock was first
            if node["status"] == "created" or node["reason"] in ("trigger", "approval", "retry"):
                decision: Literal["approve"] | None = "approve" if node["reason"] == "approval" else None
                await self.ask_trigger(node, decision, HELP, who=self.somebody_asked(node))
                return True
            if node["reason"] == "budget":
                request = Terminate(principal=ANN)
                await self.apply("terminate", node, request, lambda node=node: self.model.terminate(node))  # type: ignore[misc]
                return True
        if any(one["status"] == "leased" for one in self.model.attempts.values()):
            await self.report(surely=True)
            return True
        return False
