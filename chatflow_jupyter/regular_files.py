"""Opening a file somebody names, which may be anything: a pipe that nobody writes to would be waited for."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from chatflow_jupyter.domain.errors import InvalidInput


def open_regular(source: Path) -> BinaryIO:
    """Return the file, open to be read; raises `InvalidInput` for what cannot be, or is no regular file."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(f"{source}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(f"{source}: not a regular file")
    return os.fdopen(handle, "rb")
