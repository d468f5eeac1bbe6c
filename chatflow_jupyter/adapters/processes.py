"""Who this process is on this machine, and whether another one still lives."""

import os
import socket
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.ports.records import Owner

_STARTED_FIELD = 19
"""Position of `starttime` after the command in /proc/PID/stat (field 22 of proc(5))."""


def this_process(owner_id: OwnerId, kind: Literal["foreground", "background"], now: datetime) -> Owner:
    """Return the facts by which others can tell whether this very process lives."""
    pid = os.getpid()
    return Owner(
        owner_id=owner_id,
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=pid,
        started_ticks=_started_ticks(pid) or 0,
        kind=kind,
        registered_at=now,
    )


def is_alive(owner: Owner) -> bool:
    """Whether that process lives and is not stopped; one of another host counts as alive, for all we know.

    A stopped one (Ctrl-Z) drives nothing. Should it go on later, the fences refuse what it still holds.

    A host that got another name since is the same one: it has not booted in between.
    """
    if owner.boot_id and owner.boot_id == _boot_id():
        return _started_ticks(owner.pid) == owner.started_ticks
    if owner.host != socket.gethostname():
        return True
    return not owner.boot_id and _started_ticks(owner.pid) == owner.started_ticks


@cache
def _boot_id() -> str:
    """Return what names this boot and, in a container, this set of processes; empty where nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started_ticks(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None when gone, a zombie or stopped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _exists(pid)
    values = stat.rpartition(")")[2].split()
    return None if values[0] in "ZXTt" else int(values[_STARTED_FIELD])


def _exists(pid: int) -> int | None:
    """Where there is no /proc: 0 for a living process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 0
