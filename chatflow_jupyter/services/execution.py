"""What runners may ask: the orchestrator's side of `IExecution`."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from chatflow_jupyter.domain.errors import ChatFlowError, InvalidInput, NotFound, StaleFence
from chatflow_jupyter.domain.hooks import Processed
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, OwnerId, RunnerId
from chatflow_jupyter.domain.instance import Failure, Instance
from chatflow_jupyter.domain.json_values import JsonValue, check_json, encoded_size_bytes, own_json
from chatflow_jupyter.domain.requests import AttemptFailed, AttemptLost, AttemptStarted, AttemptSucceeded
from chatflow_jupyter.domain.reuse import is_cached, settled_phases
from chatflow_jupyter.domain.schedules import scheduled_at_of
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptReport,
    AttemptRow,
    JournalEntry,
    Lease,
    Progress,
)
from chatflow_jupyter.ports.state_storage import IStateStorage

from .artifacts import Artifacts
from .orchestrator import Orchestrator
from .pinned import PinnedDefinitions
from .processing import Processing
from .reuse import is_run_itself

MAX_ONCE_BYTES = 64 * 1024
OVERTIME_SEC = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """An attempt leased through this process."""

    row: AttemptRow
    parent_id: InstanceId | None
    started_sec: float
    is_cached: bool = False


class Execution:
    """`IExecution` over the store. The attempts it knows are those leased through it."""

    def __init__(
        self,
        storage: IStateStorage,
        artifacts: Artifacts,
        orchestrator: Orchestrator,
        pinned: PinnedDefinitions,
        clock: Clock,
        *,
        owner_id: OwnerId | None,
        lease_sec: float,
        processing: Processing | None = None,
        may_start: asyncio.Event | None = None,
    ) -> None:
        """Lease only attempts of trees that `owner_id` drives (all, when None), for `lease_sec` at a time.

        `processing` looks at what notebooks hand over. While `may_start` is not set nothing is leased.
        """
        self._storage = storage
        self._artifacts = artifacts
        self._orchestrator = orchestrator
        self._pinned = pinned
        self._clock = clock
        self._owner_id = owner_id
        self._lease_sec = lease_sec
        self._processing = processing
        self._may_start = may_start
        self._held: dict[AttemptId, Held] = {}

    async def lease(self, runner_id: RunnerId, *, wait_sec: float) -> Lease | None:
        """See `IExecution`."""
        deadline = self._clock.monotonic() + wait_sec
        while True:
            if not await self._may_lease(deadline):
                return None
            seen = self._storage.change_token()
            row = await self._storage.claim(
                runner_id, self._owner_id, now=self._clock.now(), lease_expires_at=self._expiry()
            )
            if row is None:
                left_sec = deadline - self._clock.monotonic()
                if left_sec <= 0:
                    return None
                await self._storage.wait_for_change(seen, min(left_sec, 5.0))
                continue
            lease = await self._start(row, runner_id)
            if lease is not None:
                return lease

    async def _may_lease(self, deadline: float) -> bool:
        if self._may_start is None or self._may_start.is_set():
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(max(deadline - self._clock.monotonic(), 0)):
                await self._may_start.wait()
        return self._may_start.is_set()

    async def _start(self, row: AttemptRow, runner_id: RunnerId) -> Lease | None:
        started = AttemptStarted(attempt_id=row.attempt_id, fence=row.fence, runner_id=runner_id)

        try:
            instance = await self._orchestrator.apply(row.tenant_id, row.instance_id, started)
            record = await self._pinned.of(row.tenant_id, instance.definition)
            row = await self._cut(row, instance)
        except StaleFence:
            return None
        except ChatFlowError:
            await self._give_back(row)
            raise
        if instance.attempt is None or instance.attempt.attempt_id != row.attempt_id:
            return None  # its approval turned out to be void, and people are asked again
        parent_id = instance.parent.instance_id if instance.parent else None
        phase = record.definition.phase(row.phase)
        self._held[row.attempt_id] = Held(
            row=row,
            parent_id=parent_id,
            started_sec=self._clock.monotonic(),
            is_cached=is_cached(phase),
        )
        return Lease(
            attempt=row,
            variables=own_json(instance.view),
            parent_id=parent_id,
            feature_id=instance.feature_id,
            bundle_sha256=record.bundle_sha256,
            notebook=row.notebook,
            lease_sec=self._lease_sec,
            spawns=phase.spawns.schemas if phase.spawns else (),
            scheduled_at=scheduled_at_of(instance),
        )

    async def _cut(self, row: AttemptRow, instance: Instance) -> AttemptRow:
        """Cut the attempt's time to what is left now: others have used some since it was queued."""
        left_sec = await self._orchestrator.left_sec(instance)
        if left_sec is None or (row.timeout_sec is not None and row.timeout_sec <= left_sec):
            return row
        return replace(row, timeout_sec=left_sec)

    async def _give_back(self, row: AttemptRow) -> None:
        """Queue a claimed attempt again whose start could not be recorded; else its lease has to expire."""
        lost = AttemptLost(
            attempt_id=row.attempt_id, fence=row.fence, cause="its start failed", counts_as="nothing"
        )
        with suppress(ChatFlowError):
            await self._orchestrator.apply(row.tenant_id, row.instance_id, lost)

    async def heartbeat(self, attempt_id: AttemptId, fence: int, progress: Progress | None) -> None:
        """See `IExecution`. An attempt far beyond its time-out is failed here, whatever its runner says."""
        with self._holding(attempt_id, fence) as held:
            row, running_sec = held.row, self._clock.monotonic() - held.started_sec
            if row.timeout_sec is not None and running_sec > row.timeout_sec + OVERTIME_SEC:
                message = (
                    f"still running {running_sec:.0f} s after its start; the limit is {row.timeout_sec:g} s"
                )
                failure = Failure(code="timeout", message=message)
                await self.complete(
                    attempt_id, fence, AttemptReport(duration_sec=running_sec, failure=failure)
                )
                raise StaleFence(f"{attempt_id}: {message}")
            await self._storage.heartbeat(
                row.tenant_id, attempt_id, fence, lease_expires_at=self._expiry(), progress=progress
            )

    async def put_artifact(
        self, attempt_id: AttemptId, fence: int, *, name: str, kind: str, source: Path
    ) -> ArtifactRecord | None:
        """See `IExecution`."""
        with self._holding(attempt_id, fence) as held:
            return await self._artifacts.publish(held.row, name=name, kind=kind, source=source, fence=fence)

    async def fetch_artifact(
        self, attempt_id: AttemptId, fence: int, *, phase: str, name: str, parent: bool, target: Path
    ) -> None:
        """See `IExecution`."""
        held = self._held_attempt(attempt_id, fence)
        tenant_id = held.row.tenant_id
        instance_id = held.parent_id if parent else held.row.instance_id
        if instance_id is None:
            raise NotFound(f"{attempt_id}: this instance has no parent to take {phase}/{name} from")
        known = await self._storage.artifacts(tenant_id, instance_id)
        matching = [record for record in known if record.phase == phase and record.name == name]
        if not matching:
            there = ", ".join(sorted({f"{record.phase}/{record.name}" for record in known})) or "none"
            raise NotFound(f"there is no artifact {phase}/{name}; there are: {there}")
        instance = await self._storage.instance(tenant_id, instance_id)
        record = _settled(matching, instance, phase)
        if is_run_itself(record) and held.is_cached:
            raise NotFound(
                f"{phase}/{name} is the executed notebook, which differs with every run: it is no input of a "
                "phase with `cache: inputs`; take an outcome or another artifact"
            )
        await self._artifacts.fetch(record, target)

    async def fetch_bundle(self, attempt_id: AttemptId, fence: int, target: Path) -> None:
        """See `IExecution`."""
        row = self._held_attempt(attempt_id, fence).row
        instance = await self._storage.instance(row.tenant_id, row.instance_id)
        record = await self._pinned.of(row.tenant_id, instance.definition)
        await self._artifacts.unpack_bundle(row.tenant_id, record.bundle_sha256, target)

    async def once_get(self, attempt_id: AttemptId, fence: int, name: str) -> JournalEntry | None:
        """See `IExecution`."""
        row = self._held_attempt(attempt_id, fence).row
        return await self._storage.journal_get(row.tenant_id, row.instance_id, row.phase, name)

    async def once_put(self, attempt_id: AttemptId, fence: int, name: str, value: JsonValue) -> JournalEntry:
        """See `IExecution`."""
        _check_once_name(name)
        check_json(value, what=f"once {name!r}")
        size_bytes = encoded_size_bytes(value)
        if size_bytes > MAX_ONCE_BYTES:
            raise InvalidInput(
                f"once {name!r}: {size_bytes} bytes are more than {MAX_ONCE_BYTES}; use %%once instead"
            )
        with self._holding(attempt_id, fence) as held:
            return await self._storage.journal_put(
                held.row.tenant_id, attempt_id, fence, name, value=value, now=self._clock.now()
            )

    async def once_get_file(self, attempt_id: AttemptId, fence: int, name: str, target: Path) -> bool:
        """See `IExecution`."""
        entry = await self.once_get(attempt_id, fence, _of_cell(name))
        if entry is None or entry.sha256 is None:
            return False
        tenant_id = self._held_attempt(attempt_id, fence).row.tenant_id
        await self._artifacts.fetch_bytes(tenant_id, entry.sha256, target)
        return True

    async def once_put_file(self, attempt_id: AttemptId, fence: int, name: str, source: Path) -> None:
        """See `IExecution`."""
        _check_once_name(name)
        with self._holding(attempt_id, fence) as held:
            tenant_id = held.row.tenant_id
            stored = await self._artifacts.store(tenant_id, source)
            await self._storage.journal_put(
                tenant_id, attempt_id, fence, _of_cell(name), sha256=stored.sha256, now=self._clock.now()
            )

    async def complete(self, attempt_id: AttemptId, fence: int, report: AttemptReport) -> None:
        """See `IExecution`."""
        with self._holding(attempt_id, fence) as held:
            row, processed = held.row, tuple[Processed, ...]()
            if self._processing is not None and self._processing.is_needed:
                report = await self._processing.of_report(row, report)
                processed = self._processing.told(attempt_id)
            request = _request(row, fence, report, processed)
            await asyncio.shield(self._orchestrator.apply(row.tenant_id, row.instance_id, request))
        self._let_go(attempt_id)

    @contextmanager
    def _holding(self, attempt_id: AttemptId, fence: int) -> Iterator[Held]:
        """Give the attempt to a call that the store checks under `fence`.

        When the store refuses, nobody will report for it here any more: all that is known of it is forgotten,
        and from then on calls that only read, whose fence no store checks, are refused too.
        """
        held = self._held_attempt(attempt_id, fence)  # another fence than that of the lease ends no lease
        try:
            yield held
        except StaleFence:
            self._let_go(attempt_id)
            raise

    def _let_go(self, attempt_id: AttemptId) -> None:
        """Forget an attempt, of which no other lease can be here: one that was lost is made as another."""
        self._held.pop(attempt_id, None)
        if self._processing is not None:
            self._processing.forget(attempt_id)

    def _held_attempt(self, attempt_id: AttemptId, fence: int) -> Held:
        held = self._held.get(attempt_id)
        if held is None or held.row.fence != fence:
            raise StaleFence(f"attempt {attempt_id} is not leased here any more")
        return held

    def _expiry(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._lease_sec)


def _request(
    row: AttemptRow, fence: int, report: AttemptReport, processed: tuple[Processed, ...]
) -> AttemptSucceeded | AttemptFailed:
    if report.failure is not None:
        return AttemptFailed(
            attempt_id=row.attempt_id,
            fence=fence,
            failure=report.failure,
            duration_sec=report.duration_sec,
            risk=report.risk,
            processed=processed,
        )
    return AttemptSucceeded(
        attempt_id=row.attempt_id,
        fence=fence,
        outputs=own_json(report.outputs),
        duration_sec=report.duration_sec,
        risk=report.risk,
        spawned=tuple(replace(one, context=own_json(one.context)) for one in report.spawned),
        processed=processed,
    )


def _settled(matching: Sequence[ArtifactRecord], instance: Instance, phase: str) -> ArtifactRecord:
    """Take the newest attempt's artifact; of a phase that failed or still runs, none counts."""
    if phase not in settled_phases(instance):
        raise NotFound(f"phase {phase} has not succeeded, so its artifacts are not offered as input")
    return max(matching, key=lambda record: record.attempt)


def _of_cell(name: str) -> str:
    """Return the journal's name for what `%%once` stores, apart from what `ctx.once` stores."""
    return f"%%once {name}"


def _check_once_name(name: str) -> None:
    if not 0 < len(name) <= 200 or not name.isprintable():
        raise InvalidInput("once: the name must be 1 to 200 printable characters")
