"""The world of the services in which phases may reuse earlier outcomes."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, LOCAL_TENANT, InstanceId, Principal
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.ports.records import Lease
from chatflow_jupyter.services.dispatcher import Dispatcher
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.services.reuse import Reuse
from tests.services.hooked import HookedWorld
from tests.services.world import LEAF, LEASE_SEC

SUM = """\
name: sum
automation_level: 100
parameters: {type: object, properties: {month: {type: integer}}}
phases:
  - {name: collect, notebook: one.ipynb}
  - name: count
    notebook: two.ipynb
    cache: inputs
    parameters: {rows: {field: collect.rows}}
    retries: {max_attempts: 3}
"""


def notebook(text: str) -> str:
    """A notebook with that source."""
    cell = {"cell_type": "raw", "metadata": {}, "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@dataclass(kw_only=True)
class ReuseWorld(HookedWorld):
    """Everything wired as bootstrap does it."""

    def wire(self, storage: Any) -> None:
        """Put everything together over this store, as a new process does."""
        super().wire(storage)
        self.numbers = itertools.count(1)
        reuse = Reuse(storage, self.artifacts, self.pinned, self.hooks, self.clock)
        self.dispatcher = Dispatcher(
            storage,
            self.orchestrator,
            self.recovery,
            self.clock,
            lease_sec=LEASE_SEC,
            on_hooks=self.runs.take,
            look_up=reuse.answer,
        )

    async def start(
        self,
        definition: str = SUM,
        *,
        context: Any = None,
        two: str = "count",
        lib: str = "1",
        principal: Principal = LOCAL_PRINCIPAL,
        **more: Any,
    ) -> Instance:
        """Start an instance of the definition with this notebook `two.ipynb` and `lib.py` beside it."""
        files = {"leaf__yaml": LEAF, "two__ipynb": notebook(two), "lib__py": lib}
        folder = self.template("made", definition, **files)
        record = await self.definitions.publish_folder(folder, LOCAL_TENANT)
        wanted = NewInstance(
            record=record, context=context or {"month": 4}, principal=principal, start=True, **more
        )
        return await self.orchestrator.create(wanted)

    async def put(self, lease: Lease, name: str, text: str) -> None:
        """Publish an artifact of the attempt."""
        file = Path(self.folder / f"file-{next(self.numbers)}")
        file.write_text(text)  # noqa: ASYNC240 - a few bytes
        held = lease.attempt.attempt_id, lease.attempt.fence
        kind = "notebook" if name.endswith(".ipynb") else "data"
        await self.execution.put_artifact(*held, name=name, kind=kind, source=file)

    async def collect(self) -> None:
        """Run the first phase as `run_all` does."""
        lease = await self.must_lease()
        await self.put(lease, "collect.ipynb", f"ran as number {next(self.numbers)}")
        await self.put(lease, "data.txt", "d")
        await self.end(lease, rows=3)

    async def run_all(
        self, instance_id: InstanceId, *, rows: int = 3, data: str = "d", total: int = 6
    ) -> list[str]:
        """Work until nothing is left; returns the phases of which an attempt was made, in order."""
        made: list[str] = []
        while True:
            if await self.dispatcher.step():
                continue
            if await self.ask_hooks():
                continue
            lease = await self.lease()
            if lease is None:
                return made
            phase = lease.attempt.phase
            made.append(phase)
            await self.put(lease, f"{phase}.ipynb", f"ran at {self.clock.now()} {next(self.numbers)}")
            await self.put(lease, "data.txt", data if phase == "collect" else f"sum {next(self.numbers)}")
            await self.end(lease, **({"rows": rows} if phase == "collect" else {"total": total}))

    async def once(self, **more: Any) -> tuple[Instance, list[str]]:
        """Start and run a whole instance; returns it, and the phases of which an attempt was made."""
        ran = {name: more.pop(name) for name in ("rows", "data", "total") if name in more}
        self.clock.turn(60)
        made = await self.start(**more)
        phases = await self.run_all(made.instance_id, **ran)
        return await self.now(made.instance_id), phases
