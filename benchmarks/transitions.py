"""Transitions per second through the service layer, beside raw sqlite3 writing the same rows.

One instance goes through five phases, each behind a gate that expires: approve (with an idempotency key: the
vote, the key, the gate's timer, the queued attempt), lease, start, success (the outcome, the next gate and
its timer). A lease is one more commit that is made and not counted.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, holds
from benchmarks.replay import Log, recording_store, replay, rows_of
from benchmarks.stores import Store, Synchronous, open_store, record_of
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, RunnerId
from chatflow_jupyter.domain.instance import Status
from chatflow_jupyter.domain.requests import AttemptStarted, AttemptSucceeded, Trigger
from chatflow_jupyter.ports.records import InstanceFilter
from chatflow_jupyter.services.orchestrator import NewInstance

ROUNDS = 5
INSTANCES = 100
PHASES = 5
CLIENTS = 8
PER_PHASE = 3
TRANSITIONS = INSTANCES * PHASES * PER_PHASE
RUNNER = RunnerId("run_benchmark")
EXPECTED = {
    "instances": INSTANCES,
    "trees": INSTANCES,
    "attempts": INSTANCES * PHASES,
    "decisions": INSTANCES * PHASES,
    "request_keys": INSTANCES * PHASES,
    "timers": 0,
    "continuations": 0,
}
DEFINITION = "name: benchmark\nautomation_level: 100\nphases:\n" + "".join(
    f"  - {{name: phase_{number}, notebook: n.ipynb, timeout_sec: 600, gate: {{expires_sec: 3600}}}}\n"
    for number in range(PHASES)
)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """How long the counted part took, and the rows per table afterwards."""

    took_sec: float
    rows: dict[str, int]

    @property
    def per_sec(self) -> float:
        """Transitions per second."""
        return TRANSITIONS / self.took_sec


def measure() -> Sequence[Figure]:
    """Measure service layer and raw sqlite3 in turns, then a single client, then FULL."""
    with tempfile.TemporaryDirectory(prefix="chatflow-bench-") as place:
        folder = Path(place)
        base = folder / "base.db"
        log = asyncio.run(_record(base, folder / "recorded.db"))
        ours, raw = [], []
        for number in range(ROUNDS):
            ours.append(asyncio.run(_timed(folder / f"ours-{number}.db", CLIENTS)))
            raw.append(_replayed(base, folder / f"raw-{number}.db", log))
        alone = asyncio.run(_timed(folder / "alone.db", 1))
        full = asyncio.run(_timed(folder / "full.db", CLIENTS, "full"))
    same = all(timed.rows == raw[0].rows for timed in [*ours, *raw])
    expected = {name: ours[0].rows[name] for name in EXPECTED} == EXPECTED
    outboxed = ours[0].rows["outbox"] == ours[0].rows["events"] > TRANSITIONS
    quick, quickest = median(timed.per_sec for timed in ours), median(timed.per_sec for timed in raw)
    ratio = median(one.per_sec / other.per_sec for one, other in zip(ours, raw, strict=True))
    how = f"median of {ROUNDS} rounds of {TRANSITIONS:,} transitions"
    return [
        Figure(
            name="transitions on SQLite NORMAL",
            value=quick,
            unit="/s",
            goal=600,
            comparison=">=",
            how=f"{how}, {CLIENTS} callers",
        ),
        Figure(
            name="of raw sqlite3 with the same rows",
            value=ratio,
            unit="x",
            goal=0.25,
            comparison=">=",
            how=f"{how}, taken in turns; raw: {quickest:,.0f} /s",
        ),
        holds("every row is written, the same by both", same and expected and outboxed, f"{ours[0].rows}"),
        Figure(name="transitions, one caller", value=alone.per_sec, unit="/s", how="one round"),
        Figure(name="transitions on SQLite FULL", value=full.per_sec, unit="/s", how=f"{CLIENTS} callers"),
    ]


async def _timed(path: Path, clients: int, synchronous: Synchronous = "normal") -> Timed:
    async with open_store(path, synchronous) as store:
        waiting = await _prepare(store)
        began = time.perf_counter()
        await _advance_all(store, waiting, clients)
        took_sec = time.perf_counter() - began
        await _check_completed(store)
    return Timed(took_sec=took_sec, rows=rows_of(path))


async def _record(base: Path, path: Path) -> Log:
    """Write down every statement of one round; `base` becomes the store as it was before."""
    async with open_store(path) as store:
        waiting = await _prepare(store)
    shutil.copy(path, base)
    async with recording_store(path) as (store, log):
        await _advance_all(store, waiting, 1)
        await _check_completed(store)
    return log


def _replayed(base: Path, path: Path, log: Log) -> Timed:
    shutil.copy(base, path)
    return Timed(took_sec=replay(path, log), rows=rows_of(path))


async def _prepare(store: Store) -> list[InstanceId]:
    """Create the instances, each waiting at its first gate."""
    record = record_of(DEFINITION)
    await store.storage.save_definition(record)
    new = NewInstance(
        record=record, context={"path": "src", "limit": 10}, principal=LOCAL_PRINCIPAL, start=True
    )
    return [(await store.orchestrator.create(new)).instance_id for _ in range(INSTANCES)]


async def _advance_all(store: Store, instances: Sequence[InstanceId], clients: int) -> None:
    at_gate: asyncio.Queue[InstanceId] = asyncio.Queue()
    for instance_id in instances:
        at_gate.put_nowait(instance_id)
    rounds = iter(range(len(instances) * PHASES))
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(store, at_gate, rounds))


async def _client(store: Store, at_gate: asyncio.Queue[InstanceId], rounds: Iterator[int]) -> None:
    for number in rounds:
        instance_id = await at_gate.get()
        approval = Trigger(principal=LOCAL_PRINCIPAL, decision="approve", reason="looks right")
        await store.orchestrator.trigger(LOCAL_TENANT, instance_id, approval, key=f"key-{number}")
        now = datetime.now(UTC)
        row = await store.storage.claim(RUNNER, None, now=now, lease_expires_at=now + timedelta(seconds=30))
        assert row is not None
        started = AttemptStarted(attempt_id=row.attempt_id, fence=row.fence, runner_id=RUNNER)
        await store.orchestrator.apply(LOCAL_TENANT, row.instance_id, started)
        succeeded = AttemptSucceeded(
            attempt_id=row.attempt_id,
            fence=row.fence,
            outputs={"high": 3, "files": ["a.py", "b.py"]},
            duration_sec=1.5,
        )
        advanced = await store.orchestrator.apply(LOCAL_TENANT, row.instance_id, succeeded)
        if not advanced.ended:
            at_gate.put_nowait(row.instance_id)


async def _check_completed(store: Store) -> None:
    everything = InstanceFilter(limit=INSTANCES + 1)
    instances = await store.storage.instances(LOCAL_TENANT, everything)
    assert len(instances) == INSTANCES
    assert all(instance.status is Status.COMPLETED for instance in instances)
    assert {instance.seq for instance in instances} == {1 + PHASES * PER_PHASE}
