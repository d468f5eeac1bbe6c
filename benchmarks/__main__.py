"""`python -m benchmarks [NAME…] [--json]`: the last line is JSON; status 1 when a goal is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.figures import Figure

NAMES = ("startup", "transitions", "tree_status", "children", "layers", "idle", "same_job", "install")


def main(arguments: Sequence[str]) -> int:
    """Measure what is named (everything when nothing is), tell it, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all when none is given"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended, folders removed
    told: dict[str, object] = {}
    kept = True
    for name in options.names or NAMES:
        began = time.monotonic()
        figures: Sequence[Figure] = importlib.import_module(f"benchmarks.{name}").measure()
        took_sec = time.monotonic() - began
        kept = kept and all(figure.verdict != "MISSED" for figure in figures)
        told[name] = {"took_sec": round(took_sec, 1), "figures": [figure.record for figure in figures]}
        if not options.json:
            print(f"{name}  ({took_sec:.0f} s)", *(figure.line for figure in figures), sep="\n", flush=True)
    print(json.dumps({"at": _now(), "machine": _machine(), "kept": kept, "benchmarks": told}))
    return 0 if kept else 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
