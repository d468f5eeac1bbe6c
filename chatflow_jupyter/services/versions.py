"""Versions: publishing them for good, listing them, and saying that one is not to be started any more."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chatflow_jupyter.domain.audit import Act, Verb
from chatflow_jupyter.domain.definition import Definition, split_schema_id
from chatflow_jupyter.domain.definition_yaml import read_yaml
from chatflow_jupyter.domain.errors import Conflict, InvalidDefinition, InvalidInput, NotFound
from chatflow_jupyter.domain.ids import Principal, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef
from chatflow_jupyter.domain.versions import is_plain, precedence, unfit_version
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import DefinitionRecord, Deprecation, VersionUse
from chatflow_jupyter.ports.state_storage import IDefinitions

from .artifacts import Artifacts
from .definitions import Definitions, parse_entry, read_template
from .differing import differences
from .offered import named
from .templates import ENTRY
from .validation import validate_files

MAX_REASON_LENGTH = 2000
NOBODY = VersionUse(instances=0, unfinished=0)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A version as it is published now; `is_new` unless it was there before, with the same content."""

    record: DefinitionRecord
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class KnownVersion:
    """A published version, whether it is deprecated, and how many instances are pinned to it."""

    record: DefinitionRecord
    deprecation: Deprecation | None
    use: VersionUse


class Versions:
    """What is published under plain versions, and what became of them."""

    def __init__(
        self, storage: IDefinitions, artifacts: Artifacts, definitions: Definitions, clock: Clock
    ) -> None:
        """Publish through `definitions`; the rest is about what `storage` and `artifacts` hold."""
        self._storage = storage
        self._artifacts = artifacts
        self._definitions = definitions
        self._clock = clock

    async def publish(self, folder: Path, tenant_id: TenantId, principal: Principal) -> Published:
        """Publish a template folder under the version it names; the same content again changes nothing.

        Raises `InvalidDefinition` with every fault, and `Conflict` (code `version_exists`) with what differs.
        """
        where = f"{folder}/"
        files = await asyncio.to_thread(read_template, folder)
        problems = (await asyncio.to_thread(validate_files, files, ENTRY, where)).problems
        if problems:
            raise InvalidDefinition(tuple(problems))
        definition = parse_entry(files, ENTRY, where)
        line = read_yaml(files[ENTRY], file=ENTRY).line_of(("version",))
        unfit = unfit_version(definition)
        if unfit is not None:
            raise InvalidDefinition((f"{where}{ENTRY}:{line}: {unfit}",))
        before = await self._stored(tenant_id, definition)
        try:
            record = await self._definitions.publish_files(files, tenant_id, where=where, principal=principal)
        except Conflict as error:
            if error.code != "version_exists":
                raise
            raise await self._taken(definition, files, tenant_id, where, line) from None
        return Published(record=record if before is None else before, is_new=before is None)

    async def all(self, tenant_id: TenantId, name: str | None = None) -> Sequence[KnownVersion]:
        """Return what is published, or the versions of one definition; the newest plain ones first.

        Raises `NotFound` for a name or alias of which nothing is published.
        """
        known = await self._storage.definitions(tenant_id)
        wanted = known if name is None else named(known, name)
        if name is not None and not wanted:
            raise NotFound(
                f"{name}: nothing is published under that name; `chatflow schemas versions` lists all"
            )
        deprecated = await self.deprecated(tenant_id)
        used = await self._storage.versions_in_use(
            tenant_id, None if name is None else wanted[0].reference.name
        )
        found = [
            KnownVersion(
                record=record,
                deprecation=deprecated.get(record.reference.schema_id),
                use=used.get(record.reference.schema_id, NOBODY),
            )
            for record in wanted
        ]
        found.sort(key=_newest_plain_first, reverse=True)
        return sorted(found, key=lambda version: version.record.reference.name)

    async def deprecated(self, tenant_id: TenantId) -> dict[str, Deprecation]:
        """Return the deprecations in force, by `name@version`."""
        found = await self._storage.deprecations(tenant_id)
        return {f"{each.name}@{each.version}": each for each in found if each.withdrawn_at is None}

    async def deprecation_of(self, tenant_id: TenantId, reference: DefinitionRef) -> Deprecation | None:
        """Return the deprecation of that version, if one is in force."""
        return (await self.deprecated(tenant_id)).get(reference.schema_id)

    async def deprecate(
        self, tenant_id: TenantId, schema_id: str, reason: str, principal: Principal
    ) -> KnownVersion:
        """Say that a version is not to be started any more; what runs goes on, and children stay pinned.

        Raises `NotFound`, and `InvalidInput` unless `schema_id` is `name@1.2.0`.
        """
        if not reason.strip() or len(reason) > MAX_REASON_LENGTH:
            raise InvalidInput(f"--reason: 1 to {MAX_REASON_LENGTH} characters that say why")
        reference = await self._exactly(tenant_id, schema_id)
        now = self._clock.now()
        await self._storage.save_deprecation(
            Deprecation(
                tenant_id=tenant_id,
                name=reference.name,
                version=reference.version,
                principal=principal,
                reason=reason,
                deprecated_at=now,
            ),
            _act_on(reference, "deprecate", principal, now, reason),
        )
        return await self._known(tenant_id, reference)

    async def withdraw(self, tenant_id: TenantId, schema_id: str, principal: Principal) -> KnownVersion:
        """Take the deprecation of a version back; raises `NotFound` when it has none."""
        reference = await self._exactly(tenant_id, schema_id)
        if await self.deprecation_of(tenant_id, reference) is None:
            raise NotFound(f"{reference.schema_id} is not deprecated")
        now = self._clock.now()
        act = _act_on(reference, "undeprecate", principal, now)
        named = (reference.name, reference.version)
        await self._storage.withdraw_deprecation(tenant_id, *named, now, act)
        return await self._known(tenant_id, reference)

    async def _stored(self, tenant_id: TenantId, definition: Definition) -> DefinitionRecord | None:
        try:
            return await self._storage.definition(tenant_id, definition.name, definition.version)
        except NotFound:
            return None

    async def _taken(
        self,
        definition: Definition,
        files: Mapping[str, bytes],
        tenant_id: TenantId,
        where: str,
        line: int,
    ) -> Conflict:
        there = await self._storage.definition(tenant_id, definition.name, definition.version)
        before = await self._artifacts.bundle_files(tenant_id, there.bundle_sha256)
        pins = await self._definitions.pins_of(definition, files, tenant_id, where=where)
        told = "; ".join(differences(before, files, (there.pins, pins)))
        return Conflict(
            f"{there.reference.schema_id} is published with other content ({told}); raise `version` in "
            f"{where}{ENTRY}:{line}",
            code="version_exists",
        )

    async def _exactly(self, tenant_id: TenantId, schema_id: str) -> DefinitionRef:
        _, version = split_schema_id(schema_id)
        if "/" in schema_id or version is None or not is_plain(version):
            raise InvalidInput(
                f"{schema_id}: name a published version exactly, as name@1.2.0; development versions are not "
                "deprecated, they are whatever a folder was"
            )
        return (await self._definitions.resolve(schema_id, tenant_id)).reference

    async def _known(self, tenant_id: TenantId, reference: DefinitionRef) -> KnownVersion:
        versions = await self.all(tenant_id, reference.name)
        return next(version for version in versions if version.record.reference == reference)


def _act_on(
    reference: DefinitionRef, verb: Verb, principal: Principal, now: datetime, reason: str | None = None
) -> Act:
    return Act(
        at=now,
        principal=principal,
        verb=verb,
        kind="definition",
        subject=reference.schema_id,
        outcome="deprecated" if verb == "deprecate" else "published",
        reason=reason,
    )


def _newest_plain_first(version: KnownVersion) -> tuple[bool, tuple[tuple[int, str], ...], str]:
    record = version.record
    plain = is_plain(record.reference.version)
    order = precedence(record.reference.version) if plain else ()
    return plain, order, record.published_at.isoformat()
