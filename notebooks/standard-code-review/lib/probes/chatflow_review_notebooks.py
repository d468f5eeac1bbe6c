"""Run notebooks of a copied tree, each in a clean kernel, one JSON line each.

Started as ``python -P chatflow_review_notebooks.py PLAN.json`` with *our* interpreter, which has nbclient;
the kernels are the reviewed project's. The plan is ``{root, runtime, sec, environment, notebooks: [path]}``,
and a kernelspec called ``chatflow-review`` is on JUPYTER_PATH. A line is
``{path, outcome, cell, ename, message, source, sec}``, where the outcome is ``ok``,
``broken``, ``timeout``, ``kernel_died`` or ``unreadable``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # 1.5 s of import for a check nobody asks for

import nbformat  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError  # noqa: E402

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def main(plan_path: str) -> None:
    """Run the notebooks of the plan in order."""
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    for number, path in enumerate(plan["notebooks"]):
        begun = time.monotonic()
        record = {"path": path, "outcome": "ok", **asyncio.run(_run(plan, path, number))}
        record["sec"] = round(time.monotonic() - begun, 2)
        os.write(1, json.dumps(record).encode() + b"\n")


async def _run(plan: dict, path: str, number: int) -> dict:
    place = Path(plan["root"]) / path
    try:
        book = nbformat.read(place, as_version=4)
    except Exception as error:  # noqa: BLE001  # whatever a broken file does to the reader
        return {"outcome": "unreadable", "message": str(error)[:500]}
    address = f"{plan['runtime']}/{number}"
    kernels = AsyncKernelManager(
        kernel_name="chatflow-review", transport="ipc", ip=address, connection_file=f"{address}.json"
    )
    where = {"metadata": {"path": str(place.parent)}}
    client = NotebookClient(book, km=kernels, timeout=None, resources=where)
    limit = asyncio.timeout(plan["sec"])
    try:
        async with limit:
            await client.async_execute(env=plan["environment"])
    except CellExecutionError as error:
        return {"outcome": "broken", **_failed_cell(book), "ename": error.ename, "message": error.evalue}
    except Exception as error:  # noqa: BLE001  # a kernel that dies or does not start; the next notebook may do
        if limit.expired():  # nbclient takes the cancellation for a kernel that died
            return {
                "outcome": "timeout",
                **_running_cell(book),
                "message": f"not done after {plan['sec']:.0f} s",
            }
        return {
            "outcome": "kernel_died",
            **_running_cell(book),
            "message": f"{type(error).__name__}: {error}"[:500],
        }
    finally:
        if kernels.has_kernel:
            await kernels.shutdown_kernel(now=True)
    return {}


def _failed_cell(book: nbformat.NotebookNode) -> dict:
    for number, cell in enumerate(book.cells, start=1):
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if errors and "raises-exception" not in cell.metadata.get("tags", []):
            trace = _COLOURS.sub("", "\n".join(errors[-1].traceback))
            return {"cell": number, "source": cell.source[:2000], "traceback": trace[-3000:]}
    return _running_cell(book)


def _running_cell(book: nbformat.NotebookNode) -> dict:
    """Return the first code cell that did not end."""
    for number, cell in enumerate(book.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip() and not cell.get("execution_count"):
            return {"cell": number, "source": cell.source[:2000]}
    return {}


if __name__ == "__main__":
    main(sys.argv[1])
