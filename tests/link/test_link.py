"""Calls over the link: every one arrives, errors come back, and a partner that goes is noticed at once."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from chatflow_jupyter.domain.errors import InternalError, InvalidInput, NotFound, StaleFence, Unreachable
from chatflow_jupyter.domain.ids import RunnerId
from chatflow_jupyter.domain.instance import Failure
from chatflow_jupyter.ports.records import AttemptReport, JournalEntry, Progress
from chatflow_jupyter.runner import frames
from chatflow_jupyter.runner.execution_client import ExecutionClient
from chatflow_jupyter.runner.execution_server import ExecutionServer
from chatflow_jupyter.runner.link_thread import Beating, LinkThread
from tests.link.partners import ATTEMPT, LEASE, MadeUp, linked, run
from tests.waiting import until, until_async

HELD = (ATTEMPT, 3)
REPORT = AttemptReport(
    duration_sec=1.5,
    outputs={"high": 3},
    risk=70,
    failure=Failure(code="cell_error", message="no", cell_index=2, traceback="…"),
)


def test_every_call_arrives_with_its_arguments_and_brings_its_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with linked(MadeUp()) as partners:
            client, asked = partners.client, partners.orchestrator.asked
            partners.orchestrator.leases.put_nowait(LEASE)
            assert await client.lease(RunnerId("run_1"), wait_sec=1) == LEASE
            assert await client.lease(RunnerId("run_1"), wait_sec=0.01) is None
            await client.heartbeat(*HELD, None)
            await client.heartbeat(*HELD, Progress(cell_index=1, cells_total=2, cell_name="Load"))
            record = await client.put_artifact(*HELD, name="r.txt", kind="report", source=tmp_path)
            assert (record.name, record.kind) == ("r.txt", "report")
            await client.fetch_artifact(*HELD, phase="a", name="b", parent=True, target=tmp_path)
            await client.fetch_bundle(*HELD, tmp_path)
            assert await client.once_get(*HELD, "nothing") is None
            assert await client.once_get(*HELD, "charge") == JournalEntry(name="charge", value={"paid": 5})
            assert (await client.once_put(*HELD, "n", [1, None])).value == [1, None]
            assert await client.once_get_file(*HELD, "df", tmp_path)
            assert not await client.once_get_file(*HELD, "other", tmp_path)
            await client.once_put_file(*HELD, "df", tmp_path)
            await client.complete(*HELD, REPORT)
            assert asked[3] == ("heartbeat", *HELD, Progress(cell_index=1, cells_total=2, cell_name="Load"))
            assert asked[5] == ("fetch_artifact", *HELD, "a", "b", True, tmp_path)
            assert asked[-1] == ("complete", *HELD, REPORT)

    run(story())


@pytest.mark.parametrize(
    "fault", [StaleFence("passed on"), NotFound("no such"), InvalidInput("bad", code="special")]
)
def test_errors_come_back_as_themselves(fault: Exception) -> None:
    async def story() -> None:
        async with linked(MadeUp(fault=fault)) as partners:
            with pytest.raises(type(fault)) as caught:
                await partners.client.complete(*HELD, REPORT)
            assert str(caught.value) == str(fault)

    run(story())


def test_a_fault_of_the_orchestrator_is_an_internal_error_and_the_link_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        orchestrator = MadeUp(fault=KeyError("oops"))
        async with linked(orchestrator) as partners:
            with pytest.raises(InternalError, match="oops"):
                await partners.client.fetch_bundle(*HELD, Path("x"))
            orchestrator.fault = None
            await partners.client.fetch_bundle(*HELD, Path("x"))

    run(story())
    assert "answering fetch_bundle" in caplog.text


def test_an_answer_too_large_for_the_link_is_an_error_and_the_link_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 400)

    async def story() -> None:
        async with linked(MadeUp()) as partners:
            partners.orchestrator.leases.put_nowait(LEASE)
            with pytest.raises(InternalError, match="more than the link carries"):
                await partners.client.lease(RunnerId("run_1"), wait_sec=1)
            await partners.client.heartbeat(*HELD, None)

    run(story())


def test_a_slow_call_holds_nobody_up() -> None:
    async def story() -> None:
        async with linked(MadeUp()) as partners, asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(partners.client.lease(RunnerId("run_1"), wait_sec=10))
            await partners.client.heartbeat(*HELD, None)
            assert not waiting.done()
            partners.orchestrator.leases.put_nowait(LEASE)
            assert await waiting == LEASE

    run(story())


def test_the_answer_to_a_call_nobody_waits_for_any_more_disturbs_nobody() -> None:
    async def story() -> None:
        async with linked(MadeUp()) as partners:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await partners.client.lease(RunnerId("run_1"), wait_sec=0.2)
            answered = asyncio.Event()
            asyncio.get_running_loop().call_later(0.4, answered.set)
            while not answered.is_set():
                await partners.client.heartbeat(*HELD, None)

    run(story())


def test_when_the_orchestrator_goes_every_waiting_call_and_every_later_one_fails_at_once() -> None:
    async def story() -> None:
        async with linked(MadeUp()) as partners, asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(_outcome(partners.client.lease(RunnerId("run_1"), wait_sec=10)))
            await partners.client.heartbeat(*HELD, None)
            partners.hang_up()
            assert isinstance(await waiting, Unreachable)
            assert isinstance(await _outcome(partners.client.heartbeat(*HELD, None)), Unreachable)

    run(story())


def test_when_the_runner_goes_its_waiting_calls_are_given_up() -> None:
    async def story() -> None:
        orchestrator = MadeUp()
        async with linked(orchestrator) as partners, asyncio.TaskGroup() as tasks:
            tasks.create_task(_outcome(partners.client.lease(RunnerId("run_1"), wait_sec=10)))
            await partners.client.heartbeat(*HELD, None)
            partners.leave()
        assert orchestrator.cancelled == 1

    run(story())


async def _outcome(call: object) -> object:
    try:
        return await call  # type: ignore[misc]
    except Unreachable as error:
        return error


class Orchestrated:
    """A link thread whose other end is served by a loop of this test."""

    def __init__(self, orchestrator: MadeUp) -> None:
        self.orchestrator = orchestrator
        self.gone = threading.Event()
        self.ours, theirs = socket.socketpair()
        self.link = LinkThread(theirs, self.gone.set)

    async def serve(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self.ours)
        try:
            await ExecutionServer(self.orchestrator, reader, writer).serve()
        finally:
            writer.close()


def test_heartbeats_go_on_while_the_runners_own_loop_is_busy() -> None:
    async def story() -> None:
        there = Orchestrated(MadeUp())
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(there.serve())
            await asyncio.to_thread(there.link.start)
            stale = threading.Event()
            beating = Beating(lease=LEASE, on_stale=stale.set)
            there.link.keep_alive(beating)
            beating.progress = Progress(cell_index=1, cells_total=2)

            async def beaten() -> bool:
                return any(call[0] == "heartbeat" and call[3] for call in there.orchestrator.asked)

            await until_async(beaten, what="a heartbeat with the progress")
            there.orchestrator.fault = StaleFence("passed on")
            beating.progress = Progress(cell_index=2, cells_total=2)
            await asyncio.to_thread(stale.wait, 10)
            assert stale.is_set()
            count = len(there.orchestrator.asked)
            beating.progress = Progress(cell_index=3, cells_total=3)
            other = Beating(lease=LEASE, on_stale=stale.clear)
            there.link.keep_alive(other)
            other.progress = Progress(cell_index=1, cells_total=1)

            async def let_go() -> bool:
                return not stale.is_set()

            await until_async(let_go, what="the next beat, which is the other attempt's")
            assert len(there.orchestrator.asked) == count + 1
            serving.cancel()
        assert await asyncio.to_thread(there.gone.wait, 10)

    run(story())


@pytest.mark.parametrize("garbage", [b"", b"\0\0\0\x02[]", b"\xff\xff\xff\xff", b"\0\0\0\x02{}"])
def test_an_end_and_garbage_are_both_the_end_of_the_link(garbage: bytes) -> None:
    gone = threading.Event()
    ours, theirs = socket.socketpair()
    link = LinkThread(theirs, gone.set)
    link.start()
    with ours:
        ours.sendall(garbage)
    until(gone.is_set, what="the runner hears that its orchestrator is gone", deadline_sec=5)
    client = ExecutionClient(link.send)
    with pytest.raises(Unreachable):
        run(client.heartbeat(*HELD, None))
