"""The thread that talks to the orchestrator and keeps leases alive, however busy the notebooks are."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from chatflow_jupyter.domain.errors import ChatFlowError, StaleFence
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.ports.records import Lease, Progress

from .execution_client import ExecutionClient, Link, OrchestratorGone

log = logging.getLogger(__name__)

TICK_SEC = 0.2


@dataclass(kw_only=True, slots=True, eq=False)
class Beating:
    """A running attempt as its heartbeat sees it. `progress` is replaced by the thread that runs it."""

    lease: Lease
    on_stale: Callable[[], object]
    progress: Progress | None = None
    sent: Progress | None = None
    sent_at: float = 0.0


class LinkThread:
    """Owns the socket to the orchestrator on an event loop of its own."""

    def __init__(self, connection: socket.socket, on_gone: Callable[[], object]) -> None:
        """Speak over `connection`; `on_gone` is called, in the thread, when the orchestrator goes."""
        self._connection = connection
        self._on_gone = on_gone
        self._loop = asyncio.new_event_loop()
        self._link: Link | None = None
        self._ready = threading.Event()
        self._beating: set[Beating] = set()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Start the thread; calls may be made when this returns."""
        self._thread.start()
        self._ready.wait()

    async def send(self, call: str, arguments: JsonObject) -> JsonValue:
        """Make a call from another event loop."""
        future = asyncio.run_coroutine_threadsafe(self._send(call, arguments), self._loop)
        return await asyncio.wrap_future(future)

    def keep_alive(self, beating: Beating) -> None:
        """Send heartbeats for this attempt from now on; `on_stale` is called once when the lease is gone."""
        beating.sent_at = time.monotonic()
        self._beating.add(beating)

    def let_go(self, beating: Beating) -> None:
        """Send no further heartbeats for it."""
        self._beating.discard(beating)

    async def _send(self, call: str, arguments: JsonObject) -> JsonValue:
        assert self._link is not None
        return await self._link.send(call, arguments)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._talk())

    async def _talk(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._connection)
        self._link = Link(reader, writer)
        self._ready.set()
        try:
            async with asyncio.TaskGroup() as group:
                heart = group.create_task(self._beat())
                await self._link.receive()
                heart.cancel()
        finally:
            self._on_gone()
        await asyncio.Event().wait()  # late calls are to be refused, not to wait for a loop that has ended

    async def _beat(self) -> None:
        client = ExecutionClient(self._send)
        while True:
            await asyncio.sleep(TICK_SEC)
            for beating in tuple(self._beating):
                due = time.monotonic() - beating.sent_at > beating.lease.lease_sec / 3
                if due or beating.progress is not beating.sent:
                    await self._beat_once(client, beating)

    async def _beat_once(self, client: ExecutionClient, beating: Beating) -> None:
        progress, attempt = beating.progress, beating.lease.attempt
        try:
            await client.heartbeat(attempt.attempt_id, attempt.fence, progress)
        except (StaleFence, OrchestratorGone):
            self._beating.discard(beating)
            beating.on_stale()
        except ChatFlowError as error:
            log.warning("heartbeat of %s: %s", attempt.attempt_id, error.message)
        beating.sent, beating.sent_at = progress, time.monotonic()
