"""Definitions: finding what a caller named, publishing it, and pinning it with its children."""

import asyncio
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from chatflow_jupyter.domain.audit import Act
from chatflow_jupyter.domain.definition import Definition, is_local_schema, split_schema_id
from chatflow_jupyter.domain.definition_rules import RESERVED_NAMES
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.definition_yaml import read_yaml
from chatflow_jupyter.domain.errors import InvalidDefinition, InvalidInput, NotFound
from chatflow_jupyter.domain.ids import Principal, Sha256, TenantId
from chatflow_jupyter.domain.instance import DefinitionRef
from chatflow_jupyter.ports.clock import Clock
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.ports.state_storage import IDefinitions

from .artifacts import Artifacts
from .bundle import content_hash, pack, read_folder
from .child_schemas import absent_schemas, file_of, places_of
from .notebook_shape import check_notebook
from .offered import named as named_of
from .offered import offered
from .phase_notebooks import check_notebooks
from .templates import ENTRY, Templates

URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


class Definitions:
    """Resolves names and paths to published, pinned definitions."""

    def __init__(
        self, storage: IDefinitions, artifacts: Artifacts, templates: Templates, clock: Clock
    ) -> None:
        """Publish into `storage`, bundles into `artifacts`."""
        self._storage = storage
        self._artifacts = artifacts
        self._templates = templates
        self._clock = clock

    async def resolve(
        self,
        named: str,
        tenant_id: TenantId,
        *,
        under: tuple[str, ...] = (),
        even_deprecated: bool = False,
    ) -> DefinitionRecord:
        """Return the definition of a schema id, a template folder or a notebook, publishing local ones.

        A local one gets the version `1.2.0+dev.<hash8>`, so editing and running always works. A bare name is
        a template of that name, else the newest plain version that is not deprecated.
        Raises `NotFound`, `InvalidDefinition`, `InvalidInput` (a URL) or `Conflict` (all are deprecated).
        """
        refuse_url(named)
        if named.endswith(".ipynb"):
            return await self._publish_notebook(Path(named), tenant_id)
        if "/" in named or named in (".", ".."):
            return await self.publish_folder(Path(named), tenant_id, under=under)
        name, version = split_schema_id(named)
        if version is not None:
            return await self._published(tenant_id, name, version)
        template = self._templates.find(name)
        if template is not None:
            return await self.publish_folder(template.folder, tenant_id, under=under)
        known = await self._storage.definitions(tenant_id)
        versions = named_of(known, name)
        if versions:
            ended = () if even_deprecated else await self._storage.deprecations(tenant_id)
            return offered(versions, ended)
        raise NotFound(self._unknown(name, known))

    async def look_up(self, named: str, tenant_id: TenantId) -> Definition:
        """Return the definition of a name, alias or template folder as it is now, publishing nothing.

        Raises `NotFound`, `InvalidDefinition`.
        """
        if "/" in named or named in (".", ".."):
            files = await asyncio.to_thread(read_template, Path(named))
            return parse_entry(files, ENTRY, f"{named.rstrip('/')}/")
        template = self._templates.find(named)
        if template is not None:
            return template.definition
        known = await self._storage.definitions(tenant_id)
        for record in known:
            if named == record.definition.name or named in record.definition.aliases:
                return record.definition
        raise NotFound(self._unknown(named, known))

    async def publish_folder(
        self, folder: Path, tenant_id: TenantId, *, under: tuple[str, ...] = ()
    ) -> DefinitionRecord:
        """Publish a template folder as it is now, with its children's definitions."""
        files = await asyncio.to_thread(read_template, folder)
        return await self._publish(files, ENTRY, tenant_id, where=f"{folder}/", under=under)

    async def publish_files(
        self, files: Mapping[str, bytes], tenant_id: TenantId, *, where: str, principal: Principal
    ) -> DefinitionRecord:
        """Let `principal` publish a template, as `read_template` gave it, under the plain version it names.

        Raises `InvalidDefinition`, `NotFound`, and `Conflict` (code `version_exists`).
        """
        return await self._publish(files, ENTRY, tenant_id, where=where, under=(), by=principal)

    async def pins_of(
        self, definition: Definition, files: Mapping[str, bytes], tenant_id: TenantId, *, where: str
    ) -> Mapping[str, DefinitionRef]:
        """Return what the children of `definition`, of these files, would be pinned to now."""
        return await self._pins(definition, files, ENTRY, tenant_id, where=where, under=())

    async def all(self, tenant_id: TenantId) -> Sequence[DefinitionRecord]:
        """Return everything published for the tenant."""
        return await self._storage.definitions(tenant_id)

    async def _publish(
        self,
        files: Mapping[str, bytes],
        entry: str,
        tenant_id: TenantId,
        *,
        where: str,
        under: tuple[str, ...],
        by: Principal | None = None,
    ) -> DefinitionRecord:
        definition = parse_entry(files, entry, where)
        if definition.name in under:  # through another template: it has a place of its own
            raise InvalidDefinition((circle_of(f"{where}{entry}:1", (*under, definition.name)),))
        check_notebooks(definition, files, entry, f"{where}{entry}")
        if absent := tuple(absent_schemas(definition, files, entry, f"{where}{entry}")):
            raise InvalidDefinition(absent)
        pins = await self._pins(definition, files, entry, tenant_id, where=where, under=under)
        stored = await self._artifacts.store(tenant_id, pack(files))
        hashed = content_hash(files, entry)
        return await self._save(definition, hashed, stored.sha256, entry, tenant_id, pins, by=by)

    async def _pins(
        self,
        definition: Definition,
        files: Mapping[str, bytes],
        entry: str,
        tenant_id: TenantId,
        *,
        where: str,
        under: tuple[str, ...],
    ) -> dict[str, DefinitionRef]:
        below = (*under, definition.name)
        pins: dict[str, DefinitionRef] = {}
        for path, reference in places_of(definition):
            if reference in pins:
                continue
            self._refuse_circle(files, entry, path, reference, where=where, under=below)
            child = await self._child(files, reference, tenant_id, where=where, under=below)
            pins[reference] = child.reference
        return pins

    def _refuse_circle(
        self,
        files: Mapping[str, bytes],
        entry: str,
        path: tuple[int | str, ...],
        reference: str,
        *,
        where: str,
        under: tuple[str, ...],
    ) -> None:
        """Raise `InvalidDefinition` where `entry` names, at `path`, one of those it is itself a child of."""
        if is_local_schema(reference):
            name = parse_entry(files, file_of(reference), where).name
        else:
            name = split_schema_id(reference)[0]
        if name in under:
            line = read_yaml(files[entry], file=f"{where}{entry}").line_of(path)
            raise InvalidDefinition((circle_of(f"{where}{entry}:{line}", (*under, name)),))

    async def _child(
        self,
        files: Mapping[str, bytes],
        reference: str,
        tenant_id: TenantId,
        *,
        where: str,
        under: tuple[str, ...],
    ) -> DefinitionRecord:
        if not is_local_schema(reference):
            return await self.resolve(reference, tenant_id, under=under)
        return await self._publish(files, file_of(reference), tenant_id, where=where, under=under)

    async def _publish_notebook(self, path: Path, tenant_id: TenantId) -> DefinitionRecord:
        content = await asyncio.to_thread(read_bare_notebook, path)
        phase = phase_name_of(path.stem)
        definition = Definition(
            name=phase.replace("_", "-"),
            title=path.name,
            automation_level=100,
            phases=({"name": phase, "notebook": "notebook.ipynb", "title": path.name},),  # type: ignore[arg-type]
        )
        files = {"notebook.ipynb": content}
        stored = await self._artifacts.store(tenant_id, pack(files))
        hashed = content_hash(files, definition.model_dump_json(by_alias=True))
        return await self._save(definition, hashed, stored.sha256, "notebook.ipynb", tenant_id, {})

    async def _save(
        self,
        definition: Definition,
        hashed: Sha256,
        bundle: Sha256,
        entry: str,
        tenant_id: TenantId,
        pins: Mapping[str, DefinitionRef],
        *,
        by: Principal | None = None,
    ) -> DefinitionRecord:
        pinned_hash = content_hash({name: pin.content_hash.encode() for name, pin in pins.items()}, hashed)
        base = definition.version.partition("+")[0]
        version = definition.version if by is not None else f"{base}+dev.{pinned_hash[:8]}"
        reference = DefinitionRef(name=definition.name, version=version, content_hash=pinned_hash)
        record = DefinitionRecord(
            tenant_id=tenant_id,
            reference=reference,
            definition=definition,
            bundle_sha256=bundle,
            entry=entry,
            pins=pins,
            published_at=self._clock.now(),
        )
        await self._storage.save_definition(record, None if by is None else _act_of(by, record))
        return replace(record)

    async def _published(self, tenant_id: TenantId, name: str, version: str) -> DefinitionRecord:
        known = await self._storage.definitions(tenant_id)
        for record in known:
            if record.reference.version == version and (
                name == record.definition.name or name in record.definition.aliases
            ):
                return record
        versions = [record.reference.schema_id for record in known if record.definition.name == name]
        hint = f"; there are {', '.join(versions[:5])}" if versions else ""
        raise NotFound(f"{name}@{version}: no such version is published{hint}")

    def _unknown(self, name: str, known: Sequence[DefinitionRecord]) -> str:
        names = {record.definition.name for record in known}
        for template in self._templates.all():
            names |= {template.definition.name, *template.definition.aliases}
        here, close = local_of(name), difflib.get_close_matches(name, sorted(names), 1)
        if here is not None:
            return f"{name}: no definition or template has that name; did you mean {here}, which lies here?"
        if close:
            return f"{name}: no definition or template has that name; did you mean {close[0]}?"
        return f"{name}: no definition or template has that name; `chatflow schemas` lists what there is"


def _act_of(principal: Principal, record: DefinitionRecord) -> Act:
    return Act(
        at=record.published_at,
        principal=principal,
        verb="publish",
        kind="definition",
        subject=record.reference.schema_id,
        about=record.reference.content_hash,
        outcome="published",
    )


def local_of(name: str) -> str | None:
    """Return how to name the template folder or notebook of that name in the current folder, if there is one.

    A bare name means what was published or is installed.
    """
    if "/" in name or name in (".", ".."):
        return None
    if (Path(name) / ENTRY).is_file():
        return f"{name}/"
    return f"{name}.ipynb" if Path(f"{name}.ipynb").is_file() else None


def circle_of(place: str, names: Sequence[str]) -> str:
    """Return the fault of definitions that start each other, told of the `place` that closes the circle."""
    return f"{place}: definitions start each other in a circle: {' -> '.join(names)}"


def refuse_url(named: str) -> None:
    """Raise `InvalidInput` when `named` is a URL of whatever scheme."""
    if URL.match(named):
        raise InvalidInput(
            f"{named}: URLs are not run, because what they hold may change between two attempts; "
            "download it first"
        )


def read_bare_notebook(path: Path) -> bytes:
    """Return the bytes of a notebook; raises `NotFound`, or `InvalidDefinition` when it is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path}: cannot be read: {error.strerror}") from None
    check_notebook(content, str(path))
    return content


def phase_name_of(stem: str) -> str:
    """Return a phase name for a notebook of that file name."""
    slug = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:60]
    if not slug or not slug[0].isalpha():
        slug = f"notebook_{slug}".rstrip("_")
    return f"{slug}_" if slug in RESERVED_NAMES else slug


def read_template(folder: Path) -> Mapping[str, bytes]:
    """Return every file of a template folder; raises `NotFound`, or `InvalidDefinition` for links."""
    if not folder.is_dir():
        raise NotFound(f"{folder}: there is no such folder")
    if not (folder / ENTRY).is_file():
        raise NotFound(f"{folder}: holds no {ENTRY}, so it is not a template")
    return read_folder(folder)


def parse_entry(files: Mapping[str, bytes], entry: str, where: str) -> Definition:
    """Read the definition `entry` of a bundle; raises `InvalidDefinition`."""
    if entry not in files:
        raise InvalidDefinition((f"{where}{entry}: there is no such file",))
    try:
        text = files[entry].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDefinition((f"{where}{entry}:1: not UTF-8 (byte {error.start})",)) from None
    return parse_definition(text, file=f"{where}{entry}")
