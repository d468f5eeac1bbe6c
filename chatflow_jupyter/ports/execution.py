"""`IExecution`: all that a runner may ask of the orchestrator. The fence decides, not the clock."""

from pathlib import Path
from typing import Protocol

from chatflow_jupyter.domain.ids import AttemptId, RunnerId
from chatflow_jupyter.domain.json_values import JsonValue

from .records import ArtifactRecord, AttemptReport, JournalEntry, Lease, Progress


class IExecution(Protocol):
    """A runner's side of an attempt. Calls with a fence raise `StaleFence` once the lease has passed on."""

    async def lease(self, runner_id: RunnerId, *, wait_sec: float) -> Lease | None:
        """Lease the next attempt, waiting up to `wait_sec`; its start is recorded before this returns."""

    async def heartbeat(self, attempt_id: AttemptId, fence: int, progress: Progress | None) -> None:
        """Extend the lease and report how far the notebook is. `StaleFence` means: stop at once."""

    async def put_artifact(
        self, attempt_id: AttemptId, fence: int, *, name: str, kind: str, source: Path
    ) -> ArtifactRecord | None:
        """Store the file as an artifact of the attempt; one of the same name is replaced.

        Returns None when a hook refused it: nothing of it is stored, and the attempt fails at its end.
        """

    async def fetch_artifact(
        self, attempt_id: AttemptId, fence: int, *, phase: str, name: str, parent: bool, target: Path
    ) -> None:
        """Write an ended phase's latest artifact of that name, of the instance or its parent, to `target`.

        Raises `NotFound` naming what there is.
        """

    async def fetch_bundle(self, attempt_id: AttemptId, fence: int, target: Path) -> None:
        """Unpack the pinned bundle of the attempt's definition into the new folder `target`."""

    async def once_get(self, attempt_id: AttemptId, fence: int, name: str) -> JournalEntry | None:
        """Return what an attempt of this phase stored under `name`, or None."""

    async def once_put(self, attempt_id: AttemptId, fence: int, name: str, value: JsonValue) -> JournalEntry:
        """Store at most 64 KiB of JSON, committed before this returns; the first writer wins."""

    async def once_get_file(self, attempt_id: AttemptId, fence: int, name: str, target: Path) -> bool:
        """Write the bytes stored under `name` to the new file `target`; returns whether there were any."""

    async def once_put_file(self, attempt_id: AttemptId, fence: int, name: str, source: Path) -> None:
        """Store a file's bytes under `name`, committed before this returns; the first writer wins."""

    async def complete(self, attempt_id: AttemptId, fence: int, report: AttemptReport) -> None:
        """Commit how the attempt ended. A repeated call after success raises `StaleFence`."""
