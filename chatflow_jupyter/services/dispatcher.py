"""The dispatcher: continuations, timers and lost leases become ordinary transitions."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from enum import Enum
from typing import TypeVar

from chatflow_jupyter.domain.decision import ContinuationKind
from chatflow_jupyter.domain.errors import (
    ChatFlowError,
    Conflict,
    InternalError,
    InvalidInput,
    NotFound,
    SeqConflict,
    StorageFull,
    StoreDamaged,
    Unreachable,
)
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.requests import (
    AttemptLost,
    CacheLookedUp,
    ChildrenEnded,
    FanOutDue,
    LossKind,
    Request,
    WaiverFound,
)
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import AttemptRow, ContinuationRow, InstanceFilter
from chatflow_jupyter.ports.state_storage import IStateStorage

from .family import request_for_child, request_for_timer, result_of
from .orchestrator import Orchestrator
from .recovery import Recovery

log = logging.getLogger(__name__)

Row = TypeVar("Row")

PAGE = 200
PAUSE_AFTER_FAULT_SEC = 1.0
REFUSALS = (Conflict, InvalidInput, NotFound)


class Applied(Enum):
    """What came of a request of the engine's own."""

    YES = "yes"
    REFUSED = "refused"
    LATER = "later"


class Dispatcher:
    """Does what committed notes and clocks ask for. Any number may work on one store."""

    def __init__(
        self,
        storage: IStateStorage,
        orchestrator: Orchestrator,
        recovery: Recovery,
        clock: Clock,
        *,
        lease_sec: float,
        on_expired: Callable[[AttemptRow], None] | None = None,
        on_hooks: Callable[[ContinuationRow], None] | None = None,
        look_up: Callable[[Instance], Awaitable[CacheLookedUp | None]] | None = None,
    ) -> None:
        """Apply requests through `orchestrator`; keep what lost attempts left through `recovery`.

        `on_expired` hears of every lease that ended without a heartbeat, before its attempt is taken away;
        `on_hooks` of hooks that are waited for, until `apply_note` answered for them. `look_up` finds earlier
        outcomes for those who wait for one; without it there are none.
        """
        self._storage = storage
        self._orchestrator = orchestrator
        self._recovery = recovery
        self._clock = clock
        self._lease_sec = lease_sec
        self._on_expired = on_expired
        self._on_hooks = on_hooks
        self._look_up = look_up
        self._drift_sec = self._drift()
        self._sweep_from = clock.now()
        self._told: set[str] = set()
        self._waiting = 0
        self._expired_told: set[tuple[AttemptId, int]] = set()

    async def run(self) -> None:
        """Dispatch for ever, waking at commits and at due timers; a fault is logged and tried again."""
        told = ""
        while True:
            seen = self._storage.change_token()
            try:
                if not await self.step():
                    await self._storage.wait_for_change(seen, await self._rest_sec())
                told = ""
                continue
            except ChatFlowError as error:
                if error.message != told:
                    log.warning("nothing goes on at the moment, trying again: %s", error.message)
                told = error.message
            except Exception:
                log.exception("dispatching failed; trying again in %s s", PAUSE_AFTER_FAULT_SEC)
            await asyncio.sleep(PAUSE_AFTER_FAULT_SEC)

    async def step(self) -> bool:
        """Do everything that is due now; returns whether there was anything."""
        self._waiting = 0
        worked = await self._continuations()
        worked = await self._timers() or worked
        return await self._sweep() or worked

    async def _continuations(self) -> bool:
        async def read(after: ContinuationRow | None) -> Sequence[ContinuationRow]:
            return await self._storage.continuations(PAGE, after=after.continuation_id if after else 0)

        worked = False
        async for rows in self._pages(read):
            worked = await self._answer(rows) or worked
        return worked

    async def _pages(
        self, read: Callable[[Row | None], Awaitable[Sequence[Row]]]
    ) -> AsyncIterator[Sequence[Row]]:
        """Yield a page, and further ones while some of a page have to wait: they would be read for ever.

        After a page that is done with, those behind it are the first ones of the next step.
        """
        after: Row | None = None
        while True:
            waited = self._waiting
            rows = await read(after)
            yield rows
            if len(rows) < PAGE or self._waiting == waited:
                return
            after = rows[-1]

    async def _answer(self, rows: Sequence[ContinuationRow]) -> bool:
        ended: dict[tuple[TenantId, InstanceId], list[ContinuationRow]] = defaultdict(list)
        worked = False
        for row in rows:
            note = row.continuation
            if note.kind is ContinuationKind.CHILD_ENDED:
                ended[row.tenant_id, note.instance_id].append(row)
            elif note.kind is ContinuationKind.FAN_OUT:
                done = await self._apply(row.tenant_id, note.instance_id, FanOutDue(), [row])
                worked = worked or done is not Applied.LATER
            elif note.kind is ContinuationKind.LOOK_FOR_WAIVER:
                worked = await self._unless_damaged(self._look_for_waiver(row)) or worked
            elif note.kind is ContinuationKind.LOOK_FOR_CACHED:
                worked = await self._unless_damaged(self._look_for_cached(row)) or worked
            elif note.kind is ContinuationKind.RUN_HOOKS:
                self._waiting += 1
                if self._on_hooks is not None:
                    self._on_hooks(row)
            else:
                worked = await self._unless_damaged(self._walk_children(row)) or worked
        for (tenant_id, parent_id), waiting in ended.items():
            telling = self._children_ended(tenant_id, parent_id, waiting)
            worked = await self._unless_damaged(telling) or worked
        return worked

    async def _unless_damaged(self, work: Awaitable[bool]) -> bool:
        """Return what `work` returns; False when rows it reads are damaged or gone: the others go on."""
        try:
            return await work
        except (StoreDamaged, NotFound) as error:
            self._waiting += 1
            self._tell_once(error)
            return False

    def _tell_once(self, error: StoreDamaged | NotFound) -> None:
        if error.message not in self._told:
            self._told.add(error.message)
            log.warning("%s; what needs that waits, the others go on", error.message)

    async def _children_ended(
        self, tenant_id: TenantId, parent_id: InstanceId, rows: Sequence[ContinuationRow]
    ) -> bool:
        """Tell a parent which children ended; returns whether notes are done with.

        Those about children that cannot be read have to wait.
        """
        results, readable = [], []
        for row in rows:
            if row.continuation.about is not None:
                try:
                    child = await self._storage.instance(tenant_id, row.continuation.about)
                except StoreDamaged as error:
                    self._waiting += 1
                    self._tell_once(error)
                    continue
                if child.ended:
                    results.append(result_of(child))
            readable.append(row)
        if not readable:
            return False
        request = ChildrenEnded(children=tuple(results))
        return await self._apply(tenant_id, parent_id, request, readable) is not Applied.LATER

    async def _look_for_waiver(self, row: ContinuationRow) -> bool:
        """Open the gate the instance waits at if somebody waived it; returns whether the note is done."""
        tenant_id, about = row.tenant_id, row.continuation.instance_id
        instance, waiver = await self._storage.instance(tenant_id, about), None
        if instance.gate is not None and instance.phase is not None:
            name, feature_id, now = instance.definition.name, instance.feature_id, self._clock.now()
            waiver = await self._storage.waiver_for(
                tenant_id, name, instance.phase, feature_id, now, given_by=instance.gate.asked_at or now
            )
        if waiver is None:
            await self._storage.drop_continuations([row.continuation_id])
            return True
        found = WaiverFound(
            waiver_id=waiver.waiver_id,
            phase=waiver.phase,
            waived_by=waiver.principal,
            reason=waiver.reason,
            expires_at=waiver.expires_at,
        )
        return await self._apply(tenant_id, about, found, [row]) is not Applied.LATER

    async def _look_for_cached(self, row: ContinuationRow) -> bool:
        """Tell the instance what is kept for its inputs, if it waits for that; whether the note is done."""
        tenant_id, about = row.tenant_id, row.continuation.instance_id
        instance = await self._storage.instance(tenant_id, about)
        answer = None if self._look_up is None else await self._look_up(instance)
        if answer is None:
            await self._storage.drop_continuations([row.continuation_id])
            return True
        return await self._apply(tenant_id, about, answer, [row]) is not Applied.LATER

    async def _walk_children(self, row: ContinuationRow) -> bool:
        """Pass a pause, resume, end or retry on to every child; returns whether the note is done with.

        When the parent was paused or resumed by somebody else meanwhile, the children are walked again:
        that one's note may be gone already.
        """
        tenant_id, note = row.tenant_id, row.continuation
        parent = await self._storage.instance(tenant_id, note.instance_id)
        while True:
            settled = await self._walk_once(note.kind, parent)
            now = await self._storage.instance(tenant_id, note.instance_id)
            if (now.paused, now.status) == (parent.paused, parent.status):
                break
            parent = now
        if settled:
            await self._storage.drop_continuations([row.continuation_id])
        return settled

    async def _walk_once(self, kind: ContinuationKind, parent: Instance) -> bool:
        """Ask every child, page by page; returns whether nothing has to be tried again."""
        phase = parent.phase if kind is ContinuationKind.RETRY_CHILDREN else None
        before: InstanceId | None = None
        settled = True
        while True:
            wanted = InstanceFilter(parent_id=parent.instance_id, phase=phase, before=before, limit=PAGE)
            children = await self._storage.instances(parent.tenant_id, wanted)
            for child in children:
                request = request_for_child(kind, parent, child)
                if request is not None:
                    applied = await self._apply(parent.tenant_id, child.instance_id, request, [])
                    settled = settled and applied is not Applied.LATER
            if len(children) < PAGE:
                return settled
            before = children[-1].instance_id

    async def _timers(self) -> bool:
        now = self._clock.now()
        worked = False
        async for timers in self._pages(lambda after: self._storage.due_timers(now, PAGE, after=after)):
            for timer in timers:
                request = request_for_timer(timer.kind)
                applied = await self._apply(timer.tenant_id, timer.instance_id, request, [])
                if applied is Applied.REFUSED:
                    await self._storage.drop_timer(timer)
                worked = worked or applied is not Applied.LATER
        return worked

    async def _sweep(self) -> bool:
        """Give lost attempts back. After a sleep of the machine, runners get one lease to report first."""
        now, drift_sec = self._clock.now(), self._drift()
        if abs(drift_sec - self._drift_sec) > self._lease_sec / 2:
            self._drift_sec = drift_sec
            self._sweep_from = now + timedelta(seconds=self._lease_sec)
            log.info("the clock jumped; waiting one lease before looking for lost attempts")
        if now < self._sweep_from:
            return False
        cause, worked = "the lease expired without a heartbeat", False
        async for rows in self._pages(lambda after: self._storage.expired_leases(now, PAGE, after=after)):
            for row in rows:
                self._tell_of_expiry(row)
                applied = await self.lose(row, cause=cause, counts_as="runner")
                if applied is Applied.YES:
                    self._expired_told.discard((row.attempt_id, row.fence))
                    worked = True
                elif applied is Applied.REFUSED:
                    self._waiting += 1  # it is gone, or its row and its instance disagree for ever
        return worked

    def _tell_of_expiry(self, row: AttemptRow) -> None:
        """Say once that a lease expired: whoever listens ends the runner, and must not do so for ever."""
        lease = row.attempt_id, row.fence
        if self._on_expired is not None and lease not in self._expired_told:
            self._on_expired(row)
        self._expired_told.add(lease)

    async def lose(self, row: AttemptRow, *, cause: str, counts_as: LossKind) -> "Applied":
        """Keep what the attempt left behind and let its phase run again; returns what came of it."""
        lost = AttemptLost(attempt_id=row.attempt_id, fence=row.fence, cause=cause, counts_as=counts_as)
        applied = await self._apply(row.tenant_id, row.instance_id, lost, [])
        if applied is Applied.YES:
            await self._recovery.keep(row)
        return applied

    async def apply_note(self, row: ContinuationRow, request: Request) -> "Applied":
        """Answer a note with a request, and return what came of it."""
        return await self._tried(row.tenant_id, row.continuation.instance_id, request, [row])

    async def _apply(
        self,
        tenant_id: TenantId,
        instance_id: InstanceId,
        request: Request,
        rows: Sequence[ContinuationRow],
    ) -> "Applied":
        """Apply and consume the notes; a refusal means they are of no consequence any more."""
        applied = await self._tried(tenant_id, instance_id, request, rows)
        self._waiting += applied is Applied.LATER
        return applied

    async def _tried(
        self,
        tenant_id: TenantId,
        instance_id: InstanceId,
        request: Request,
        rows: Sequence[ContinuationRow],
    ) -> "Applied":
        ids = tuple(row.continuation_id for row in rows)
        try:
            await self._orchestrator.apply(tenant_id, instance_id, request, consumed=ids)
        except StoreDamaged as error:
            self._tell_once(error)
            return Applied.LATER
        except (SeqConflict, InternalError) as error:
            log.warning("%s of %s is tried again: %s", type(request).__name__, instance_id, error)
            return Applied.LATER
        except (Unreachable, StorageFull):
            raise
        except REFUSALS as error:
            log.debug("%s of %s: %s", type(request).__name__, instance_id, error)
            if ids:
                await self._storage.drop_continuations(ids)
            return Applied.REFUSED
        except Exception:
            log.exception("%s of %s failed; the others go on", type(request).__name__, instance_id)
            return Applied.LATER
        return Applied.YES

    def _drift(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def _rest_sec(self) -> float:
        due = await self._storage.next_due()
        if due is None or self._waiting:  # what is due may be what cannot be done yet
            return PAUSE_AFTER_FAULT_SEC
        return min(max((due - self._clock.now()).total_seconds(), 0.0), 1.0)
