"""The folders of a home, and what is done to one without opening it."""

import errno
from pathlib import Path

from chatflow_jupyter.adapters.files.storage import LocalArtifactStorage
from chatflow_jupyter.domain.errors import HomeInUse, StorageFull
from chatflow_jupyter.ports.records import Soundness
from chatflow_jupyter.settings import Settings


def make_home(settings: Settings, *, may_write: bool) -> None:
    """Make the folders of the home; raises `StorageFull`, or `HomeInUse` when it cannot be written.

    Who only asks can do without those of a home that is there.
    """
    for folder in (settings.home, settings.logs):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            if not may_write and settings.database.is_file():
                return
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"{folder}: no room is left on the device") from None
            reason = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
            raise HomeInUse(f"{folder} cannot be made: {reason}; choose another CHATFLOW_HOME") from None


async def examine_home(settings: Settings, *, read: bool, most: int) -> Soundness:
    """Look for what is damaged in a home, without changing it; with `read`, in the bytes of artifacts too."""
    from chatflow_jupyter.adapters.sql.soundness import examine

    return await examine(settings.database, LocalArtifactStorage(settings.artifacts), read=read, most=most)


def copy_database(settings: Settings, target: Path) -> None:
    """Copy the database, in use or not, over the empty file `target`; raises `Unreachable`."""
    from chatflow_jupyter.adapters.sql.read_only import copy_store

    copy_store(settings.database, target)
