"""Both ends of a link in one process: a runner's client, and an orchestrator that is made up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from chatflow_jupyter.domain.ids import AttemptId, InstanceId, RunnerId, Sha256, TenantId
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.records import (
    ArtifactRecord,
    AttemptReport,
    AttemptRow,
    JournalEntry,
    Lease,
    Progress,
)
from chatflow_jupyter.runner.execution_client import ExecutionClient, Link
from chatflow_jupyter.runner.execution_server import ExecutionServer

T = TypeVar("T")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TENANT, INSTANCE, ATTEMPT = TenantId("local"), InstanceId("wfi_1"), AttemptId("wfi_1.one.1")
LEASE = Lease(
    attempt=AttemptRow(
        tenant_id=TENANT,
        instance_id=INSTANCE,
        root_id=INSTANCE,
        attempt_id=ATTEMPT,
        phase="one",
        number=1,
        notebook="one.ipynb",
        kernel=None,
        parameters={"x": [1, {"y": None}]},
        timeout_sec=2.5,
        status="leased",
        fence=3,
        queued_at=NOW,
        runner_id=RunnerId("run_1"),
        lease_expires_at=NOW,
        started_at=NOW,
    ),
    variables={"context": {"x": 1}},
    parent_id=None,
    feature_id=None,
    bundle_sha256=Sha256("0" * 64),
    notebook="one.ipynb",
    lease_sec=30.0,
)


@dataclass
class MadeUp:
    """An `IExecution` that answers from what the test gave it and keeps what it was asked."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    fault: Exception | None = None
    leases: asyncio.Queue[Lease] = field(default_factory=asyncio.Queue)
    cancelled: int = 0

    def _note(self, *call: Any) -> None:
        self.asked.append(call)
        if self.fault is not None:
            raise self.fault

    async def lease(self, runner_id: RunnerId, *, wait_sec: float) -> Lease | None:
        self._note("lease", runner_id, wait_sec)
        try:
            async with asyncio.timeout(wait_sec):
                return await self.leases.get()
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def heartbeat(self, attempt_id: AttemptId, fence: int, progress: Progress | None) -> None:
        self._note("heartbeat", attempt_id, fence, progress)

    async def put_artifact(
        self, attempt_id: AttemptId, fence: int, *, name: str, kind: str, source: Path
    ) -> ArtifactRecord:
        self._note("put_artifact", attempt_id, fence, name, kind, source)
        return ArtifactRecord(
            tenant_id=TENANT,
            instance_id=INSTANCE,
            attempt_id=attempt_id,
            phase="one",
            attempt=1,
            name=name,
            kind=kind,
            media_type="text/plain",
            sha256=Sha256("1" * 64),
            size_bytes=7,
            created_at=NOW,
        )

    async def fetch_artifact(
        self, attempt_id: AttemptId, fence: int, *, phase: str, name: str, parent: bool, target: Path
    ) -> None:
        self._note("fetch_artifact", attempt_id, fence, phase, name, parent, target)

    async def fetch_bundle(self, attempt_id: AttemptId, fence: int, target: Path) -> None:
        self._note("fetch_bundle", attempt_id, fence, target)

    async def once_get(self, attempt_id: AttemptId, fence: int, name: str) -> JournalEntry | None:
        self._note("once_get", attempt_id, fence, name)
        return JournalEntry(name=name, value={"paid": 5}) if name == "charge" else None

    async def once_put(self, attempt_id: AttemptId, fence: int, name: str, value: JsonValue) -> JournalEntry:
        self._note("once_put", attempt_id, fence, name, value)
        return JournalEntry(name=name, value=value)

    async def once_get_file(self, attempt_id: AttemptId, fence: int, name: str, target: Path) -> bool:
        self._note("once_get_file", attempt_id, fence, name, target)
        return name == "df"

    async def once_put_file(self, attempt_id: AttemptId, fence: int, name: str, source: Path) -> None:
        self._note("once_put_file", attempt_id, fence, name, source)

    async def complete(self, attempt_id: AttemptId, fence: int, report: AttemptReport) -> None:
        self._note("complete", attempt_id, fence, report)


@dataclass
class Partners:
    """The two ends, and what closes the orchestrator's."""

    client: ExecutionClient
    orchestrator: MadeUp
    hang_up: Callable[[], None]
    leave: Callable[[], None]


@asynccontextmanager
async def linked(orchestrator: MadeUp) -> AsyncIterator[Partners]:
    """Yield a client whose calls `orchestrator` answers over a real socket pair."""
    ours, theirs = socket.socketpair()
    server_reader, server_writer = await asyncio.open_connection(sock=ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    link = Link(reader, writer)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ExecutionServer(orchestrator, server_reader, server_writer).serve())
        tasks.create_task(link.receive())
        yield Partners(ExecutionClient(link.send), orchestrator, server_writer.close, writer.close)
        server_writer.close()
        writer.close()


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a story, bounded in time."""

    async def bounded() -> T:
        async with asyncio.timeout(20):
            return await story

    return asyncio.run(bounded())
