"""A shell on a pseudo-terminal, as a person has one: what is typed goes through the terminal's own rules."""

import contextlib
import os
import pty
import signal
import subprocess
import threading
from pathlib import Path

from tests.acceptance.product import CHATFLOW, Product
from tests.limits import LIMITS

JOB = """\
exec < "$1" > "$1" 2>&1
shift
set -m
"$@"
echo "[shell: $?]"
read -r line
fg
echo "[shell: $?]"
"""


class Terminal:
    """A command of `chatflow` in the foreground of a shell that lets go of it when it is stopped."""

    def __init__(self, product: Product, *arguments: str | Path) -> None:
        self._master, slave = pty.openpty()
        self._shown = bytearray()
        self.shell = subprocess.Popen(
            ["sh", "-c", JOB, "sh", os.ttyname(slave), CHATFLOW, *arguments],
            env={**product.environment, "TERM": "xterm"},
            cwd=product.folder,
            start_new_session=True,
        )
        self._slave = slave
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """Everything that was written to the terminal so far."""
        return self._shown.decode(errors="replace")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def stop(self) -> None:
        """Press Ctrl-Z."""
        self.type("\x1a")

    def go_on(self) -> None:
        """Type `fg`."""
        self.type("\n")

    def wait(self) -> None:
        """Wait for the end of the shell."""
        self.shell.wait(LIMITS.deadline_sec)

    def close(self) -> None:
        """Close the terminal and end what a failed test left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait()
        os.close(self._slave)
        self._reader.join(LIMITS.deadline_sec)
        os.close(self._master)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # nobody has the terminal open any more
            while data := os.read(self._master, 65536):
                self._shown += data
