"""Run the notebooks of the template one after the other, as an instance would."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatflow_jupyter.runner.notebook import NotebookJob, NotebookResult, run_notebook
from chatflow_jupyter.runner.phase_files import CONTEXT_VARIABLE, SOCKET_VARIABLE
from chatflow_jupyter.runner.phase_socket import phase_socket
from tests.runner.notebooks import Heard


@dataclass
class Instance:
    """Artifacts and variables of the phases that ran; a child reads its parent's."""

    template: Path
    folder: Path
    context: Mapping[str, Any]
    parent: "Instance | None" = None
    variables: dict[str, Any] = field(default_factory=dict)
    risk: int | None = None

    async def once_get(self, name: str) -> None:
        """Nothing is kept between attempts here."""

    async def once_put(self, name: str, value: Any) -> Any:
        return value

    async def once_get_file(self, name: str) -> None:
        """Nothing is kept between attempts here."""

    async def once_put_file(self, name: str, path: Path) -> None:
        """Nothing is kept between attempts here."""

    async def input_file(self, phase: str, name: str, parent: bool) -> Path:
        owner = self.parent if parent else self
        path = owner.artifact(phase, name) if owner else Path("/nowhere")
        if not path.is_file():
            raise LookupError(f"phase {phase} left no artifact {name}")
        return path

    def artifact(self, phase: str, name: str) -> Path:
        """Where an artifact of a phase lies."""
        return self.folder / phase / "artifacts" / name

    def read(self, phase: str, name: str) -> Any:
        """An artifact's JSON."""
        return json.loads(self.artifact(phase, name).read_text())

    def run(
        self, phase: str, *, variables: Mapping[str, Any] | None = None, **parameters: Any
    ) -> NotebookResult:
        """Run the notebook of a phase; its outcomes become variables. `variables` are given on top."""
        work = self.folder / phase
        (work / ".chatflow").mkdir(parents=True)
        described = work / ".chatflow" / "context.json"
        description = {
            "instance_id": "wfi_1",
            "attempt_number": 1,
            "phase": phase,
            "parameters": {**self.context, **parameters},
            "variables": {**self.variables, "context": dict(self.context), **(variables or {})},
            "bundle": str(self.template),
        }
        described.write_text(json.dumps(description))

        async def go() -> NotebookResult:
            async with phase_socket(self) as socket:
                variables = {CONTEXT_VARIABLE: str(described), SOCKET_VARIABLE: str(socket)}
                attempt = NotebookJob(
                    notebook=self.template / f"{phase}.ipynb",
                    parameters={},
                    work_dir=work,
                    output=work / "out.ipynb",
                    environment={**variables, "PYTHONPATH": str(self.template / "lib")},
                )
                return await run_notebook(attempt, Heard(), asyncio.Event())

        result = asyncio.run(go())
        assert result.ok, result.error
        self.variables[phase] = dict(result.outputs)
        self.risk = result.risk
        return result
