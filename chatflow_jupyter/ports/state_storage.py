"""`IStateStorage`: the one truth. Every method is one transaction; nothing is written when it raises.

Every id is looked up within `tenant_id`: another tenant's id is answered like one that does not exist.
Any method may raise `Unreachable` when the store cannot be reached and `StorageFull` when no room is left.

A damaged row holds up nobody else: `claim`, `expired_leases`, `leases_of`, `continuations`, `due_timers`
and `next_due` leave it out, fill what they return with rows that can be read, and log the damage once.
Elsewhere a damaged row among those asked for raises `StoreDamaged`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.ids import (
    AttemptId,
    InstanceId,
    OwnerId,
    Principal,
    RunnerId,
    Sha256,
    TenantId,
    WaiverId,
)
from chatflow_jupyter.domain.instance import Instance, Vote
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.domain.usage import Used

from .audit import IAudit
from .outcomes import IKeptOutcomes
from .ownership import IOwnership
from .records import (
    ArtifactRecord,
    AttemptRow,
    Commit,
    ContinuationRow,
    DefinitionRecord,
    Deprecation,
    FeatureCount,
    InstanceFilter,
    JournalEntry,
    OutboxRow,
    Progress,
    Serves,
    Standing,
    StoredAnswer,
    TimerRow,
    VersionUse,
    Waiver,
)
from .schedules import ISchedules


class IDefinitions(Protocol):
    """Published definitions, immutable per tenant, name and version."""

    async def save_definition(self, record: DefinitionRecord, act: Act | None = None) -> None:
        """Store the definition, and record `act`. The same name, version and content again changes nothing.

        Raises `Conflict` (code `version_exists`) when the version exists with other content.
        """

    async def definition(self, tenant_id: TenantId, name: str, version: str) -> DefinitionRecord:
        """Return that exact definition; raises `NotFound`."""

    async def definitions(self, tenant_id: TenantId) -> Sequence[DefinitionRecord]:
        """Return all definitions of the tenant, by name, the latest published first within a name."""

    async def save_deprecation(self, deprecation: Deprecation, act: Act | None = None) -> None:
        """Store it, for an earlier one of that version, and record `act`; raises `NotFound` without it."""

    async def withdraw_deprecation(
        self, tenant_id: TenantId, name: str, version: str, now: datetime, act: Act | None = None
    ) -> Deprecation:
        """End the deprecation, record `act`, and return it; one withdrawn is left. Raises `NotFound`."""

    async def deprecations(self, tenant_id: TenantId) -> Sequence[Deprecation]:
        """Return every deprecation of the tenant, by name and version, those withdrawn included."""

    async def versions_in_use(self, tenant_id: TenantId, name: str | None = None) -> Mapping[str, VersionUse]:
        """Return, as `name@version`, every version that instances of the tenant are pinned to.

        With `name`, of that definition only.
        """


class IInstances(Protocol):
    """Instances and their transitions."""

    async def commit(self, commit: Commit) -> None:
        """Apply every part of `commit`, or none.

        Afterwards each instance reads as `decision.instance`; its events have the tenant's next positions,
        dense and in order; each is in the outbox; a `StepTriggered` is there as the message
        `STEP_TRIGGERED` with event_type, instance_id, trigger_data and timestamp; queued attempts can be
        claimed; timers are set or cleared; continuations wait; votes are rows; the tree's counters include
        the change; what was spent and asked for counts in the usage of every instance whose limits it is
        under; the consumed continuations are gone; the key, if any, answers from now on; so does the
        schedule, if any, as `change_schedule` leaves it, and raises the same; the act, if any, is recorded.
        Creating an instance or an attempt that exists already changes nothing about it.
        With `shares`, the attempts of these phases of the source are the new instance's too, under ids of its
        own; so are their artifacts, which refer to the same bytes, and what `once` stored in these phases.
        With `decision.kept` it is the newest for its key, unless an artifact of the instance was deleted.
        With `decision.reused` that attempt is the instance's too, under that number, with its artifacts.
        Raises `SeqConflict` when an instance's stored `seq` is not that of `before`, when it has an
        artifact, not deleted, of another phase than `no_artifact_but` says, when more children are asked for
        than a limit or the tree has room for, or when the source of `shares` is not at that `seq`,
        or when the attempt to be reused has not succeeded, an artifact of it or of the parent is deleted, its
        instance went on to another attempt, or something is undone there or above;
        `StaleFence` when a started or ended attempt is not leased under that fence;
        `KeyReused` (code `key_taken`) when the key exists unexpired; `Conflict` (code `artifact_deleted`)
        when an artifact to be shared is deleted; `NotFound` when `before` or `shares` names an instance that
        does not exist.
        """

    async def instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        """Return the instance as last committed; raises `NotFound`."""

    async def standing(self, tenant_id: TenantId, instance_id: InstanceId) -> Standing:
        """Return where the instance stands, reading nothing that grows with it; raises `NotFound`."""

    def recent_instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        """Return the instance as this process committed it not long ago, without asking the store, or None.

        It may be older than what is stored, so it serves only where a commit checks its `seq`; it never
        shows what was not committed, as long as nobody changes the values that a commit was given.
        """

    async def used(self, tenant_id: TenantId, root_id: InstanceId, by: Collection[InstanceId]) -> Used:
        """Return what was used by those instances of the tree, each with all below it, and in the whole tree.

        Raises `NotFound` for a tree that does not exist, and `StoreDamaged` when the usage of one of them is
        not there.
        """

    async def instances(self, tenant_id: TenantId, wanted: InstanceFilter) -> Sequence[Instance]:
        """Return matching instances, the newest first (children by index), at most `limit`.

        `before` continues after the instance with that id. With `parent_id` (and `phase`), its children.
        """

    async def feature_counts(self, tenant_id: TenantId, feature_id: str) -> Sequence[FeatureCount]:
        """Return how many roots of the feature stand how, by definition name, status and waiting reason.

        Children are not counted. Nothing is returned for a feature that no root has.
        """

    async def stored_answer(self, tenant_id: TenantId, principal: Principal, key: str) -> StoredAnswer | None:
        """Return what was stored under the unexpired key, or None."""

    async def drop_expired_keys(self, now: datetime, limit: int = 500) -> int:
        """Delete idempotency keys that expired at or before `now`, of all tenants; returns how many.

        At most `limit` at once: call it again until it returns 0.
        """

    async def tree_status(self, tenant_id: TenantId, root_id: InstanceId, now: datetime) -> TreeStatus:
        """Return the roll-up of the tree, touching a bounded number of rows; raises `NotFound`."""

    async def tree(
        self, tenant_id: TenantId, root_id: InstanceId, *, after: InstanceId | None = None, limit: int = 1000
    ) -> Sequence[Instance]:
        """Return the nodes of a tree in order of creation, parents first; `after` continues a page."""


class IGates(Protocol):
    """Answers to gates, and waivers given beforehand."""

    async def votes(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[Vote]:
        """Return every answer given to a gate of the instance, in order; also those changed since."""

    async def save_waiver(self, waiver: Waiver, act: Act | None = None) -> None:
        """Store the waiver, and record `act`."""

    async def revoke_waiver(
        self, tenant_id: TenantId, waiver_id: WaiverId, now: datetime, act: Act | None = None
    ) -> Waiver:
        """End the waiver, record `act`, and return it; one that was revoked is left. Raises `NotFound`."""

    async def waivers(self, tenant_id: TenantId) -> Sequence[Waiver]:
        """Return every waiver of the tenant, the newest first, those that ended included."""

    async def waiver_for(
        self,
        tenant_id: TenantId,
        name: str,
        phase: str,
        feature_id: str | None,
        now: datetime,
        *,
        given_by: datetime,
    ) -> Waiver | None:
        """Return the waiver of that gate that lasts longest, neither expired nor revoked at `now`, or None.

        One for a feature serves its instances only, one without serves all; one given after `given_by` does
        not serve.
        """


class IAttempts(Protocol):
    """Attempts and their leases."""

    async def claim(
        self,
        runner_id: RunnerId,
        owner_id: OwnerId | None,
        *,
        now: datetime,
        lease_expires_at: datetime,
        serves: Serves | None = None,
    ) -> AttemptRow | None:
        """Lease the attempt queued longest and return it with its new, higher fence; None when there is none.

        With `owner_id`, only attempts of trees that owner has are considered; with `serves`, only those that
        `may_hold` says. Of many claims at once, exactly one gets an attempt. One whose row is damaged stays
        queued, and the next is leased.
        """

    async def heartbeat(
        self,
        tenant_id: TenantId,
        attempt_id: AttemptId,
        fence: int,
        *,
        lease_expires_at: datetime,
        progress: Progress | None,
    ) -> None:
        """Extend the lease and keep the last progress; raises `StaleFence` unless leased under `fence`."""

    async def attempt(self, tenant_id: TenantId, attempt_id: AttemptId) -> AttemptRow:
        """Return the attempt; raises `NotFound`."""

    async def attempts(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[AttemptRow]:
        """Return every attempt of the instance in the order they were queued."""

    async def expired_leases(
        self, now: datetime, limit: int = 100, *, after: AttemptRow | None = None
    ) -> Sequence[AttemptRow]:
        """Return leased attempts whose lease ended before `now`, of all tenants, the oldest first.

        `after` continues behind that one, whatever became of it.
        """

    async def leases_of(self, owner_id: OwnerId) -> Sequence[AttemptRow]:
        """Return the attempts leased through that owner."""

    async def running_attempts(self, root_id: InstanceId, tenant_id: TenantId) -> Sequence[AttemptRow]:
        """Return the queued and leased attempts in a tree, with their progress."""


class IContinuations(Protocol):
    """The engine's own notes and clocks; read across tenants."""

    async def continuations(self, limit: int = 200, *, after: int = 0) -> Sequence[ContinuationRow]:
        """Return waiting continuations, the oldest first; `after` continues behind the one with that id."""

    async def drop_continuations(self, ids: Collection[int]) -> None:
        """Delete continuations that turned out to be of no consequence."""

    async def due_timers(
        self, now: datetime, limit: int = 100, *, after: TimerRow | None = None
    ) -> Sequence[TimerRow]:
        """Return timers due at or before `now`, the earliest first.

        `after` continues behind that one, whatever became of it.
        """

    async def next_due(self) -> datetime | None:
        """Return when the earliest timer that can be read is due, or None."""

    async def drop_timer(self, timer: TimerRow) -> None:
        """Delete exactly this timer; one set anew in between stays."""


class IEvents(Protocol):
    """Events and the outbox."""

    async def events(
        self,
        tenant_id: TenantId,
        *,
        instance_id: InstanceId | None = None,
        root_id: InstanceId | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[StoredEvent]:
        """Return events above position `after` in order; of one instance or one tree if given."""

    async def last_event(self, tenant_id: TenantId, root_id: InstanceId) -> int:
        """Return the position of the latest event of a tree, 0 without any; no event is read for it."""

    async def outbox(self, limit: int = 100) -> Sequence[OutboxRow]:
        """Return messages not yet published, in order of commit."""

    async def outbox_published(self, ids: Collection[int]) -> None:
        """Delete messages that the bus has taken."""

    def change_token(self) -> int:
        """Return a number that changes whenever anybody has committed."""

    async def wait_for_change(self, seen: int, timeout_sec: float) -> int:
        """Return as soon as the change token differs from `seen`, at the latest after `timeout_sec`.

        Commits of other processes on the same store count as well (within 100 ms).
        """


class IArtifactRows(Protocol):
    """Artifact rows, blobs and the journal."""

    async def touch_blob(self, tenant_id: TenantId, sha256: Sha256, size_bytes: int, now: datetime) -> None:
        """Make sure a live blob row exists and was touched at `now`.

        Raises `Conflict` (code `blob_deleting`) when it is being deleted; try again later.
        """

    async def publish_artifact(self, record: ArtifactRecord, fence: int | None) -> None:
        """Add the row, replacing one of the same attempt and name.

        With a fence, raises `StaleFence` unless the attempt is leased under it; None is the engine itself.
        Raises `Conflict` (code `blob_missing`) unless the blob is live.
        """

    async def artifacts(
        self, tenant_id: TenantId, instance_id: InstanceId, *, include_deleted: bool = False
    ) -> Sequence[ArtifactRecord]:
        """Return the artifacts of an instance by phase, attempt and name."""

    async def set_artifact_deleted(
        self, tenant_id: TenantId, attempt_id: AttemptId, name: str, deleted_at: datetime | None
    ) -> None:
        """Soft-delete (a time) or restore (None) the artifact; raises `NotFound`."""

    async def collectable_blobs(
        self, tenant_id: TenantId, untouched_since: datetime, limit: int = 100
    ) -> Sequence[Sha256]:
        """Mark unreferenced blobs, untouched since then, as deleting and return them.

        A blob is referenced by an artifact row (soft-deleted or not), a bundle or a journal entry. Blobs left
        marked by an earlier collection are returned again.
        """

    async def tenants_with_blobs(self) -> Sequence[TenantId]:
        """Return every tenant that has a blob, in the order of their ids."""

    async def forget_blobs(self, tenant_id: TenantId, hashes: Collection[Sha256]) -> None:
        """Delete the rows of blobs marked as deleting."""

    async def journal_get(
        self, tenant_id: TenantId, instance_id: InstanceId, phase: str, name: str
    ) -> JournalEntry | None:
        """Return what `once` stored for that phase of the instance, whichever attempt wrote it."""

    async def journal_put(
        self,
        tenant_id: TenantId,
        attempt_id: AttemptId,
        fence: int,
        name: str,
        *,
        value: JsonValue = None,
        sha256: Sha256 | None = None,
        now: datetime,
    ) -> JournalEntry:
        """Store the entry unless one of that name exists, and return the stored one: the first writer wins.

        Raises `StaleFence` unless the attempt is leased under `fence`.
        """


class IStateStorage(
    IDefinitions,
    IInstances,
    IGates,
    IAttempts,
    IContinuations,
    IEvents,
    IArtifactRows,
    IOwnership,
    ISchedules,
    IAudit,
    IKeptOutcomes,
    Protocol,
):
    """The whole store."""

    async def close(self) -> None:
        """Release everything; no method is called afterwards."""
