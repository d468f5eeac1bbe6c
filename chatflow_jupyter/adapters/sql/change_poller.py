"""Notices what other processes commit to the same file."""

import contextlib
import sqlite3
import threading
from pathlib import Path

from chatflow_jupyter.adapters.change_signal import ChangeSignal

EVERY_SEC = 0.05


class ChangePoller:
    """A thread that reads `PRAGMA data_version`, only while somebody waits for a change.

    The number changes for commits of any other connection, of this process too: those wake people twice.
    """

    def __init__(self, path: Path, changes: ChangeSignal) -> None:
        """Announce what happens to the file at `path`; the thread starts with the first who waits."""
        self._path = path
        self._changes = changes
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._seen = self._version()

    def look(self) -> None:
        """Begin to look, for as long as somebody waits."""
        with self._guard:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._poll, name="chatflow-sqlite-poller", daemon=True)
                self._thread.start()
        self._wanted.set()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._connection.close()

    def _poll(self) -> None:
        while not self._ended.is_set():
            self._wanted.wait()
            with contextlib.suppress(sqlite3.Error):  # whoever reads next will meet the error and report it
                version = self._version()
                if version != self._seen:
                    self._seen = version
                    self._changes.announce()
            if self._ended.wait(EVERY_SEC):
                return
            if not self._changes.is_waited_for():
                self._wanted.clear()
                if self._changes.is_waited_for():
                    self._wanted.set()

    def _version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version
