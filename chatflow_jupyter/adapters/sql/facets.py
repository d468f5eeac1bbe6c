"""The port's methods about workflows, each one transaction of named statements."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.ids import AttemptId, InstanceId, OwnerId, Principal, RunnerId, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.domain.usage import Used
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import (
    AttemptRow,
    Commit,
    ContinuationRow,
    DefinitionRecord,
    Deprecation,
    FeatureCount,
    InstanceFilter,
    OutboxRow,
    Progress,
    Serves,
    Standing,
    StoredAnswer,
    TimerRow,
    VersionUse,
)

from . import (
    attempts,
    continuations,
    definitions,
    deprecations,
    events,
    instance_queries,
    instances,
    leases,
    request_keys,
    trees,
    usage,
)
from .database import Transactions
from .pages import DamageLog
from .recent import RecentInstances


class SqlDefinitions:
    """`IDefinitions` in SQL."""

    _database: Transactions

    async def save_definition(self, record: DefinitionRecord, act: Act | None = None) -> None:
        """See the port."""
        await self._database.write(lambda c: definitions.save(c, record, act))

    async def definition(self, tenant_id: TenantId, name: str, version: str) -> DefinitionRecord:
        """See the port."""
        return await self._database.read(lambda c: definitions.definition(c, tenant_id, name, version))

    async def definitions(self, tenant_id: TenantId) -> Sequence[DefinitionRecord]:
        """See the port."""
        return await self._database.read(lambda c: definitions.definitions_of(c, tenant_id))

    async def save_deprecation(self, deprecation: Deprecation, act: Act | None = None) -> None:
        """See the port."""
        await self._database.write(lambda c: deprecations.save(c, deprecation, act))

    async def withdraw_deprecation(
        self, tenant_id: TenantId, name: str, version: str, now: datetime, act: Act | None = None
    ) -> Deprecation:
        """See the port."""
        return await self._database.write(
            lambda c: deprecations.withdraw(c, tenant_id, name, version, now, act)
        )

    async def deprecations(self, tenant_id: TenantId) -> Sequence[Deprecation]:
        """See the port."""
        return await self._database.read(lambda c: deprecations.deprecations_of(c, tenant_id))

    async def versions_in_use(self, tenant_id: TenantId, name: str | None = None) -> Mapping[str, VersionUse]:
        """See the port."""
        return await self._database.read(lambda c: deprecations.versions_in_use(c, tenant_id, name))


class SqlInstances:
    """`IInstances` in SQL."""

    _database: Transactions
    _clock: Clock
    _recent: RecentInstances

    async def commit(self, commit: Commit) -> None:
        """See the port."""
        now = self._clock.now()
        self._recent.keep(await self._database.write(lambda c: instances.commit_transitions(c, commit, now)))

    async def instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        """See the port."""
        return await self._database.read(lambda c: instance_queries.instance(c, tenant_id, instance_id))

    async def standing(self, tenant_id: TenantId, instance_id: InstanceId) -> Standing:
        """See the port."""
        return await self._database.read(lambda c: instance_queries.standing(c, tenant_id, instance_id))

    def recent_instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        """See the port."""
        return self._recent.of(tenant_id, instance_id)

    async def used(self, tenant_id: TenantId, root_id: InstanceId, by: Collection[InstanceId]) -> Used:
        """See the port."""
        return await self._database.read(lambda c: usage.used(c, tenant_id, root_id, by))

    async def instances(self, tenant_id: TenantId, wanted: InstanceFilter) -> Sequence[Instance]:
        """See the port."""
        return await self._database.read(lambda c: instance_queries.listed(c, tenant_id, wanted))

    async def feature_counts(self, tenant_id: TenantId, feature_id: str) -> Sequence[FeatureCount]:
        """See the port."""
        return await self._database.read(lambda c: instance_queries.feature_counts(c, tenant_id, feature_id))

    async def stored_answer(self, tenant_id: TenantId, principal: Principal, key: str) -> StoredAnswer | None:
        """See the port."""
        now = self._clock.now()
        return await self._database.read(lambda c: request_keys.answer(c, tenant_id, principal, key, now))

    async def drop_expired_keys(self, now: datetime, limit: int = 500) -> int:
        """See the port."""
        return await self._database.write(lambda c: request_keys.drop_expired(c, now, limit))

    async def tree_status(self, tenant_id: TenantId, root_id: InstanceId, now: datetime) -> TreeStatus:
        """See the port."""
        return await self._database.read(lambda c: trees.status(c, tenant_id, root_id, now))

    async def tree(
        self, tenant_id: TenantId, root_id: InstanceId, *, after: InstanceId | None = None, limit: int = 1000
    ) -> Sequence[Instance]:
        """See the port."""
        return await self._database.read(
            lambda c: instance_queries.nodes(c, tenant_id, root_id, after, limit)
        )


class SqlAttempts:
    """`IAttempts` in SQL."""

    _database: Transactions
    _damage: DamageLog

    async def claim(
        self,
        runner_id: RunnerId,
        owner_id: OwnerId | None,
        *,
        now: datetime,
        lease_expires_at: datetime,
        serves: Serves | None = None,
    ) -> AttemptRow | None:
        """See the port."""
        del now
        return await self._database.write(
            lambda c: leases.claim(c, runner_id, owner_id, lease_expires_at, serves, self._damage)
        )

    async def heartbeat(
        self,
        tenant_id: TenantId,
        attempt_id: AttemptId,
        fence: int,
        *,
        lease_expires_at: datetime,
        progress: Progress | None,
    ) -> None:
        """See the port."""
        await self._database.write(
            lambda c: leases.heartbeat(c, tenant_id, attempt_id, fence, lease_expires_at, progress)
        )

    async def attempt(self, tenant_id: TenantId, attempt_id: AttemptId) -> AttemptRow:
        """See the port."""
        return await self._database.read(lambda c: attempts.attempt(c, tenant_id, attempt_id))

    async def attempts(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[AttemptRow]:
        """See the port."""
        return await self._database.read(lambda c: attempts.attempts_of(c, tenant_id, instance_id))

    async def expired_leases(
        self, now: datetime, limit: int = 100, *, after: AttemptRow | None = None
    ) -> Sequence[AttemptRow]:
        """See the port."""
        return await self._database.read(lambda c: leases.expired_leases(c, now, after, limit, self._damage))

    async def leases_of(self, owner_id: OwnerId) -> Sequence[AttemptRow]:
        """See the port."""
        return await self._database.read(lambda c: leases.leases_of(c, owner_id, self._damage))

    async def running_attempts(self, root_id: InstanceId, tenant_id: TenantId) -> Sequence[AttemptRow]:
        """See the port."""
        return await self._database.read(lambda c: attempts.open_attempts(c, tenant_id, root_id))


class SqlContinuations:
    """`IContinuations` in SQL."""

    _database: Transactions
    _damage: DamageLog

    async def continuations(self, limit: int = 200, *, after: int = 0) -> Sequence[ContinuationRow]:
        """See the port."""
        return await self._database.read(lambda c: continuations.waiting(c, after, limit, self._damage))

    async def drop_continuations(self, ids: Collection[int]) -> None:
        """See the port."""
        await self._database.write(lambda c: continuations.drop(c, ids))

    async def due_timers(
        self, now: datetime, limit: int = 100, *, after: TimerRow | None = None
    ) -> Sequence[TimerRow]:
        """See the port."""
        return await self._database.read(
            lambda c: continuations.due_timers(c, now, after, limit, self._damage)
        )

    async def next_due(self) -> datetime | None:
        """See the port."""
        return await self._database.read(lambda c: continuations.next_due(c, self._damage))

    async def drop_timer(self, timer: TimerRow) -> None:
        """See the port."""
        await self._database.write(lambda c: continuations.drop_timer(c, timer))


class SqlEvents:
    """`IEvents` in SQL."""

    _database: Transactions

    async def events(
        self,
        tenant_id: TenantId,
        *,
        instance_id: InstanceId | None = None,
        root_id: InstanceId | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[StoredEvent]:
        """See the port."""
        return await self._database.read(
            lambda c: events.later_events(c, tenant_id, instance_id, root_id, after, limit)
        )

    async def last_event(self, tenant_id: TenantId, root_id: InstanceId) -> int:
        """See the port."""
        return await self._database.read(lambda c: events.last_event(c, tenant_id, root_id))

    async def outbox(self, limit: int = 100) -> Sequence[OutboxRow]:
        """See the port."""
        return await self._database.read(lambda c: events.unpublished(c, limit))

    async def outbox_published(self, ids: Collection[int]) -> None:
        """See the port."""
        await self._database.write(lambda c: events.delete_messages(c, ids))

    def change_token(self) -> int:
        """See the port."""
        return self._database.change_token()

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """See the port."""
        return await self._database.wait_for_change(seen, timeout_sec)
