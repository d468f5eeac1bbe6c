"""Looks for an earlier outcome with the same inputs, outside of any transition."""

import hashlib

from chatflow_jupyter.domain.advance import parameters_of
from chatflow_jupyter.domain.errors import InternalError, NotFound, StoreDamaged, Unreachable
from chatflow_jupyter.domain.ids import InstanceId, Sha256, attempt_id
from chatflow_jupyter.domain.instance import Instance, WaitingReason
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.domain.requests import CachedOutcome, CacheLookedUp
from chatflow_jupyter.domain.reuse import key_of, notebook_name, outcome_of, settled_phases
from chatflow_jupyter.domain.schedules import scheduled_at_of
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import ArtifactRecord, DefinitionRecord, KeptRow
from chatflow_jupyter.ports.state_storage import IStateStorage

from .artifacts import Artifacts
from .hook_calls import Hooks
from .pinned import PinnedDefinitions
from .shown import approved_of

NOT_THERE = (NotFound, StoreDamaged, InternalError, Unreachable, OSError)
MAX_REMEMBERED = 64


class Reuse:
    """Answers instances that wait to hear of an earlier outcome."""

    def __init__(
        self,
        storage: IStateStorage,
        artifacts: Artifacts,
        pinned: PinnedDefinitions,
        hooks: Hooks,
        clock: Clock,
    ) -> None:
        """Read from `storage` and `artifacts`; where one of `hooks` judges, nothing is reused."""
        self._storage = storage
        self._artifacts = artifacts
        self._pinned = pinned
        self._hooks = hooks
        self._clock = clock
        self._files: dict[tuple[Sha256, str], Sha256] = {}

    async def answer(self, instance: Instance) -> CacheLookedUp | None:
        """Return what `instance` waits to hear, or None when it waits for nothing of that kind."""
        if instance.waiting_reason is not WaitingReason.CACHE or instance.phase is None:
            return None
        sought = instance.phases[instance.phase].sought
        if sought is None:
            return None
        key, found = None, None
        if not self._has_to_run(instance):
            key = await self._key(instance.phase, instance)
        if key is not None and not instance.anew:
            found = await self._found(instance, key)
        return CacheLookedUp(attempt=sought.attempt, seq=sought.seq, key=key, found=found)

    def _has_to_run(self, instance: Instance) -> bool:
        """Whether somebody judges what this attempt does: people who approved it, hooks behind it.

        Then it has no key either: no other attempt could use what it hands over.
        """
        return self._hooks.plan().judges or approved_of(instance) is not None

    async def _key(self, name: str, instance: Instance) -> Sha256 | None:
        """Return the hash over the inputs; None when they cannot all be read, as the attempt will say."""
        try:
            record = await self._pinned.of(instance.tenant_id, instance.definition)
            phase = record.definition.phase(name)
            parameters = parameters_of(phase, instance)
            files = await self._files_of(record)
            artifacts = await self._readable_artifacts(instance)
        except (LookupError, *NOT_THERE):
            return None
        return key_of(
            phase,
            instance,
            parameters,
            files=files,
            scheduled_at=scheduled_at_of(instance),
            artifacts=artifacts,
        )

    async def _files_of(self, record: DefinitionRecord) -> Sha256:
        """Return a hash over the names and bytes of all files of the bundle but the definition itself."""
        named = (record.bundle_sha256, record.entry)
        if named not in self._files:
            files = await self._artifacts.bundle_files(record.tenant_id, record.bundle_sha256)
            whole = hashlib.sha256()
            for name in sorted(files):
                if name != record.entry:
                    whole.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
            if len(self._files) >= MAX_REMEMBERED:
                self._files.pop(next(iter(self._files)))
            self._files[named] = Sha256(whole.hexdigest())
        return self._files[named]

    async def _readable_artifacts(self, instance: Instance) -> JsonValue:
        """Return what the notebook can fetch: artifacts of its own instance and of its parent's."""
        known: dict[str, JsonValue] = {"own": await self._artifacts_of(instance)}
        if instance.parent is not None:
            above = await self._storage.instance(instance.tenant_id, instance.parent.instance_id)
            known["parent"] = await self._artifacts_of(above)
        return known

    async def _artifacts_of(self, instance: Instance) -> JsonObject:
        settled = settled_phases(instance)
        newest: dict[str, ArtifactRecord] = {}
        for record in await self._storage.artifacts(instance.tenant_id, instance.instance_id):
            place = f"{record.phase}/{record.name}"
            if record.phase not in settled or is_run_itself(record):
                continue
            if place not in newest or newest[place].attempt < record.attempt:
                newest[place] = record
        return {place: record.sha256 for place, record in newest.items()}

    async def _found(self, instance: Instance, key: Sha256) -> CachedOutcome | None:
        """Return what is kept for these inputs, if all of it is there and still stands."""
        try:
            row = await self._storage.kept_outcome(instance.tenant_id, key, self._clock.now())
            if row is None or row.outcome.phase != instance.phase:
                return None
            source = await self._storage.instance(instance.tenant_id, row.instance_id)
            outputs = outcome_of(source, row.outcome.phase, row.outcome.attempt)
            if outputs is None or not await self._is_whole(source.instance_id, row):
                return None
            if not await self._stands_above(source):
                return None
        except NOT_THERE:
            return None
        return CachedOutcome(
            instance_id=row.instance_id,
            attempt=row.outcome.attempt,
            outputs=outputs,
            risk=row.outcome.risk,
            made_at=row.outcome.made_at,
        )

    async def _stands_above(self, source: Instance) -> bool:
        """Whether nothing above was undone or to be, and no artifact that could be read there is deleted."""
        parent, node = source.parent, source
        if parent is not None:
            above = await self._storage.artifacts(source.tenant_id, parent.instance_id, include_deleted=True)
            if any(record.deleted_at is not None for record in above):
                return False
        while node.parent is not None:
            node = await self._storage.instance(node.tenant_id, node.parent.instance_id)
            if node.undoing is not None:
                return False
        return True

    async def _is_whole(self, source_id: InstanceId, row: KeptRow) -> bool:
        """Whether the attempt can be read, no artifact of it was deleted, and the bytes of each are there.

        What only an earlier attempt of the phase left behind, it cannot hand over.
        """
        of = (row.outcome.phase, row.outcome.attempt)
        made = await self._storage.attempt(row.tenant_id, attempt_id(source_id, *of))
        if made.status != "succeeded":
            return False
        known = await self._storage.artifacts(row.tenant_id, source_id, include_deleted=True)
        own = {record.name for record in known if (record.phase, record.attempt) == of}
        for record in known:
            if record.phase == of[0] and record.attempt < of[1] and record.name not in own:
                return False
            if (record.phase, record.attempt) != of:
                continue
            if record.deleted_at is not None or not await self._artifacts.is_there(record):
                return False
        return True


def is_run_itself(record: ArtifactRecord) -> bool:
    """Whether the artifact is the executed notebook of its phase, which is no input of another."""
    return record.kind == "notebook" and record.name == notebook_name(record.phase)
