"""How many notebooks a second get through the whole product, each in a kernel of its own, beside papermill.

`python -m benchmarks.kernels [--json]` runs this alone; its last line is one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, holds
from benchmarks.homes import Home, new_home
from benchmarks.notebooks import write_notebook
from benchmarks.processes import of_home
from chatflow_jupyter.bootstrap import ChatFlow, open_chatflow
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.ports.records import DefinitionRecord, InstanceFilter
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.settings import load_settings

INSTANCES = 300
PAPERMILL = 8
WARM_SEC = 20.0
GOAL = 15.0
PER_SECOND = 20.0
TRANSITIONS = 3  # begun and queued, started, succeeded and completed
CELLS = ("x = 1", "import os\nprint(os.getpid(), x + 1)")
ONE = "name: one\nautomation_level: 100\nphases:\n  - {name: run, notebook: n.ipynb}\n"
ALONE = """
import sys, time, papermill
began = time.perf_counter()
for number in range(int(sys.argv[2])):
    papermill.execute_notebook(sys.argv[1], f"{sys.argv[1]}.{sys.argv[3]}.{number}.ipynb", progress_bar=False)
print(time.perf_counter() - began)
"""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What came of many instances: how long they took, and what is there afterwards."""

    sec: float
    instances: Sequence[Instance]
    pids: Sequence[int]
    whole: int
    transitions: int


def measure() -> Sequence[Figure]:
    """Run papermill before and after, and the same notebook as one-phase instances in between."""
    with new_home() as home:
        notebook = write_notebook(home.folder / "n.ipynb", CELLS, first_tags=())
        (home.folder / "definition.yaml").write_text(ONE)
        rates = [_papermill(notebook, at_once=1)]
        done = asyncio.run(_throughput(home))
        rates.append(_papermill(notebook, at_once=1))
        both = _papermill(notebook, at_once=2)
        left = of_home(home.folder.parent)
    ours, theirs = INSTANCES / done.sec, sum(rates) / len(rates)
    return [
        Figure(
            name="notebooks through the product over papermill",
            value=ours / theirs,
            unit="x",
            goal=GOAL,
            comparison=">=",
            how=f"{INSTANCES} instances of two cells; papermill {theirs:.2f} /s, two at once {both:.2f} /s",
        ),
        Figure(
            name="notebooks through the product",
            value=ours,
            unit="/s",
            goal=PER_SECOND,
            comparison=">=",
            how=f"{done.sec:.1f} s on durable SQLite, kernels refilled meanwhile",
        ),
        *_facts(done),
        holds("no process is left", not left, f"{len(left)} processes"),
    ]


def _facts(done: Pass) -> Sequence[Figure]:
    """Return what has to hold, or the rate would be of something else."""
    completed = all(one.status is Status.COMPLETED for one in done.instances)
    return [
        holds("every instance is completed", completed, f"{len(done.instances)} of {INSTANCES}"),
        holds(
            "each had a kernel of its own", len(set(done.pids)) == INSTANCES, f"{len(set(done.pids))} pids"
        ),
        holds(
            "every notebook is kept", done.whole == INSTANCES, f"{done.whole} with the hash of their bytes"
        ),
        holds(
            "every transition is committed",
            done.transitions == INSTANCES * TRANSITIONS,
            f"{done.transitions:,}: {TRANSITIONS} for each",
        ),
    ]


def _papermill(notebook: Path, *, at_once: int) -> float:
    """Return how many notebooks a second papermill executes, started once for all of them."""
    words = [sys.executable, "-c", ALONE, str(notebook), str(PAPERMILL)]
    began = time.perf_counter()
    running = [
        subprocess.Popen([*words, str(number)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for number in range(at_once)
    ]
    took = [float(process.communicate(timeout=300)[0]) for process in running]
    assert all(process.returncode == 0 for process in running)
    assert time.perf_counter() - began > max(took)
    return at_once * PAPERMILL / max(took)


async def _throughput(home: Home) -> Pass:
    settings = load_settings(environ=dict(home.environment))
    async with open_chatflow(settings, "foreground") as app:
        record = await app.definitions.publish_folder(home.folder, LOCAL_TENANT)
        await _warm(app, record)
        began = time.perf_counter()
        made = [await _start(app, record) for _ in range(INSTANCES)]
        wanted = {one.instance_id for one in made}
        await _all_ended(app)
        sec = time.perf_counter() - began
        ended = [one for one in await _all(app) if one.instance_id in wanted]
        pids, whole = [], 0
        for one in ended:
            (artifact,) = await app.storage.artifacts(LOCAL_TENANT, one.instance_id)
            kept = home.folder / f"{one.instance_id}.ipynb"
            await app.artifacts.fetch(artifact, kept)
            content = kept.read_bytes()
            whole += sha256(content).hexdigest() == artifact.sha256
            pids.append(_printed_pid(json.loads(content)))
        transitions = sum(one.seq for one in ended)
        return Pass(sec=sec, instances=ended, pids=pids, whole=whole, transitions=transitions)


async def _warm(app: ChatFlow, record: DefinitionRecord) -> None:
    """Run a few and let kernels be forked ahead, as in a process that has been there for a while."""
    for _ in range(2):
        await _start(app, record)
        await _all_ended(app)
        await asyncio.sleep(WARM_SEC / 5)


async def _start(app: ChatFlow, record: DefinitionRecord) -> Instance:
    assert app.engine is not None
    mine = app.engine.owner_id
    wanted = NewInstance(record=record, context={}, principal=LOCAL_PRINCIPAL, start=True, owner_id=mine)
    return await app.orchestrator.create(wanted)


async def _all_ended(app: ChatFlow) -> None:
    async with asyncio.timeout(300):
        while await _unfinished(app):  # noqa: ASYNC110 - what a client sees
            await asyncio.sleep(0.05)


async def _unfinished(app: ChatFlow) -> bool:
    for status in (Status.CREATED, Status.RUNNING, Status.WAITING):
        if await app.storage.instances(LOCAL_TENANT, InstanceFilter(status=status, limit=1)):
            return True
    return False


async def _all(app: ChatFlow) -> Sequence[Instance]:
    return await app.storage.instances(LOCAL_TENANT, InstanceFilter(limit=2 * INSTANCES))


def _printed_pid(notebook: Any) -> int:
    output = notebook["cells"][1]["outputs"][0]["text"]
    return int("".join(output).split()[0])


def main(arguments: Sequence[str]) -> int:
    """Measure, tell it, and return 1 when a goal is missed."""
    figures = measure()
    if "--json" not in arguments:
        print(*(figure.line for figure in figures), sep="\n")
    rates = {figure.name: figure.value for figure in figures}
    ours, ratio = (
        rates["notebooks through the product"],
        rates["notebooks through the product over papermill"],
    )
    told = {"attempts_per_second": ours, "papermill_per_second": ours / ratio, "ratio": ratio}
    print(
        json.dumps(
            {
                **{name: round(value, 3) for name, value in told.items()},
                "figures": [figure.record for figure in figures],
            }
        )
    )
    return int(any(figure.verdict == "MISSED" for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
