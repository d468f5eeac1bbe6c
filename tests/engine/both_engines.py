"""The product and the model side by side: everything is asked of both, then both are compared."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.domain.hooks import NO_HOOKS
from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.ports.records import AttemptRow
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.forks import Forks
from chatflow_jupyter.services.orchestrator import Orchestrator
from chatflow_jupyter.services.pinned import PinnedDefinitions
from chatflow_jupyter.services.reuse import Reuse
from tests.engine.faulty_storage import FaultyStorage, ProcessDied
from tests.engine.hook_callers import drawn_plan
from tests.engine.model import Model
from tests.engine.model_people import No
from tests.engine.questions import TENANT
from tests.engine.times import START
from tests.engine.worlds import records

LEASE_SEC = 30.0
EVER = START + timedelta(days=3650)


class TurnedClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.passed_sec = 0.0

    def now(self) -> Any:
        return START + timedelta(seconds=self.passed_sec)

    def monotonic(self) -> float:
        return self.passed_sec


class CountedIds:
    """Ids one after another."""

    def __init__(self) -> None:
        self._last = 0

    def instance_id(self) -> InstanceId:
        self._last += 1
        return self.coming(0)

    def coming(self, offset: int = 1) -> InstanceId:
        """Return the id that comes next."""
        return InstanceId(f"wfi_{self._last + offset:026d}")

    def token(self) -> str:
        return "0" * 32


class Keeper:
    """Keeps nothing of lost attempts: there are no folders here."""

    async def keep(self, row: AttemptRow) -> None:
        """Do nothing."""


class NothingBeside:
    """Bundles that hold nothing but their definition, and the hooks in force."""

    processors: tuple[Any, ...] = ()

    def __init__(self, both: "BothEngines") -> None:
        self._both = both

    async def bundle_files(self, tenant_id: Any, sha256: Any) -> dict[str, bytes]:
        """Return no file."""
        del tenant_id, sha256
        return {}

    def plan(self) -> Any:
        """Return which hooks are in force now."""
        return self._both.plan


class BothEngines:
    """One history of both. `random` decides when the process dies."""

    def __init__(self, storage: Any, clock: TurnedClock, random: Random, death: float) -> None:
        self.clock, self.random, self.death = clock, random, death
        self.ids, self.model, self.storage = CountedIds(), Model(), FaultyStorage(storage)
        self.log: list[str] = []
        self.hooked: Random | None = None
        self.plan = NO_HOOKS
        self.verdicts: Counter[str] = Counter()
        self.ended_by_parent: set[str] = set()
        self.compare_every = 1
        self.told: dict[tuple[str, int], dict[str, Any]] = {}
        self.position = 0
        self.last_event: dict[str, list[tuple[int, int]]] = {}

    async def begin(self) -> None:
        """Publish the definitions and start the process."""
        for record in records(TENANT):
            await self.storage.save_definition(record)
        self.records = {record.reference.name: record for record in records(TENANT)}
        self.boot()

    def boot(self) -> None:
        """Start a process: nothing but the store is remembered."""
        storage: Any = self.storage
        no_bytes: Any = None
        self.storage.lay_out()
        if self.hooked is not None:
            self.plan = drawn_plan(self.hooked)
            self.model.in_force = {"before": list(self.plan.before), "after": list(self.plan.after)}
        pinned = PinnedDefinitions(storage)
        self.orchestrator = Orchestrator(storage, pinned, self.clock, self.ids, lambda: self.plan)
        self.forks = Forks(storage, no_bytes, pinned, self.orchestrator, self.clock, self.ids)
        recovery: Any = Keeper()
        asked: Any = NothingBeside(self)
        reuse = Reuse(storage, asked, pinned, asked, self.clock)
        self.dispatcher = Dispatcher(
            storage, self.orchestrator, recovery, self.clock, lease_sec=LEASE_SEC, look_up=reuse.answer
        )

    async def ask(
        self,
        what: str,
        product: Callable[[], Awaitable[Any]],
        model: Callable[[], Any],
        *,
        rival: Callable[[], Awaitable[Any]] | None = None,
        quietly: bool = False,
    ) -> Any:
        """Ask both the same. The process may die at its commit, and its caller ask again.

        A `rival` acts between the product's reading and its commit: the product then is second, as in the
        model. `quietly` means that nobody is told of a refusal.
        """
        self.model.now = self.clock.passed_sec
        dies = self.random.choice(["before", "after"]) if self.random.random() < self.death else None
        self.log.append(f"{what} {dies or ''}")
        self.storage.dies, self.storage.rival = dies, rival  # type: ignore[assignment]  # one of two words
        answer, code, died = None, None, None
        try:
            answer = await product()
        except ProcessDied as death:
            died = death
        except ChatFlowError as error:
            code = error.code
        self.storage.dies = self.storage.rival = None
        expected, refused = None, None
        if died is None or died.committed:
            try:
                expected = model()
            except No as error:
                refused = str(error)
        if died is not None:
            assert refused is None, f"{what}: committed, though the rules say {refused}"
            self.boot()
        else:
            assert quietly or alike(code, refused), f"{what}: answered {code}, the rules say {refused}"
        await self.compare()
        if died is not None and self.random.random() < 0.6:
            return await self.ask(what + " again", product, model, quietly=quietly)
        assert died or expected is None or answer == expected, f"{what}: {answer} is not {expected}"
        return answer

    async def ask_racing(
        self,
        what: str,
        product: Callable[[], Awaitable[Any]],
        model: Callable[[], Any],
        other: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        """Ask; sometimes the same request, or some `other`, arrives while the first is being handled."""
        if self.random.random() > 2 * self.death:
            return await self.ask(what, product, model)

        async def same_again() -> None:
            dies, death, self.death = self.storage.dies, self.death, 0.0
            if other is not None and self.random.random() < 0.5:
                await other()
            else:
                await self.ask(what + " (at the same time)", product, model)
            self.storage.dies, self.death = dies, death

        self.storage.rival_comes = self.random.choice(["at reading", "at commit"])  # type: ignore[assignment]
        return await self.ask(what, product, model, rival=same_again)

    async def compare(self) -> None:
        """Compare everything both know."""
        from tests.engine.comparing import compare

        if len(self.log) % self.compare_every == 0:
            await compare(self)


def alike(code: str | None, refused: str | None) -> bool:
    """Whether the product refused as the rules do; two ways to be too late count as one."""
    late = {"stale", "stale_fence"}
    return code == refused or (code in late and refused in late)
