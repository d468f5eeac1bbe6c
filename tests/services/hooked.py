"""The world of the services with hooks in force, which a test writes as plain functions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chatflow_jupyter.domain.hooks import EnabledHook, HookPolicy
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.services.artifacts import Artifacts
from chatflow_jupyter.services.definitions import Definitions
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.execution import Execution
from chatflow_jupyter.services.hook_calls import Hooks
from chatflow_jupyter.services.hook_runs import HookRuns
from chatflow_jupyter.services.orchestrator import Orchestrator
from chatflow_jupyter.services.processing import Processing
from chatflow_jupyter.services.recovery import Recovery
from tests.services.world import LEASE_SEC, CountedIds, World


def hook(
    name: str,
    *,
    policy: HookPolicy = "closed",
    before: Callable[[Any], Any] | None = None,
    after: Callable[[Any], Any] | None = None,
    process: Callable[[Any], Any] | None = None,
) -> EnabledHook:
    """Make a hook that has exactly the given methods."""
    methods = {"before": before, "after": after, "process": process}
    given = {key: staticmethod(call) for key, call in methods.items() if call is not None}
    return EnabledHook(name=name, policy=policy, hook=type(name, (), given)())


def failure_of(instance: Instance) -> tuple[str, str]:
    """Code and message of a failed instance."""
    assert instance.failure is not None
    return instance.failure.code, instance.failure.message


@dataclass(kw_only=True)
class HookedWorld(World):
    """Everything wired as bootstrap does it, with these hooks."""

    enabled: list[EnabledHook] = field(default_factory=list)
    timeout_sec: float = 20.0

    def wire(self, storage: Any) -> None:
        """Put everything together over this store."""
        super().wire(storage)
        self.hooks = Hooks(lambda: self.enabled, timeout_sec=self.timeout_sec)
        self.processing = Processing(self.hooks, self.work)
        self.artifacts = Artifacts(storage, self.bytes_, self.clock, self.processing)
        self.definitions = Definitions(storage, self.artifacts, self.templates, self.clock)
        self.orchestrator = Orchestrator(storage, self.pinned, self.clock, self.ids, self.hooks.plan)
        self.recovery = Recovery(storage, self.artifacts, self.work, lambda _: True)
        self.runs = HookRuns(storage, self.hooks, self.artifacts, self.pinned, owner_id=None)
        self.dispatcher = Dispatcher(
            storage,
            self.orchestrator,
            self.recovery,
            self.clock,
            lease_sec=LEASE_SEC,
            on_hooks=self.runs.take,
        )
        self.execution = self.new_execution(None)

    @property
    def ids(self) -> CountedIds:
        """Ids that go on counting over a new process."""
        if not hasattr(self, "_ids"):
            self._ids = CountedIds()
        return self._ids

    def new_execution(self, owner_id: OwnerId | None) -> Execution:
        return Execution(
            self.storage,
            self.artifacts,
            self.orchestrator,
            self.pinned,
            self.clock,
            owner_id=owner_id,
            lease_sec=LEASE_SEC,
            processing=getattr(self, "processing", None),
        )

    async def ask_hooks(self) -> int:
        """Dispatch, and answer every note that waits for hooks; returns how many there were."""
        await self.dispatcher.step()
        rows = [row for row in await self.storage.continuations() if row.continuation.kind == "run_hooks"]
        for row in rows:
            await self.runs.answer(row, self.dispatcher.apply_note)
        return len(rows)

    async def verdicts(self, instance_id: Any) -> list[tuple[Any, ...]]:
        """What history tells of hooks: hook, point, attempt and verdict of each."""
        events = [one.event for one in await self.queries.history(instance_id=instance_id, tenant_id="local")]  # type: ignore[arg-type]
        told = [event.data for event in events if event.type == "HookAnswered"]
        return [tuple(data[key] for key in ("hook", "point", "for_attempt", "verdict")) for data in told]
