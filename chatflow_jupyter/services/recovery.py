"""What a lost attempt left behind: its partial notebook is kept as an artifact, its folder removed."""

import logging
import shutil
from pathlib import Path

from chatflow_jupyter.domain.errors import ChatFlowError
from chatflow_jupyter.domain.ids import AttemptId
from chatflow_jupyter.ports.records import AttemptRow

from .artifacts import Artifacts

log = logging.getLogger(__name__)


class Recovery:
    """Looks after the work folders of attempts that ended without a report."""

    def __init__(self, artifacts: Artifacts, work: Path | None) -> None:
        """Work folders are below `work`; None when attempts run on other machines."""
        self._artifacts = artifacts
        self._work = work

    async def keep(self, row: AttemptRow) -> None:
        """Publish the partial notebook of a lost attempt and remove its folder."""
        if self._work is None:
            return
        folder = attempt_folder(self._work, row.attempt_id)
        notebook = folder / "notebook.ipynb"
        if notebook.is_file():
            try:
                await self._artifacts.publish(
                    row, name=f"{row.phase}.ipynb", kind="notebook", source=notebook, fence=None
                )
            except ChatFlowError as error:
                log.warning("the partial notebook of %s could not be kept: %s", row.attempt_id, error.message)
        shutil.rmtree(folder, ignore_errors=True)


def attempt_folder(work: Path, attempt_id: AttemptId) -> Path:
    """Return the folder in which that attempt runs."""
    return work / attempt_id
