"""Log files below `CHATFLOW_HOME/logs`, rotated; nothing of ours goes to stdout."""

import logging
import logging.handlers
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_BYTES = 2 * 1024 * 1024
KEPT_FILES = 3


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that is silent about its own faults: a full disk is told where something was lost by it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's signature
        """Leave the record out."""


def rotated(file: Path) -> Path:
    """Make room in a log that processes append to as their output, and return it; call it before opening.

    Beyond 2 MiB it becomes `NAME.1`, and the older ones one number higher; three are kept. Who has it open
    goes on writing to what it has open. Whatever cannot be moved stays where it is.
    """
    with suppress(OSError):
        if file.stat().st_size >= MAX_BYTES:
            for number in range(KEPT_FILES, 0, -1):
                newer = file.with_name(f"{file.name}.{number - 1}") if number > 1 else file
                with suppress(FileNotFoundError):
                    newer.replace(file.with_name(f"{file.name}.{number}"))
    return file


@contextmanager
def log_to(folder: Path, name: str, level: str) -> Iterator[Path]:
    """Send the product's log records to `folder/name.log` while the context lasts; yields the file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{name}.log"
    handler = _LogFile(file, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
    product = logging.getLogger("chatflow_jupyter")
    before = product.level, product.propagate
    product.addHandler(handler)
    product.setLevel(level.upper())
    product.propagate = False
    try:
        yield file
    finally:
        product.removeHandler(handler)
        product.setLevel(before[0])
        product.propagate = before[1]
        handler.close()
