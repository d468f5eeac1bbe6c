"""What a running notebook asks for while it runs, answered through `IExecution`."""

import asyncio
import hashlib
from pathlib import Path

from chatflow_jupyter.domain.errors import NotFound
from chatflow_jupyter.domain.json_values import JsonValue
from chatflow_jupyter.ports.execution import IExecution
from chatflow_jupyter.ports.records import JournalEntry, Lease


class AttemptRequests:
    """The requests of one attempt's kernel. Fetched files land below `folder`, read-only."""

    def __init__(self, execution: IExecution, lease: Lease, folder: Path) -> None:
        """Ask `execution` under the lease."""
        self._execution = execution
        self._held = (lease.attempt.attempt_id, lease.attempt.fence)
        self._folder = folder
        self._fetching = asyncio.Lock()

    async def once_get(self, name: str) -> JournalEntry | None:
        """Return the JSON stored under `name` by an earlier attempt, or None."""
        return await self._execution.once_get(*self._held, name)

    async def once_put(self, name: str, value: JsonValue) -> JsonValue:
        """Store `value` unless there is one, and return the stored one."""
        return (await self._execution.once_put(*self._held, name, value)).value

    async def once_get_file(self, name: str) -> Path | None:
        """Return a local copy of the bytes stored under `name`, or None."""
        target = self._target("once", name)
        async with self._fetching:
            if target.exists() or await self._execution.once_get_file(*self._held, name, target):
                return target
        return None

    async def once_put_file(self, name: str, path: Path) -> None:
        """Store the bytes of `path` under `name`."""
        await self._execution.once_put_file(*self._held, name, path)

    async def input_file(self, phase: str, name: str, parent: bool) -> Path:
        """Return a local copy of an earlier phase's artifact; raises `LookupError` with a clear line."""
        target = self._target("parent" if parent else "input", f"{phase}/{name}")
        async with self._fetching:
            if target.exists():
                return target
            try:
                await self._execution.fetch_artifact(
                    *self._held, phase=phase, name=name, parent=parent, target=target
                )
            except NotFound as error:
                raise LookupError(error.message) from None
            target.chmod(0o400)
        return target

    def _target(self, kind: str, name: str) -> Path:
        """Return a path that keeps the file's own name, in a folder of its own."""
        folder = self._folder / hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:16]
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / name.rsplit("/", 1)[-1]
