"""Run a notebook as a phase: with a context file, and a socket that answers from memory."""

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatflow_jupyter.domain.errors import StaleFence
from chatflow_jupyter.runner.notebook import NotebookJob, NotebookResult, run_notebook
from chatflow_jupyter.runner.phase_files import CONTEXT_VARIABLE, SOCKET_VARIABLE
from chatflow_jupyter.runner.phase_socket import phase_socket
from tests.runner.notebooks import Heard, Run, write


@dataclass
class Stored:
    """A stored `once` result."""

    value: Any


@dataclass
class Memory:
    """Answers a notebook's requests; `stale` makes every write fail as for an attempt that lost its lease."""

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    stale: bool = False

    async def once_get(self, name: str) -> Stored | None:
        self.asked.append(f"get {name}")
        return Stored(self.values[name]) if name in self.values else None

    async def once_put(self, name: str, value: Any) -> Any:
        if self.stale:
            raise StaleFence("the lease has passed on")
        return self.values.setdefault(name, value)

    async def once_get_file(self, name: str) -> Path | None:
        return self.files.get(name)

    async def once_put_file(self, name: str, path: Path) -> None:
        if self.stale:
            raise StaleFence("the lease has passed on")
        self.files[name] = Path(shutil.copy(path, self.folder / f"{name}.stored"))

    async def input_file(self, phase: str, name: str, parent: bool) -> Path:
        if name != "diff.json":
            raise LookupError(f"phase {phase} left no artifact {name}; it left: diff.json")
        path = self.folder / "fetched.json"
        path.write_text(json.dumps({"phase": phase, "parent": parent}))
        return path


def run_phase(folder: Path, cells: list[Any], memory: Memory, *, attempt: int = 1, **job: Any) -> Run:
    """Run cells as attempt number `attempt` of a phase named `static`."""
    work = folder / f"work-{attempt}"
    (work / ".chatflow").mkdir(parents=True)
    context = work / ".chatflow" / "context.json"
    context.write_text(
        json.dumps(
            {
                "instance_id": "wfi_1",
                "attempt_id": "att_1",
                "attempt_number": attempt,
                "phase": "static",
                "parameters": {"path": "src"},
                "variables": {
                    "context": {"path": "src"},
                    "collect": {"files": ["a.py"], "status": "succeeded"},
                    "children": {"src/a.py": {"mutants": {"survivors": 2}}},
                },
                "tenant_id": "local",
                "feature_id": None,
                "spawns": ["./leaf.yaml"],
            }
        )
    )
    heard, output = Heard(), folder / f"out-{attempt}.ipynb"
    source = write(folder, cells)

    async def go() -> NotebookResult:
        async with phase_socket(memory) as socket:
            environment = {CONTEXT_VARIABLE: str(context), SOCKET_VARIABLE: str(socket)}
            made = NotebookJob(
                notebook=source, parameters={}, work_dir=work, output=output, environment=environment, **job
            )
            return await run_notebook(made, heard, asyncio.Event())

    return Run(result=asyncio.run(go()), heard=heard, output=output)
