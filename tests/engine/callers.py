"""Those who ask from outside: people with their requests and keys, beside runners and hooks."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, cast

from chatflow_jupyter.domain.ids import InstanceId, Principal, Sha256, WaiverId
from chatflow_jupyter.domain.requests import (
    Pause,
    Request,
    Resume,
    Terminate,
    Trigger,
)
from chatflow_jupyter.ports.records import Waiver
from chatflow_jupyter.services.forks import NewFork
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.services.shown import shown_hash
from tests.engine.both_engines import BothEngines, TurnedClock
from tests.engine.model_people import VERBS, Answer, No
from tests.engine.model_rules import Node
from tests.engine.questions import ANN, TENANT
from tests.engine.runner_callers import RunnerCallers
from tests.engine.times import START
from tests.engine.worlds import PLAIN, ROOTS, TIMED, UNDONE


class Callers(RunnerCallers):
    """Asks both engines at random; what was asked is in `both.log`."""

    def __init__(
        self,
        storage: Any,
        clock: TurnedClock,
        seed: int,
        *,
        undoes: bool,
        among: tuple[str, ...] = (),
        hooked: bool = False,
        death: float = 0.12,
    ) -> None:
        super().__init__()
        self.random = Random(seed)
        self.both = BothEngines(storage, clock, self.random, death)
        self.model = self.both.model
        self.both.hooked = Random(-1 - seed) if hooked else None
        self.leased: list[tuple[str, int]] = []
        # Every history has its own mood, so that rare things happen often in some of them.
        self.fails = self.random.choice([0.1, 0.25, 0.6])
        self.stale = self.random.choice([0.05, 0.2, 0.5])
        self.deadly = self.random.random() < 0.5
        self.undoes = undoes
        self.roots = self.random.sample(ROOTS, self.random.randint(1, len(ROOTS)))
        if undoes:
            self.roots = [*UNDONE, *UNDONE[:2], *self.roots[:1]]
        self.timed = seed % 3 == 0 and not undoes
        if self.timed:
            self.roots = [*TIMED, *self.roots[:2]]
        if among:
            self.roots = list(among)

    async def create(self) -> None:
        """Create an instance, perhaps with a key that was used before."""
        if len(self.model.nodes) > 25:
            return
        name, start = self.random.choice(self.roots), self.random.random() < 0.7
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

    async def fork(self) -> None:
        """Fork some instance at a phase, mostly one that it came to."""
        node = self.some(lambda node: len(node["phases"]) > 1)
        if node is None or len(self.model.nodes) > 25:
            return
        every = [phase["name"] for phase in PLAIN[node["name"]]["phases"]]
        came_to = [name for name in node["phases"] if "." not in name]
        phase = self.random.choice(came_to if came_to and self.random.random() < 0.8 else every)
        changes: dict[str, Any] = self.random.choice([{}, {}, {"n": 7}, {"n": "text"}])
        key = self.random.choice([None, f"f{self.random.randint(1, 3)}"])
        source = InstanceId(node["id"])
        new = NewFork(tenant_id=TENANT, source_id=source, phase=phase, principal=ANN, changes=changes)
        coming: list[str] = []

        async def product() -> str:
            coming.append(self.both.ids.coming())
            return str((await self.both.forks.fork(new, key=key)).instance_id)

        def model() -> str:
            made = coming.pop()
            forked = lambda: str(self.model.fork(made, node, phase, changes)["id"])  # noqa: E731
            return cast("str", self.keyed(key, (node["id"], phase, changes), forked))

        what = f"fork {node['id'][-4:]} at {phase} {changes} key={key}"
        await self.both.ask_racing(what, product, model, lambda: self.interfere(node))

    async def trigger(self) -> None:
        """Advance some instance, mostly one that waits for it."""
        telling = ("child_failed", "compensation_failed")
        node = self.some(lambda node: node["failure"] in telling and node["status"] == "failed")
        if node is None or self.random.random() < 0.5:
            node = self.some(
                lambda node: node["reason"] in ("trigger", "approval") or node["status"] == "failed"
            )
        if node is not None:
            decision = self.random.choice(["approve", "approve", "reject", None])
            await self.ask_trigger(node, decision if node["reason"] == "approval" else None)

    async def ask_trigger(
        self, node: Node, decision: Any, data: dict[str, Any] | None = None, who: str | None = None
    ) -> None:
        """Trigger in both engines, perhaps with a key that was used before."""
        data = self.random.choice([{}, {"why": 1}, {"why": 2, "x": [1]}]) if data is None else data
        if self.random.random() < 0.1:
            decision = self.random.choice(["approve", "reject"])
        key = f"t{self.random.randint(1, 20)}" if self.random.random() < 0.4 else None
        answer = self.answer_for(node, decision, data, who)
        request = Trigger(
            principal=Principal(answer.who),
            verbs=frozenset(VERBS[answer.who]),
            decision=decision,
            data=data,
            phase=answer.phase,
            seen=None if answer.saw is None else await self.hash_of(node, answer.saw),
        )

        async def product() -> Any:
            return await self.both.orchestrator.trigger(TENANT, InstanceId(node["id"]), request, key=key)

        def model() -> Any:
            def go() -> Any:
                self.model.trigger(node, answer)
                shown = "paused" if node["paused"] else node["status"]
                return {"status": shown, "current_phase": node["phase"], "waiting_reason": node["reason"]}

            return self.keyed(key and f"{answer.who} {key}", (node["id"], decision, data), go)

        async def short() -> Any:
            answer = await product()
            return {name: answer[name] for name in ("status", "current_phase", "waiting_reason")}

        await self.both.ask_racing(
            f"trigger {node['id'][-4:]} {answer} key={key}",
            short,
            model,
            lambda: self.interfere(node),
        )

    def answer_for(self, node: Node, decision: Any, data: dict[str, Any], who: str | None) -> Answer:
        """Return an answer; of nobody in particular, it may be about another gate or an older artifact."""
        if who is not None:
            return Answer(who=who, decision=decision, data=data)
        return Answer(
            who=self.random.choice(["ann", "ann", "bob", "bob", "cyd"]),
            decision=decision,
            data=data,
            phase=self.random.choice([None, node["phase"], "sign"]),
            saw=self.random.choice([None, node["version"], 0]),
        )

    async def hash_of(self, node: Node, version: int) -> Sha256:
        """Return what the product makes of that version of the artifact before the phase it stands at."""
        about, versions = InstanceId(node["id"]), self.both.storage.versions
        now = versions.get(about, 0)
        versions[about] = version
        hashed = await shown_hash(self.both.storage, TENANT, about, but=node["phase"])  # type: ignore[arg-type]
        versions[about] = now
        return hashed

    async def change_artifact(self) -> None:
        """Put another artifact where people have looked at one."""
        node = self.some(lambda node: node["votes"] or node["attempt"])
        if node is not None:
            self.change_artifact_of(node)

    def change_artifact_of(self, node: Node) -> None:
        """Put another version where people have looked at one."""
        node["version"] += 1
        self.both.storage.versions[node["id"]] = node["version"]
        self.both.log.append(f"artifact of {node['id'][-4:]} changed")

    async def waive(self) -> None:
        """Waive one of the gates that may be waived, for a while."""
        phase, feature = self.random.choice(["release", "file"]), self.random.choice([None, "other"])
        until = self.both.clock.passed_sec + self.random.choice([5, 100])
        number = len(self.model.waivers)
        waiver = Waiver(
            tenant_id=TENANT,
            waiver_id=WaiverId(f"wvr_{number:04d}"),
            name="board",
            phase=phase,
            feature_id=feature,
            principal=ANN,
            reason="known",
            created_at=self.both.clock.now(),
            expires_at=START + timedelta(seconds=until),
        )
        await self.both.storage.save_waiver(waiver)
        times = {"given": self.both.clock.passed_sec, "until": until}
        self.model.waivers.append({"name": "board", "phase": phase, "feature": feature, **times})
        self.both.log.append(f"waive {phase} feature={feature} until {until}")

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
        """End some instance, perhaps with all undone that it did."""
        undo = self.undoes and self.random.random() < 0.8
        request = Terminate(principal=ANN, reason="enough", compensate=undo)
        await self.simple(
            "undo" if undo else "terminate",
            request,
            lambda node: self.model.terminate(node, undo=undo),
            lambda node: node["status"] != "completed" and (not undo or len(node["phases"]) > 1),
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

        await self.both.ask_racing(what, product, model, lambda: self.act_meanwhile(node))

    async def act_meanwhile(self, node: Node) -> None:
        """Do something to the instance, or have a relative of it come to an end first."""
        if node["parent"] is None or self.random.random() < 0.3:
            await self.interfere(node)
        else:
            await self.report(
                surely=True, of=lambda other: other is not node and other["parent"] == node["parent"]
            )

    async def interfere(self, node: Node) -> None:
        """Do something to the instance while somebody else's request about it is being handled."""
        choices: list[tuple[Request, Callable[[Node], None]]] = [
            (Pause(principal=ANN), self.model.pause),
            (Resume(principal=ANN), self.model.resume),
            (Trigger(principal=ANN), lambda node: self.model.trigger(node, Answer())),
            (Terminate(principal=ANN), self.model.terminate),
        ]
        if self.undoes:
            undo = Terminate(principal=ANN, compensate=True)
            choices.append((undo, lambda node: self.model.terminate(node, undo=True)))
        request, model = self.random.choice(choices)

        async def product() -> None:
            await self.both.orchestrator.apply(TENANT, InstanceId(node["id"]), request)

        what = f"{type(request).__name__} {node['id'][-4:]} (meanwhile)"
        await self.both.ask(what, product, lambda: model(node))

    def some(self, likely: Callable[[Node], bool]) -> Node | None:
        """Return a random node, three times of four one that is likely."""
        nodes = list(self.model.nodes.values())
        if self.random.random() < 0.75:
            nodes = [node for node in nodes if likely(node)]
        return self.random.choice(nodes) if nodes else None
