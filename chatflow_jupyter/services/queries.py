"""Reading: instances, trees, history and artifacts, for every client alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.due import Due
from chatflow_jupyter.domain.errors import InvalidInput, NotFound
from chatflow_jupyter.domain.events import Event, EventType, StoredEvent
from chatflow_jupyter.domain.ids import InstanceId, TenantId
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.domain.tree import TreeStatus
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import ArtifactRecord, AttemptRow, InstanceFilter, Standing
from chatflow_jupyter.ports.state_storage import IStateStorage

from .artifacts import Artifacts
from .deadline_now import deadline_of
from .gate_now import GateNow, gate_now
from .pinned import PinnedDefinitions
from .shown import shown_hash

PAGE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusInfo:
    """All that a person wants to know of an instance now; `artifacts` is how many there are."""

    instance: Instance
    gate: GateNow | None
    due: Due | None
    artifacts: int


class Queries:
    """Everything that only reads.

    Of one instance there are three layers of different cost: `state` reads one row's columns, whatever the
    instance knows; `status_info` reads the instance and what belongs to it now; `history` all that happened.
    """

    def __init__(
        self, storage: IStateStorage, artifacts: Artifacts, pinned: PinnedDefinitions, clock: Clock
    ) -> None:
        """Read from `storage`."""
        self._storage = storage
        self._artifacts = artifacts
        self._pinned = pinned
        self._clock = clock

    async def find(self, tenant_id: TenantId, text: str) -> InstanceId:
        """Return the instance meant by a full id, a unique beginning of one, or `last` (the newest root)."""
        if text == "last":
            newest = await self._storage.instances(tenant_id, InstanceFilter(limit=1, families=False))
            if not newest:
                raise NotFound("there is no instance yet; start one with `chatflow run`")
            return newest[0].instance_id
        try:
            return (await self._storage.instance(tenant_id, InstanceId(text))).instance_id
        except NotFound:
            pass
        text = text if text.isprintable() else repr(text)
        recent = await self._storage.instances(tenant_id, InstanceFilter(limit=PAGE, families=False))
        stems = (text, f"wfi_{text}")
        matching = [entry.instance_id for entry in recent if entry.instance_id.startswith(stems)]
        if len(matching) == 1 and len(text) >= 4:
            return matching[0]
        if len(matching) > 1:
            raise InvalidInput(f"{text}: {len(matching)} instances begin like that; give more of the id")
        raise NotFound(f"{text}: there is no such instance; `chatflow list` shows those there are")

    async def state(self, tenant_id: TenantId, instance_id: InstanceId) -> Standing:
        """Return where the instance stands, at the same small cost for every one: made to be asked often."""
        return await self._storage.standing(tenant_id, instance_id)

    async def status_info(self, tenant_id: TenantId, instance_id: InstanceId) -> StatusInfo:
        """Return the instance with its open gate, its nearest deadline and how much it has stored."""
        instance = await self._storage.instance(tenant_id, instance_id)
        return StatusInfo(
            instance=instance,
            gate=await self.gate(instance),
            due=await self.deadline(instance),
            artifacts=len(await self._storage.artifacts(tenant_id, instance_id)),
        )

    async def instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance:
        """Return the instance."""
        return await self._storage.instance(tenant_id, instance_id)

    async def instances(self, tenant_id: TenantId, wanted: InstanceFilter) -> Sequence[Instance]:
        """Return matching instances, the newest first."""
        return await self._storage.instances(tenant_id, wanted)

    async def definition(self, instance: Instance) -> Definition:
        """Return the definition the instance is pinned to."""
        return (await self._pinned.of(instance.tenant_id, instance.definition)).definition

    async def gate(self, instance: Instance) -> GateNow | None:
        """Return the gate the instance waits at and how far its answers are, or None."""
        if instance.gate is None or instance.phase is None:
            return None
        definition = await self.definition(instance)
        tenant_id, instance_id = instance.tenant_id, instance.instance_id
        shown = await shown_hash(self._storage, tenant_id, instance_id, but=instance.phase)
        return gate_now(definition.phase(instance.phase), instance.gate, shown)

    async def deadline(self, instance: Instance) -> Due | None:
        """Return the next deadline that ends the instance: its own, or one above it; None without any."""
        return await deadline_of(self._storage, instance)

    async def tree_status(self, tenant_id: TenantId, root_id: InstanceId) -> TreeStatus:
        """Return the roll-up of the tree under `root_id`."""
        return await self._storage.tree_status(tenant_id, root_id, self._clock.now())

    async def tree(
        self, tenant_id: TenantId, root_id: InstanceId, *, after: InstanceId | None = None, limit: int = PAGE
    ) -> Sequence[Instance]:
        """Return nodes of a tree, parents before children."""
        return await self._storage.tree(tenant_id, root_id, after=after, limit=limit)

    async def attempts(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[AttemptRow]:
        """Return the attempts of an instance."""
        return await self._storage.attempts(tenant_id, instance_id)

    async def running_attempts(self, tenant_id: TenantId, root_id: InstanceId) -> Sequence[AttemptRow]:
        """Return queued and leased attempts of a tree, with their progress."""
        return await self._storage.running_attempts(root_id, tenant_id)

    async def events(
        self,
        tenant_id: TenantId,
        *,
        instance_id: InstanceId | None = None,
        root_id: InstanceId | None = None,
        after: int = 0,
        limit: int = PAGE,
    ) -> Sequence[StoredEvent]:
        """Return events after a position."""
        return await self._storage.events(
            tenant_id, instance_id=instance_id, root_id=root_id, after=after, limit=limit
        )

    async def last_event(self, tenant_id: TenantId, root_id: InstanceId) -> int:
        """Return the position behind which is what is yet to happen to a tree."""
        return await self._storage.last_event(tenant_id, root_id)

    async def history(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[StoredEvent]:
        """Return all events of an instance."""
        collected: list[StoredEvent] = []
        while True:
            after = collected[-1].position if collected else 0
            page = await self._storage.events(tenant_id, instance_id=instance_id, after=after, limit=PAGE)
            collected += page
            if len(page) < PAGE:
                return collected

    async def termination(self, instance: Instance) -> Event | None:
        """Return what ended an instance before its time, with who did it and why; None for all others."""
        if instance.status is not Status.TERMINATED:
            return None
        events = [stored.event for stored in await self.history(instance.tenant_id, instance.instance_id)]
        return next((one for one in reversed(events) if one.type is EventType.INSTANCE_TERMINATED), None)

    async def artifacts(self, tenant_id: TenantId, instance_id: InstanceId) -> Sequence[ArtifactRecord]:
        """Return the artifacts of an instance."""
        return await self._storage.artifacts(tenant_id, instance_id)

    async def fetch_artifact(self, record: ArtifactRecord, target: Path) -> None:
        """Write an artifact's bytes to the new file `target`."""
        await self._artifacts.fetch(record, target)
