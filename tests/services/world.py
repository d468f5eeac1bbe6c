"""One small world for the services: storage in memory, a clock that is turned by hand, templates on disk."""

import asyncio
import hashlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from chatflow_jupyter.adapters.memory.storage import MemoryStateStorage
from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.ids import (
    LOCAL_PRINCIPAL,
    LOCAL_TENANT,
    InstanceId,
    OwnerId,
    RunnerId,
    Sha256,
    TenantId,
)
from chatflow_jupyter.domain.instance import Failure, Instance
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.ports.records import AttemptReport, AttemptRow, Commit, Lease, Owner, Stored
from chatflow_jupyter.runner.leftovers import end_attempt
from chatflow_jupyter.services.artifacts import Artifacts
from chatflow_jupyter.services.definitions import Definitions
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.engine import Engine
from chatflow_jupyter.services.execution import Execution
from chatflow_jupyter.services.forks import Forks
from chatflow_jupyter.services.orchestrator import NewInstance, Orchestrator
from chatflow_jupyter.services.pinned import PinnedDefinitions
from chatflow_jupyter.services.queries import Queries
from chatflow_jupyter.services.recovery import Recovery
from chatflow_jupyter.services.templates import Templates
from chatflow_jupyter.services.versions import Versions
from chatflow_jupyter.services.waivers import Waivers

T = TypeVar("T")
LEASE_SEC = 30.0
NOTEBOOK = json.dumps(
    {
        "cells": [{"cell_type": "raw", "metadata": {}, "source": ""}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)
LINEAR = """\
name: linear
automation_level: 100
phases:
  - {name: one, notebook: one.ipynb}
  - {name: two, notebook: one.ipynb}
"""
TREE = """\
name: tree
automation_level: 100
phases:
  - name: files
    children: {schema: ./leaf.yaml, items: [a, b, c], max_parallel: 2, on_failure: fail}
"""
LEAF = "name: leaf\nautomation_level: 100\nphases:\n  - {name: look, notebook: one.ipynb}\n"


class HandClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def sleep_of_the_machine(self, seconds: float) -> None:
        """Let wall time pass while the machine is suspended."""
        self._now += timedelta(seconds=seconds)


class CountedIds:
    """Ids one after another."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def instance_id(self) -> InstanceId:
        return InstanceId(f"wfi_{next(self._numbers):026d}")

    def token(self) -> str:
        return f"{next(self._numbers):032x}"


class BytesInMemory:
    """`IArtifactStorage` without a disk; `before_exists` runs whenever somebody looks."""

    def __init__(self) -> None:
        self.objects: dict[tuple[TenantId, Sha256], bytes] = {}
        self.before_exists: Callable[[], Awaitable[object]] | None = None

    async def put(self, tenant_id: TenantId, source: Path) -> Stored:
        return await self.put_bytes(tenant_id, source.read_bytes())  # noqa: ASYNC240 - a few bytes

    async def put_bytes(self, tenant_id: TenantId, content: bytes) -> Stored:
        sha256 = Sha256(hashlib.sha256(content).hexdigest())
        self.objects[tenant_id, sha256] = content
        return Stored(sha256=sha256, size_bytes=len(content))

    async def exists(self, tenant_id: TenantId, sha256: Sha256) -> bool:
        if self.before_exists is not None:
            interfere, self.before_exists = self.before_exists, None
            await interfere()
        return (tenant_id, sha256) in self.objects

    async def fetch(self, tenant_id: TenantId, sha256: Sha256, target: Path) -> None:
        if (tenant_id, sha256) not in self.objects:
            raise NotFound(f"no object {sha256}")
        target.write_bytes(self.objects[tenant_id, sha256])  # noqa: ASYNC240 - as above

    async def stream(self, tenant_id: TenantId, sha256: Sha256) -> AsyncIterator[bytes]:
        if (tenant_id, sha256) not in self.objects:
            raise NotFound(f"no object {sha256}")
        yield self.objects[tenant_id, sha256]

    async def verify(self, tenant_id: TenantId, sha256: Sha256, *, read: bool) -> int:
        if (tenant_id, sha256) not in self.objects:
            raise NotFound(f"no object {sha256}")
        return len(self.objects[tenant_id, sha256])

    async def delete(self, tenant_id: TenantId, sha256: Sha256) -> None:
        self.objects.pop((tenant_id, sha256), None)

    async def collect_uploads(self, older_than_sec: float) -> int:
        return 0


class Interrupted(MemoryStateStorage):
    """Storage in which somebody else may act just before, or the process may die just after, a commit."""

    before_commit: Callable[[], Awaitable[object]] | None = None
    die_after_commit: bool = False

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.remembered: dict[InstanceId, Instance] = {}

    def recent_instance(self, tenant_id: TenantId, instance_id: InstanceId) -> Instance | None:
        return self.remembered.get(instance_id) or super().recent_instance(tenant_id, instance_id)

    async def commit(self, commit: Commit) -> None:
        if self.before_commit is not None:
            interfere, self.before_commit = self.before_commit, None
            await interfere()
        await super().commit(commit)
        if self.die_after_commit:
            self.die_after_commit = False
            raise ProcessDied


class ProcessDied(BaseException):
    """What a test raises where a process would be killed."""


@dataclass(kw_only=True)
class World:
    """Everything wired as bootstrap does it."""

    folder: Path
    clock: HandClock = field(default_factory=HandClock)
    bytes_: BytesInMemory = field(default_factory=BytesInMemory)
    living: set[OwnerId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wire(Interrupted(self.clock))

    def wire(self, storage: Any) -> None:
        """Put everything together over this store."""
        self.storage = storage
        self.artifacts = Artifacts(self.storage, self.bytes_, self.clock)
        self.pinned = PinnedDefinitions(self.storage)
        self.templates = Templates([self.folder / "templates"])
        self.definitions = Definitions(self.storage, self.artifacts, self.templates, self.clock)
        ids = CountedIds()
        self.orchestrator = Orchestrator(self.storage, self.pinned, self.clock, ids)
        self.queries = Queries(self.storage, self.artifacts, self.pinned, self.clock)
        self.waivers = Waivers(self.storage, self.definitions, self.clock, CountedIds())
        self.forks = Forks(self.storage, self.artifacts, self.pinned, self.orchestrator, self.clock, ids)
        self.versions = Versions(self.storage, self.artifacts, self.definitions, self.clock)
        self.work = self.folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        self.recovery = Recovery(self.storage, self.artifacts, self.work, end_attempt)
        self.dispatcher = self.new_dispatcher()
        self.execution = self.new_execution(None)

    def new_dispatcher(self, on_expired: Callable[[AttemptRow], None] | None = None) -> Dispatcher:
        return Dispatcher(
            self.storage,
            self.orchestrator,
            self.recovery,
            self.clock,
            lease_sec=LEASE_SEC,
            on_expired=on_expired,
        )

    def new_execution(self, owner_id: OwnerId | None) -> Execution:
        return Execution(
            self.storage,
            self.artifacts,
            self.orchestrator,
            self.pinned,
            self.clock,
            owner_id=owner_id,
            lease_sec=LEASE_SEC,
        )

    def new_engine(
        self, name: str, *, boot_id: str = "b", hand_over: Callable[[], Awaitable[None]] | None = None
    ) -> Engine:
        owner = Owner(
            owner_id=OwnerId(name),
            host="here",
            boot_id=boot_id,
            pid=1,
            started_ticks=1,
            kind="foreground" if hand_over else "background",
            registered_at=self.clock.now(),
        )
        self.living.add(owner.owner_id)
        return Engine(
            self.storage, self.dispatcher, owner, lambda known: known.owner_id in self.living, hand_over
        )

    def template(self, name: str, definition: str, **more: str) -> Path:
        """Write a template folder with the notebook `one.ipynb`; returns it."""
        folder = self.folder / "templates" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "definition.yaml").write_text(definition)
        (folder / "one.ipynb").write_text(NOTEBOOK)
        for file, text in more.items():
            (folder / file.replace("__", ".")).write_text(text)
        return folder

    async def new(self, definition: str = LINEAR, **more: Any) -> Instance:
        """Publish `definition` and start an instance of it."""
        folder = self.template("made", definition, leaf__yaml=LEAF, **more.pop("files", {}))
        record = await self.definitions.publish_folder(folder, LOCAL_TENANT)
        key, context = more.pop("key", None), more.pop("context", {})
        wanted = NewInstance(record=record, context=context, principal=LOCAL_PRINCIPAL, start=True, **more)
        return await self.orchestrator.create(wanted, key=key)

    async def lease(self, execution: Execution | None = None) -> Lease | None:
        return await (execution or self.execution).lease(RunnerId("run_1"), wait_sec=0)

    async def must_lease(self, execution: Execution | None = None) -> Lease:
        lease = await self.lease(execution)
        assert lease is not None
        return lease

    async def end(self, lease: Lease, *, failure: str | None = None, **outputs: Any) -> None:
        """Report the attempt's end: a success with `outputs`, or a failure of that code."""
        ended = Failure(code=failure, message=f"it failed: {failure}") if failure else None
        report = AttemptReport(duration_sec=1.0, outputs=outputs, failure=ended)
        await self.execution.complete(lease.attempt.attempt_id, lease.attempt.fence, report)

    async def work_on(self, instance_id: InstanceId, **outputs: Any) -> Instance:
        """Dispatch and run every attempt there is until nothing is left to do."""
        while True:
            if await self.dispatcher.step():
                continue
            lease = await self.lease()
            if lease is None:
                return await self.now(instance_id)
            await self.end(lease, **outputs)

    async def now(self, instance_id: InstanceId) -> Instance:
        return await self.storage.instance(LOCAL_TENANT, instance_id)

    async def trigger(
        self, instance_id: InstanceId, *, key: str | None = None, **more: Any
    ) -> Mapping[str, Any]:
        request = Trigger(principal=LOCAL_PRINCIPAL, **more)
        return await self.orchestrator.trigger(LOCAL_TENANT, instance_id, request, key=key)

    async def types(self, instance_id: InstanceId) -> list[str]:
        """The types of the instance's events, in order."""
        return [str(e.event.type) for e in await self.queries.history(LOCAL_TENANT, instance_id)]


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a story, bounded in time."""

    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await story

    return asyncio.run(bounded())
