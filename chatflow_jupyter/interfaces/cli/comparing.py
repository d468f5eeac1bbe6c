"""What `schemas diff` prints."""

from __future__ import annotations

import argparse
import sys

from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import print_json
from chatflow_jupyter.interfaces.cli.terminal import painted, safe_code, safe_line, shown_size
from chatflow_jupyter.services.comparisons import Difference, FileChange
from chatflow_jupyter.services.notebook_changes import CellChange

DIFFERENT = 1
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(options: argparse.Namespace) -> int:
    """Say what differs between two versions, folders or instances."""

    async def answer(session: Session) -> int:
        found = await session.app.comparisons.compare(session.tenant_id, options.before, options.after)
        if options.json:
            print_json(difference_object(found))
        else:
            print("\n".join(_lines(found)))
        return DIFFERENT if options.exit_code and not found.is_empty else 0

    return in_session(options, "query", answer)


def difference_object(found: Difference) -> JsonObject:
    """Return a difference as `--json` prints it."""
    return {
        "before": found.before,
        "after": found.after,
        "changes": [
            {"what": change.what, "how": change.how, "breaks_callers": change.breaks}
            for change in found.changes
        ],
        "files": [_file_object(file) for file in found.files],
    }


def _cell_object(cell: CellChange) -> JsonObject:
    lines = list(cell.lines)
    return {"change": cell.kind, "number": cell.number, "cell_type": cell.cell_type, "lines": lines}


def _file_object(file: FileChange) -> JsonObject:
    return {
        "name": file.name,
        "change": file.kind,
        "size_bytes_before": file.size_bytes[0],
        "size_bytes_after": file.size_bytes[1],
        "cells": None if file.cells is None else [_cell_object(cell) for cell in file.cells],
    }


def _lines(found: Difference) -> list[str]:
    lines = [safe_line(f"{found.before} -> {found.after}")]
    if found.is_empty:
        return [f"{lines[0]}: no difference"]
    for change in found.changes:
        mark = painted("  breaks callers", "bold", sys.stdout) if change.breaks else ""
        lines.append(f"  {safe_line(change.what)}: {safe_line(change.how)}{mark}")
    for file in found.files:
        lines.append(f"{_SIGNS[file.kind]} {safe_line(file.name)}  {_sizes(file)}")
        if file.cells == []:
            lines.append("    only outputs or metadata differ")
        for cell in file.cells or ():
            lines.append(f"    cell {cell.number} ({safe_line(cell.cell_type)}) {cell.kind}")
            lines += [
                painted(f"      {safe_code(line)}", _STYLES.get(line[:1], ""), sys.stdout)
                if line[:1] in _STYLES
                else f"      {safe_code(line)}"
                for line in cell.lines
            ]
    return lines


def _sizes(file: FileChange) -> str:
    sizes = [shown_size(size) for size in file.size_bytes if size is not None]
    return " -> ".join(dict.fromkeys(sizes))
