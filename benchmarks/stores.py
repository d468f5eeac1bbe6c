"""Stores and definitions for benchmarks that work below the command line."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from chatflow_jupyter.adapters.sql.sqlite_file import open_sqlite
from chatflow_jupyter.adapters.system_clock import SystemClock, UuidFactory
from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.ids import LOCAL_TENANT, Sha256
from chatflow_jupyter.domain.instance import DefinitionRef
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.ports.state_storage import IStateStorage
from chatflow_jupyter.services.orchestrator import Orchestrator
from chatflow_jupyter.services.pinned import PinnedDefinitions

Synchronous = Literal["normal", "full"]


@dataclass(frozen=True, kw_only=True)
class Store:
    """An open store and the service layer over it."""

    storage: IStateStorage
    orchestrator: Orchestrator


@contextlib.asynccontextmanager
async def open_store(path: Path, synchronous: Synchronous = "normal") -> AsyncIterator[Store]:
    """Open the file as the product does, without runner or relay."""
    clock = SystemClock()
    storage = await open_sqlite(path, synchronous=synchronous, clock=clock)
    try:
        yield service_layer(storage)
    finally:
        await storage.close()


def service_layer(storage: IStateStorage) -> Store:
    """Return the service layer over a storage."""
    orchestrator = Orchestrator(storage, PinnedDefinitions(storage), SystemClock(), UuidFactory())
    return Store(storage=storage, orchestrator=orchestrator)


def record_of(text: str, pins: Mapping[str, DefinitionRef] | None = None) -> DefinitionRecord:
    """Return a published definition without a bundle: its notebooks are never run."""
    definition = parse_definition(text, file="benchmark.yaml")
    digest = Sha256(sha256(text.encode()).hexdigest())
    return DefinitionRecord(
        tenant_id=LOCAL_TENANT,
        reference=DefinitionRef(name=definition.name, version="1.0.0", content_hash=digest),
        definition=definition,
        bundle_sha256=digest,
        entry="definition.yaml",
        pins=pins or {},
        published_at=datetime.now(UTC),
    )
