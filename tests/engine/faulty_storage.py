"""A store as a process sees it that may die at any commit; notes, timers and leases as laid out for it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from chatflow_jupyter.domain.errors import SeqConflict
from chatflow_jupyter.domain.ids import InstanceId, Sha256, TenantId, attempt_id
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.records import ArtifactRecord, AttemptRow, Commit, ContinuationRow, TimerRow
from tests.engine.cache_invariants import check_kept_in
from tests.engine.times import START


class ProcessDied(BaseException):
    """Raised where a process would be killed; `committed` says whether its commit was through."""

    def __init__(self, *, committed: bool) -> None:
        super().__init__()
        self.committed = committed


class FaultyStorage:
    """Passes everything on to `inner`; only what was laid out is seen by a dispatcher."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.dies: Literal["before", "after"] | None = None
        self.rival: Callable[[], Awaitable[object]] | None = None
        self.rival_comes: Literal["at reading", "at commit"] = "at commit"
        self.commits = 0
        self.rows: Sequence[ContinuationRow] = ()
        self.timers: Sequence[TimerRow] = ()
        self.leases: Sequence[AttemptRow] = ()
        self.versions: dict[str, int] = {}
        self.remembered: dict[InstanceId, Instance | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def commit(self, commit: Commit) -> None:
        """Let a rival act first, then die before, after, or not at all."""
        if self.rival_comes == "at commit":
            await self._let_rival_act()
        if self.dies == "before":
            self.dies = None
            raise ProcessDied(committed=False)
        check_kept_in(commit)
        if commit.no_artifact_but is not None:
            await self._require_no_artifact(commit)
        await self.inner.commit(commit)
        if commit.shares is not None:
            source = await self.inner.instance(commit.tenant_id, commit.shares.source_id)
            assert source.seq == commit.shares.seq, "a fork was committed of a source that had gone on"
        self.commits += 1
        self._remember(commit)
        if self.dies == "after":
            self.dies = None
            raise ProcessDied(committed=True)

    async def instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        """Read; a rival may have acted since the caller last looked."""
        if self.rival_comes == "at reading":
            await self._let_rival_act()
        found: Instance = await self.inner.instance(tenant_id, instance_id)
        return found

    def recent_instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        """Remember what is stored, what is stored no more, or nothing, each a third of the time."""
        del tenant_id
        reads = self.rival is not None and self.rival_comes == "at reading"
        return None if reads else self.remembered.get(instance_id)

    async def _require_no_artifact(self, commit: Commit) -> None:
        for transition in commit.transitions:
            about = transition.decision.instance.instance_id
            if transition.before is not None and await self.artifacts(commit.tenant_id, about):
                raise SeqConflict(f"{about} has an artifact")

    def _remember(self, commit: Commit) -> None:
        for transition in commit.transitions:
            after = transition.decision.instance
            self.remembered[after.instance_id] = (None, transition.before, after)[after.seq % 3]

    async def artifacts(
        self, tenant_id: TenantId, instance_id: InstanceId, *, include_deleted: bool = False
    ) -> Sequence[ArtifactRecord]:
        """Return one artifact, of which there have been as many versions as laid out; at first none."""
        if not self.versions.get(instance_id):
            return []
        of = attempt_id(instance_id, "elsewhere", 1)
        return [
            ArtifactRecord(
                tenant_id=tenant_id,
                instance_id=instance_id,
                attempt_id=of,
                phase="elsewhere",
                attempt=1,
                name="report",
                kind="report",
                media_type="text/plain",
                sha256=Sha256(str(self.versions[instance_id])),
                size_bytes=1,
                created_at=START,
            )
        ]

    async def _let_rival_act(self) -> None:
        if self.rival is not None:
            rival, self.rival = self.rival, None
            await rival()

    async def continuations(self, limit: int = 200, *, after: int = 0) -> Sequence[ContinuationRow]:
        """Return the notes laid out."""
        return self.rows[:limit]

    async def due_timers(
        self, now: datetime, limit: int = 100, *, after: TimerRow | None = None
    ) -> Sequence[TimerRow]:
        """Return the timers laid out."""
        return self.timers[:limit]

    async def expired_leases(
        self, now: datetime, limit: int = 100, *, after: AttemptRow | None = None
    ) -> Sequence[AttemptRow]:
        """Return the leases laid out."""
        return self.leases[:limit]

    def lay_out(
        self,
        rows: Sequence[ContinuationRow] = (),
        timers: Sequence[TimerRow] = (),
        leases: Sequence[AttemptRow] = (),
    ) -> None:
        """Say what a dispatcher shall see next."""
        self.rows, self.timers, self.leases = rows, timers, leases
