"""`python dying.py N ARGUMENTS…`: the chatflow command, killed right after its Nth commit."""

import os
import signal
import sys
from typing import Any

from chatflow_jupyter.adapters.sql.database import SqliteDatabase
from chatflow_jupyter.interfaces.cli.main import main

left = int(sys.argv[1])
write = SqliteDatabase._write


def dying(self: SqliteDatabase, work: Any) -> Any:
    """Commit, and die before anybody hears of it."""
    global left
    before = self._changes.token
    result = write(self, work)
    if self._changes.token != before:
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return result


SqliteDatabase._write = dying  # type: ignore[method-assign]
sys.exit(main(sys.argv[2:]))
