"""Try mutants one after the other: the test library is loaded once, each mutant gets a forked child.

Started as ``python chatflow_review_mutants.py PLAN.json`` in a copy of the reviewed tree, with the
project's own interpreter. The plan is
``{file, kind, arguments, sec, total_sec, mutants: [{id, source, tests}]}``; the first mutant is the unchanged
source. One JSON line each: ``{id, verdict, sec}``, where the verdict is ``survived``, ``killed``, ``timeout``
or ``error``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import chatflow_review_unittest

TESTS_FAILED = 1


def main(plan_path):
    """Try every mutant of the plan while there is time; the original source is put back at the end."""
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    sys.path.insert(0, "")
    if plan["kind"] == "pytest":
        import pytest  # noqa: F401  # loaded here so that no child has to
    place = Path(plan["file"])
    original = place.read_bytes()
    end = time.monotonic() + plan["total_sec"]
    limit = plan["sec"]
    try:
        for mutant in plan["mutants"]:
            left = end - time.monotonic()
            if left <= 0:
                break
            place.write_bytes(mutant["source"].encode("utf-8"))
            verdict, seconds = _try(plan, mutant["tests"], min(limit, left))
            if verdict == "timeout" and seconds < limit:
                break
            line = json.dumps({"id": mutant["id"], "verdict": verdict, "sec": round(seconds, 3)})
            os.write(1, line.encode() + b"\n")
            if mutant["id"] == "":
                limit = min(limit, 3 * seconds + 3)
    finally:
        place.write_bytes(original)


def _try(plan, tests, limit):
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        _in_child(plan, tests)
    status = _wait(child, begun + limit)
    seconds = time.monotonic() - begun
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
        return "timeout", seconds
    code = os.waitstatus_to_exitcode(status)
    return {0: "survived", TESTS_FAILED: "killed"}.get(code, "error"), seconds


def _wait(child, end):
    pause = 0.002
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return None


def _in_child(plan, tests):
    code = 70
    try:
        os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        if plan["kind"] == "pytest":
            import pytest

            code = int(pytest.main([*plan["arguments"], "-x", "-q", *tests]))
            code = TESTS_FAILED if code in (1, 2, 3, 4) else code  # 4: the test is gone as its file breaks
        else:
            passed, count = chatflow_review_unittest.run(tests, failfast=True)
            code = 0 if passed and count else TESTS_FAILED if count else 5
    except BaseException:  # noqa: BLE001  # whatever the mutant does, the child ends here
        code = TESTS_FAILED
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
