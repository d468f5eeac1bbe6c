"""pytest plugin: one JSON line a test, written when the test ends, and its name as coverage's context.

Loaded by the interpreter of the reviewed project, which may be an older Python; nothing but the
standard library is imported.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_worst: dict[str, dict[str, object]] = {}


def pytest_runtest_logstart(nodeid, location):  # noqa: ARG001  # pytest names the arguments
    """Tell coverage whose lines come next."""
    switch_context(nodeid)


def pytest_runtest_logreport(report):
    """Keep the worst of set-up, call and tear-down; write it when the test is over."""
    record = _worst.setdefault(report.nodeid, {"test": report.nodeid, "outcome": "passed", "sec": 0.0})
    record["sec"] += report.duration
    if report.failed:
        record["outcome"] = "failed" if report.when == "call" else "error"
        record["message"] = _said(report)
    elif report.skipped and record["outcome"] == "passed":
        expected = hasattr(report, "wasxfail")
        record["outcome"] = "passed" if expected else "skipped"
    if report.when == "teardown":
        write(_worst.pop(report.nodeid))
        switch_context("")


def pytest_collectreport(report):
    """Write a file that cannot be imported as one broken test."""
    if report.failed:
        write({"test": report.nodeid, "outcome": "error", "sec": 0.0, "message": _said(report)})


def write(record):
    """Append one record to the file named by CHATFLOW_REVIEW_RESULTS."""
    with Path(os.environ["CHATFLOW_REVIEW_RESULTS"]).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record, ensure_ascii=True) + "\n")


def switch_context(name):
    """Name coverage's dynamic context, when coverage is measuring at all."""
    coverage = sys.modules.get("coverage")
    current = coverage.Coverage.current() if coverage is not None else None
    if current is not None:
        current.switch_context(name)


def _said(report):
    return str(getattr(report, "longreprtext", "") or report.longrepr or "")[-3000:]
