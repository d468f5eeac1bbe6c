"""Hooks in the histories: at random, any verdict there is, for what is asked now or was asked before."""

import contextlib
from random import Random
from typing import Any

from chatflow_jupyter.domain.decision import ContinuationKind
from chatflow_jupyter.domain.hooks import (
    Accept,
    Allow,
    Amend,
    Ask,
    Broken,
    Deny,
    HookAnswer,
    HookPlan,
    Reject,
    SetRisk,
)
from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import HookPoint
from chatflow_jupyter.domain.requests import HookVerdicts
from chatflow_jupyter.ports.records import ContinuationRow
from tests.engine.model_people import No
from tests.engine.questions import TENANT

AHEAD: tuple[tuple[Any, ...], ...] = (
    *(("allow",),) * 6,
    ("deny", "not now"),
    *(("ask", "is that so?"), ("ask", "is that so?"), ("ask", "sure?")),
    *(("amend", {"x": 1}), ("amend", {"n": 7, "y": [1]}), ("amend", {"n": "text"})),
    *(("risk", 55), ("risk", 90)),
    ("broken",),
)
BEHIND: tuple[tuple[Any, ...], ...] = (
    *(("accept",),) * 5,
    *(("reject", True), ("reject", False), ("risk", 55), ("risk", 95), ("broken",)),
)
KIND = {
    HookPoint.BEFORE: (("allow",), ("allow",), ("ask", "sure?"), ("amend", {"x": 1}), ("risk", 55)),
    HookPoint.AFTER: (("accept",), ("accept",), ("risk", 55)),
}
"""What they say when everything is to come to an end: people answer what they ask."""
PLANS = (
    HookPlan(before=("style",)),
    HookPlan(after=("quality",)),
    HookPlan(before=("style", "cost"), after=("quality",)),
    HookPlan(before=("cost",), after=("quality", "style")),
    HookPlan(),
)


def drawn_plan(random: Random) -> HookPlan:
    """Return which hooks are in force in a process."""
    return random.choice([*PLANS[:4], *PLANS])


def verdict_of(what: tuple[Any, ...]) -> Any:
    """Return the product's value for a verdict of the model."""
    match what:
        case ("allow",):
            return Allow()
        case ("accept",):
            return Accept()
        case ("deny", reason):
            return Deny(reason=reason)
        case ("ask", reason):
            return Ask(reason=reason)
        case ("amend", parameters):
            return Amend(parameters=parameters, reason="better so")
        case ("risk", risk):
            return SetRisk(risk=risk, reason="it looks so")
        case ("reject", retryable):
            return Reject(reason="no good", retryable=retryable)
        case _:
            return Broken(cause="it raised")


class HookCallers:
    """Answers for the hooks of both engines."""

    both: Any
    model: Any
    random: Random
    stale: float
    delivered: set[int]

    def __init__(self) -> None:
        self.answered: list[tuple[ContinuationRow, HookVerdicts, int, Any]] = []

    async def answer_hooks(self, *, kindly: bool = False) -> bool:
        """Answer one note that asks for hooks; sometimes again what was answered before."""
        rows = [
            row
            for row in await self.both.storage.inner.continuations(10_000)
            if row.continuation.kind is ContinuationKind.RUN_HOOKS
        ]
        if not kindly and self.answered and self.random.random() < self.stale:
            await self._deliver_verdicts(*self.random.choice(self.answered))
            return True
        if not rows:
            return False
        row = self.random.choice(rows)
        instance = await self.both.storage.inner.instance(TENANT, InstanceId(row.continuation.instance_id))
        asked = instance.hooks_asked
        if asked is None:  # it does not wait any more: the note is dropped unseen
            await self.both.storage.inner.drop_continuations([row.continuation_id])
            self._note_is_gone(row)
            return True
        turn = self.model.asking[str(instance.instance_id)][0]
        names = self.both.plan.at(asked.point)
        choices = AHEAD if asked.point is HookPoint.BEFORE else BEHIND
        if kindly:
            choices = KIND[asked.point]
        said = [
            (name, self.random.choice(["closed", "closed", "open"]), self.random.choice(choices))
            for name in names
        ]
        answers = tuple(
            HookAnswer(hook=name, policy=policy, verdict=verdict_of(what))  # type: ignore[arg-type]
            for name, policy, what in said
        )
        request = HookVerdicts(asked=asked, answers=answers)
        self.answered = [*self.answered, (row, request, turn, said)][-10:]
        await self._deliver_verdicts(row, request, turn, said)
        return True

    async def _deliver_verdicts(
        self, row: ContinuationRow, request: HookVerdicts, turn: int, said: Any
    ) -> None:
        node = self.model.nodes[str(row.continuation.instance_id)]

        async def product() -> None:
            await self.both.dispatcher.apply_note(row, request)

        def model() -> None:
            with contextlib.suppress(No):
                self.model.hooks_say(node, turn, said)
            self._note_is_gone(row)

        words = ", ".join(f"{name} {policy} {what}" for name, policy, what in said)
        await self.both.ask(f"hooks of {node['id'][-4:]} turn {turn}: {words}", product, model)

    def _note_is_gone(self, row: ContinuationRow) -> None:
        if row.continuation_id not in self.delivered:
            one = row.continuation
            self.delivered.add(row.continuation_id)
            self.model.notes.remove((str(one.kind), str(one.instance_id), one.about))
