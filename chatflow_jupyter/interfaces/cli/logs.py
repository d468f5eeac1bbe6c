"""What the log says on the terminal, and where an internal error is written down.

The log files themselves are kept by whoever opens the home.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from chatflow_jupyter.interfaces.cli.terminal import safe_line

if TYPE_CHECKING:
    from chatflow_jupyter.settings import Settings

PRODUCT = "chatflow_jupyter"
_home_of_logs: list[Settings] = []


def start_logging(settings: Settings) -> None:
    """Show warnings of the product on standard error, and remember where its log files are."""
    _home_of_logs[:] = [settings]
    product = logging.getLogger(PRODUCT)
    product.propagate = False
    if not any(isinstance(handler, _Terminal) for handler in product.handlers):
        product.addHandler(_Terminal())


def record_internal_error(error: BaseException) -> Path | None:
    """Write the error with its traceback to the log; returns the file, or None when there is none."""
    if not _home_of_logs:
        return None
    from chatflow_jupyter.log_files import log_to

    settings = _home_of_logs[0]
    try:
        with log_to(settings.logs, "errors", settings.log_level) as file:
            logging.getLogger(PRODUCT).critical("internal error", exc_info=error, extra={_SILENT: True})
            return file
    except OSError:
        return None


_SILENT = "chatflow_silent"


class _Terminal(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is now: the live picture stands in for it while it draws."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setLevel(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, _SILENT, False):
            return
        try:
            sys.stderr.write(f"chatflow: {record.levelname.lower()}: {safe_line(record.getMessage(), 500)}\n")
        except (OSError, ValueError):
            self.setLevel(logging.CRITICAL + 1)
