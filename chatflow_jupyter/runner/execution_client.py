"""The runner's end of the link: an `IExecution` whose calls are answered by the orchestrator."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from chatflow_jupyter.domain.errors import InternalError, Unreachable
from chatflow_jupyter.domain.ids import AttemptId, RunnerId
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.ports.records import ArtifactRecord, AttemptReport, JournalEntry, Lease, Progress

from .frames import read_frame, write_frame
from .wire import decode, decode_error, decode_optional, encode

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[[str, JsonObject], Awaitable[JsonValue]]


class OrchestratorGone(Unreachable):
    """The orchestrator's end of the link is closed: nobody is left to report to."""

    code = "orchestrator_gone"


class Link:
    """Calls and answers over one stream. Lives on one event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak over the given stream."""
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[JsonValue]] = {}
        self._closed = False

    async def receive(self) -> None:
        """Hand answers to their callers until the orchestrator is gone; then every call fails."""
        try:
            while (frame := await read_frame(self._reader)) is not None:
                self._hand_over(frame)
        except InternalError as error:
            log.critical("the link is given up: %s", error.message)
        self._closed = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_gone())
        self._writer.close()

    def _hand_over(self, frame: JsonObject) -> None:
        number = frame.get("id")
        future = self._waiting.pop(number, None) if isinstance(number, int) else None
        if future is None or future.done():
            return
        if "error" in frame:
            future.set_exception(decode_error(frame["error"]))
        else:
            future.set_result(frame.get("value"))

    async def send(self, call: str, arguments: JsonObject) -> JsonValue:
        """Make one call and return its answer; raises the orchestrator's error, or `OrchestratorGone`."""
        if self._closed:
            raise _gone()
        number = next(self._ids)
        future: asyncio.Future[JsonValue] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await write_frame(self._writer, {"id": number, "call": call, "arguments": arguments})
            return await future
        except ConnectionError:
            raise _gone() from None
        finally:
            self._waiting.pop(number, None)


class ExecutionClient:
    """`IExecution` through `send`."""

    def __init__(self, send: Send) -> None:
        """Make every call with `send`."""
        self._send = send

    async def lease(self, runner_id: RunnerId, *, wait_sec: float) -> Lease | None:
        """See `IExecution`."""
        answer = await self._send("lease", {"runner_id": runner_id, "wait_sec": wait_sec})
        return decode_optional(Lease, answer)

    async def heartbeat(self, attempt_id: AttemptId, fence: int, progress: Progress | None) -> None:
        """See `IExecution`."""
        await self._send("heartbeat", {**_held(attempt_id, fence), "progress": encode(progress)})

    async def put_artifact(
        self, attempt_id: AttemptId, fence: int, *, name: str, kind: str, source: Path
    ) -> ArtifactRecord | None:
        """See `IExecution`."""
        arguments = {**_held(attempt_id, fence), "name": name, "kind": kind, "source": str(source)}
        return decode_optional(ArtifactRecord, await self._send("put_artifact", arguments))

    async def fetch_artifact(
        self, attempt_id: AttemptId, fence: int, *, phase: str, name: str, parent: bool, target: Path
    ) -> None:
        """See `IExecution`."""
        wanted: JsonObject = {"phase": phase, "name": name, "parent": parent, "target": str(target)}
        await self._send("fetch_artifact", {**_held(attempt_id, fence), **wanted})

    async def fetch_bundle(self, attempt_id: AttemptId, fence: int, target: Path) -> None:
        """See `IExecution`."""
        await self._send("fetch_bundle", {**_held(attempt_id, fence), "target": str(target)})

    async def once_get(self, attempt_id: AttemptId, fence: int, name: str) -> JournalEntry | None:
        """See `IExecution`."""
        answer = await self._send("once_get", {**_held(attempt_id, fence), "name": name})
        return decode_optional(JournalEntry, answer)

    async def once_put(self, attempt_id: AttemptId, fence: int, name: str, value: JsonValue) -> JournalEntry:
        """See `IExecution`."""
        arguments = {**_held(attempt_id, fence), "name": name, "value": value}
        return decode(JournalEntry, await self._send("once_put", arguments))

    async def once_get_file(self, attempt_id: AttemptId, fence: int, name: str, target: Path) -> bool:
        """See `IExecution`."""
        arguments = {**_held(attempt_id, fence), "name": name, "target": str(target)}
        return bool(await self._send("once_get_file", arguments))

    async def once_put_file(self, attempt_id: AttemptId, fence: int, name: str, source: Path) -> None:
        """See `IExecution`."""
        arguments = {**_held(attempt_id, fence), "name": name, "source": str(source)}
        await self._send("once_put_file", arguments)

    async def complete(self, attempt_id: AttemptId, fence: int, report: AttemptReport) -> None:
        """See `IExecution`."""
        await self._send("complete", {**_held(attempt_id, fence), "report": encode(report)})


def _held(attempt_id: AttemptId, fence: int) -> dict[str, JsonValue]:
    return {"attempt_id": attempt_id, "fence": fence}


def _gone() -> OrchestratorGone:
    return OrchestratorGone("the orchestrator is gone")
