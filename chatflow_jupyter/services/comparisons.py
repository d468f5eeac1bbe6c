"""Comparing two states of a template: versions, folders, or what instances are pinned to."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chatflow_jupyter.domain.definition import Definition
from chatflow_jupyter.domain.definition_changes import Change, changes_between
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import TenantId
from chatflow_jupyter.ports.records import DefinitionRecord

from .artifacts import Artifacts
from .definitions import Definitions, parse_entry, read_template, refuse_url
from .notebook_changes import CellChange, cell_changes
from .pinned import PinnedDefinitions
from .queries import Queries
from .templates import ENTRY, Templates

OF_INSTANCES = ("wfi_", "last")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two states: what it is called, its definition, and its files."""

    name: str
    definition: Definition
    files: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file that was added, removed or changed; of a notebook also its cells, where they can be compared."""

    name: str
    kind: Literal["added", "removed", "changed"]
    size_bytes: tuple[int | None, int | None]
    cells: Sequence[CellChange] | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """All that differs."""

    before: str
    after: str
    changes: Sequence[Change]
    files: Sequence[FileChange]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not self.changes and not self.files


class Comparisons:
    """Finds what two names mean, and what differs. Publishes nothing."""

    def __init__(
        self,
        artifacts: Artifacts,
        pinned: PinnedDefinitions,
        definitions: Definitions,
        templates: Templates,
        queries: Queries,
    ) -> None:
        """Look names up as everything else does."""
        self._artifacts = artifacts
        self._pinned = pinned
        self._definitions = definitions
        self._templates = templates
        self._queries = queries

    async def compare(self, tenant_id: TenantId, before: str, after: str) -> Difference:
        """Return what differs between two versions, names, folders or instances.

        Raises `NotFound`, `InvalidDefinition`, `InvalidInput`.
        """
        one, other = await self._side(tenant_id, before), await self._side(tenant_id, after)
        return Difference(
            before=one.name,
            after=other.name,
            changes=changes_between(one.definition, other.definition),
            files=await asyncio.to_thread(lambda: list(_file_changes(one.files, other.files))),
        )

    async def _side(self, tenant_id: TenantId, named: str) -> Side:
        refuse_url(named)
        folder = _folder_of(named)
        template = None if folder is not None or "@" in named else self._templates.find(named)
        if template is not None:
            folder = template.folder
        if folder is not None:
            files = await asyncio.to_thread(read_template, folder)
            definition = parse_entry(files, ENTRY, f"{str(folder).rstrip('/')}/")
            return Side(name=str(folder), definition=definition, files=files)
        return await self._stored(tenant_id, await self._record(tenant_id, named))

    async def _record(self, tenant_id: TenantId, named: str) -> DefinitionRecord:
        if named.startswith(OF_INSTANCES):
            try:
                instance_id = await self._queries.find(tenant_id, named)
            except NotFound:
                if named.startswith("wfi_"):
                    raise
            else:
                instance = await self._queries.instance(tenant_id, instance_id)
                return await self._pinned.of(tenant_id, instance.definition)
        return await self._definitions.resolve(named, tenant_id, even_deprecated=True)

    async def _stored(self, tenant_id: TenantId, record: DefinitionRecord) -> Side:
        files = await self._artifacts.bundle_files(tenant_id, record.bundle_sha256)
        return Side(name=record.reference.schema_id, definition=record.definition, files=files)


def _folder_of(named: str) -> Path | None:
    return Path(named).expanduser() if "/" in named or named in (".", "..") else None


def _file_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Sequence[FileChange]:
    """Return the files that differ but for the definition's own, by name."""
    found = []
    for name in sorted({*before, *after} - {ENTRY}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind: Literal["added", "removed", "changed"] = "changed"
        kind = "added" if old is None else "removed" if new is None else kind
        cells = None
        if old is not None and new is not None and name.endswith(".ipynb"):
            cells = cell_changes(old, new)
        sizes = (None if old is None else len(old), None if new is None else len(new))
        found.append(FileChange(name=name, kind=kind, size_bytes=sizes, cells=cells))
    return found
