"""Notebooks that note when each of their cells ran."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

PARAMETERS = 'stamps = ""'
STAMP = """import time
with open(stamps, "a") as _file:
    _file.write(f"{{time.time()}} {name}\\n")"""


def stamp(name: str) -> str:
    """Return code that adds a line with the moment and `name` to the file in `stamps`."""
    return STAMP.format(name=name)


def write_notebook(path: Path, cells: Sequence[str], *, first_tags: Sequence[str] = ("parameters",)) -> Path:
    """Write a notebook of code cells; the first has `first_tags`. Ids are fixed: same cells, same bytes."""
    content = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{number}",
                "metadata": {"tags": list(first_tags)} if number == 0 and first_tags else {},
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def stamps_of(path: Path) -> list[tuple[float, str]]:
    """Return the moments noted so far, in seconds since 1970, each with its name."""
    if not path.is_file():
        return []
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [(float(line.split()[0]), line.split()[1]) for line in whole]


def times_of(path: Path, name: str) -> list[float]:
    """Return the moments noted under `name`."""
    return [moment for moment, noted in stamps_of(path) if noted == name]
