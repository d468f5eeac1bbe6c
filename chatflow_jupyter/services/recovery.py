"""What attempts left behind that ended without a report: processes end, notebooks are kept, folders go."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path

from chatflow_jupyter.domain.errors import ChatFlowError, NotFound, StoreDamaged
from chatflow_jupyter.domain.ids import AttemptId, TenantId
from chatflow_jupyter.planted_files import is_plain_file, read_plain_file, remove_tree
from chatflow_jupyter.ports.records import AttemptRow
from chatflow_jupyter.ports.state_storage import IAttempts

from .artifacts import Artifacts

log = logging.getLogger(__name__)

MAX_NOTE_BYTES = 64 * 1024
"""How much is read of the note that says whose a folder is; a notebook may have put anything there."""


class Recovery:
    """Looks after the work folders of attempts, one folder each, named by the attempt's id."""

    def __init__(
        self, attempts: IAttempts, artifacts: Artifacts, work: Path, end_processes: Callable[[Path], bool]
    ) -> None:
        """Look below `work`; `end_processes` ends what was started from a folder, and says if it could."""
        self._attempts = attempts
        self._artifacts = artifacts
        self._work = work
        self._end_processes = end_processes
        self._told: set[AttemptId] = set()

    async def keep(self, row: AttemptRow) -> None:
        """Keep the partial notebook of an attempt that has ended; end its processes, remove its folder."""
        folder = self._work / row.attempt_id
        await self._end(folder)
        notebook = folder / "notebook.ipynb"
        if await asyncio.to_thread(is_plain_file, notebook):
            name = f"{row.phase}.ipynb"
            try:
                kept = await self._artifacts.publish(
                    row, name=name, kind="notebook", source=notebook, fence=None
                )
                if kept is None:
                    log.warning("the partial notebook of %s is not kept: a hook refused it", row.attempt_id)
            except ChatFlowError as error:
                log.warning("the partial notebook of %s could not be kept: %s", row.attempt_id, error.message)
        await _remove(folder)

    async def _end(self, folder: Path) -> None:
        if not await asyncio.to_thread(self._end_processes, folder):
            log.warning("processes of the attempt %s do not end; they are left alone", folder.name)

    async def sweep(self) -> None:
        """Look after every folder whose attempt nobody runs any more."""
        for tenant_id, attempt_id in await asyncio.to_thread(_found, self._work):
            try:
                row = await self._attempts.attempt(tenant_id, attempt_id)
            except NotFound:
                await self._forget(self._work / attempt_id)
                continue
            except StoreDamaged as error:
                if attempt_id not in self._told:
                    self._told.add(attempt_id)
                    log.warning("%s; %s is left alone", error.message, self._work / attempt_id)
                continue
            if row.status == "succeeded":
                await self._forget(self._work / attempt_id)
            elif row.status not in ("queued", "leased"):
                await self.keep(row)

    async def _forget(self, folder: Path) -> None:
        await self._end(folder)
        await _remove(folder)


async def _remove(folder: Path) -> None:
    await asyncio.to_thread(remove_tree, folder)


def _found(work: Path) -> list[tuple[TenantId, AttemptId]]:
    found = []
    for file in work.glob("*/attempt.json"):
        tenant_id = _noted_in(file)
        if tenant_id is None:
            log.warning("%s: not an attempt's folder; left alone", file.parent)
        else:
            found.append((tenant_id, AttemptId(file.parent.name)))
    return found


def _noted_in(file: Path) -> TenantId | None:
    """Return whose attempt the note says it is; None when it says nothing of the kind."""
    try:
        note = json.loads(read_plain_file(file, most_bytes=MAX_NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    match note:
        case {"tenant_id": str(tenant_id)}:
            return TenantId(tenant_id)
    return None
