"""Forks: from what a caller asks for to a new root that begins at a phase of another instance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chatflow_jupyter.domain.decision import Refusal
from chatflow_jupyter.domain.definition import Phase, is_local_schema
from chatflow_jupyter.domain.errors import Conflict, InvalidInput, SeqConflict
from chatflow_jupyter.domain.fork import create_fork, first_difference, shared_phases
from chatflow_jupyter.domain.ids import InstanceId, OwnerId, Principal, TenantId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonObject, check_json, own_json
from chatflow_jupyter.ports.clock import Clock, IdFactory
from chatflow_jupyter.ports.records import DefinitionRecord, SharedWork
from chatflow_jupyter.ports.state_storage import IStateStorage

from .acts import check_key
from .artifacts import Artifacts
from .new_instances import Birth
from .orchestrator import MAX_RACES, Orchestrator
from .pinned import PinnedDefinitions
from .refusals import refused


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFork:
    """What a caller asks for: a fork of `source_id` that begins at `phase`, with `changes` to its context.

    `record` is the definition it goes on with; None is the source's own.
    """

    tenant_id: TenantId
    source_id: InstanceId
    phase: str
    principal: Principal
    changes: JsonObject = field(default_factory=dict)
    record: DefinitionRecord | None = None
    feature_id: str | None = None
    automation_level: int | None = None
    anew: bool = False
    owner_id: OwnerId | None = None

    @property
    def body(self) -> JsonObject:
        """What two requests with one idempotency key must have in common."""
        return {
            "call": "fork",
            "instance_id": self.source_id,
            "phase": self.phase,
            "changes": self.changes,
            "schema_id": None if self.record is None else self.record.reference.name,
            "feature_id": self.feature_id,
            "automation_level": self.automation_level,
            **({"anew": True} if self.anew else {}),
        }


class Forks:
    """Begins instances in the middle of others. The others do not notice."""

    def __init__(
        self,
        storage: IStateStorage,
        artifacts: Artifacts,
        pinned: PinnedDefinitions,
        orchestrator: Orchestrator,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        """Commit through `orchestrator`, with time and ids from outside."""
        self._storage = storage
        self._artifacts = artifacts
        self._pinned = pinned
        self._orchestrator = orchestrator
        self._clock = clock
        self._ids = ids

    async def fork(self, new: NewFork, *, key: str | None = None) -> Instance:
        """Create the fork and begin it in one commit; a used key gives the same one.

        Raises `NotFound`, `InvalidInput`, or `Conflict`: the source never came to the phase (`not_reached`),
        what it did was undone (`compensated`), an artifact of it was deleted (`artifact_deleted`), or the
        other definition has other earlier phases (`phase_differs`).
        """
        check_key(key)
        check_json(new.changes, what="parameters")
        level = new.automation_level
        if level is not None and not 0 <= level <= 100:
            raise InvalidInput(f"automation level: {level} is not between 0 and 100")
        instance_id = self._ids.instance_id()
        for _ in range(MAX_RACES):
            try:
                return await self._orchestrator.bear(
                    lambda: self._born(new, instance_id),
                    tenant_id=new.tenant_id,
                    principal=new.principal,
                    key=key,
                    body=new.body,
                    owner_id=new.owner_id,
                    about=f"{new.source_id}/{new.phase}",
                )
            except SeqConflict:  # the source went on meanwhile
                continue
        raise SeqConflict(f"{new.source_id}: {MAX_RACES} other changes came first; try again")

    async def _born(self, new: NewFork, instance_id: InstanceId) -> Birth:
        source = await self._storage.instance(new.tenant_id, new.source_id)
        own = await self._pinned.of(new.tenant_id, source.definition)
        record = own if new.record is None else new.record
        shared = shared_phases(own.definition, source, new.phase)
        if isinstance(shared, Refusal):
            raise refused(shared, new.source_id)
        if record.reference != own.reference:
            await self._check_unchanged(own, record, shared, new.phase)
        decision = create_fork(
            record.definition,
            record.reference,
            source,
            shared,
            new.phase,
            instance_id=instance_id,
            changes=own_json(new.changes),
            principal=new.principal,
            now=self._clock.now(),
            feature_id=new.feature_id,
            automation_level=new.automation_level,
            anew=new.anew,
            hooks=self._orchestrator.in_force(),
        )
        shares = SharedWork(source_id=source.instance_id, seq=source.seq, phases=shared)
        return Birth(record=record, decision=decision, shares=shares)

    async def _check_unchanged(
        self, own: DefinitionRecord, other: DefinitionRecord, shared: Sequence[str], phase: str
    ) -> None:
        """Raise `Conflict` unless the shared phases are in `other` what they were; names the first not."""
        difference = first_difference(own.definition, other.definition, shared, phase)
        if difference is None and shared:
            difference = await self._differing_bytes(own, other, shared)
        if difference is not None:
            raise Conflict(
                f"{other.reference.schema_id} cannot go on with what ran as {own.reference.schema_id}: "
                f"{difference}; fork from an earlier phase",
                code="phase_differs",
            )

    async def _differing_bytes(
        self, own: DefinitionRecord, other: DefinitionRecord, shared: Sequence[str]
    ) -> str | None:
        before = await self._artifacts.bundle_files(own.tenant_id, own.bundle_sha256)
        after = await self._artifacts.bundle_files(other.tenant_id, other.bundle_sha256)
        for name in shared:
            phase = own.definition.phase(name)
            found = await self._difference_within(phase, own, other, (before, after))
            if found is not None:
                return f"{found} of its phase {name} differs"
        return None

    async def _difference_within(
        self,
        phase: Phase,
        own: DefinitionRecord,
        other: DefinitionRecord,
        files: tuple[Mapping[str, bytes], Mapping[str, bytes]],
    ) -> str | None:
        """Return what a phase written the same way runs other bytes of: its notebook, or that of a child."""
        before, after = files
        if phase.notebook is not None and before[phase.notebook] != after[phase.notebook]:
            return f"the notebook {phase.notebook}"
        for reference in phase.child_schemas:
            if not is_local_schema(reference):
                if own.pins[reference] != other.pins[reference]:
                    return f"the version of the child {reference}"
                continue
            ours = await self._pinned.child_of(own, reference)
            theirs = await self._pinned.child_of(other, reference)
            if ours.definition.dump() != theirs.definition.dump():
                return f"the child {reference}"
            for each in ours.definition.phases:  # no definition starts itself, so this ends
                found = await self._difference_within(each, ours, theirs, files)
                if found is not None:
                    return found
        return None
