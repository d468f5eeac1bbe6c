"""Which cells of a notebook differ, and that no notebook takes long to compare."""

import json
from typing import Any

import pytest

from chatflow_jupyter.services.notebook_changes import MAX_CELLS, MAX_LINES, MAX_SHOWN_LINES, cell_changes


def book(*cells: str | tuple[str, str], **more: Any) -> bytes:
    """A notebook with these cells: a source, or a type and a source."""
    typed = [("code", cell) if isinstance(cell, str) else cell for cell in cells]
    return json.dumps(
        {"cells": [{"cell_type": kind, "source": source, **more} for kind, source in typed], "nbformat": 4}
    ).encode()


def told(before: bytes, after: bytes) -> list[tuple[str, int, str]]:
    changes = cell_changes(before, after)
    assert changes is not None
    return [(change.kind, change.number, "|".join(change.lines)) for change in changes]


def test_cells_that_were_added_removed_and_changed() -> None:
    before = book("import os", ("markdown", "# Title"), "between", "a = 1\nb = 2\nc = 3", "last")
    after = book("import os", "between", "a = 1\nb = 20\nc = 3", "last", "new\nlines")
    assert told(before, after) == [
        ("removed", 2, "-# Title"),
        ("changed", 4, "@@ -1,3 +1,3 @@| a = 1|-b = 2|+b = 20| c = 3"),
        ("added", 5, "+new|+lines"),
    ]


def test_outputs_metadata_and_how_the_source_is_split_do_not_count() -> None:
    split = json.dumps({"cells": [{"cell_type": "code", "source": ["a\n", "b"], "outputs": [1]}]}).encode()
    assert told(book("a\nb", execution_count=3), split) == []


def test_a_cell_of_another_type_is_another_cell() -> None:
    assert [kind for kind, *_ in told(book("x"), book(("markdown", "x")))] == ["removed", "added"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"cells": [3]}', b"[" * 100_000])
def test_what_is_no_notebook_is_not_compared(content: bytes) -> None:
    assert cell_changes(book("x"), content) is None
    assert cell_changes(content, book("x")) is None


def test_too_many_cells_are_not_compared_and_too_many_lines_only_counted() -> None:
    assert cell_changes(book("x"), book(*["x"] * (MAX_CELLS + 1))) is None
    many = "\n".join(["same"] * (MAX_LINES + 1))
    assert told(book(many), book("x")) == [
        ("changed", 1, f"  {MAX_LINES + 1} lines became 1, too many to compare")
    ]


def test_hostile_notebooks_are_compared_in_bounded_space_and_at_all() -> None:
    """Many equal lines and cells are the worst for whoever looks for the longest run in common."""
    few = [f"{number % 90}" for number in range(MAX_LINES)]
    other = [f"{number % 89}" for number in range(MAX_LINES)]
    ((_, _, lines),) = told(book("\n".join(few)), book("\n".join(other)))
    assert lines.count("|") <= MAX_SHOWN_LINES
    assert told(book(*few[:MAX_CELLS]), book(*other[:MAX_CELLS]))
    ((_, _, line),) = told(book("x" * 1_000_000), book("y" * 1_000_000))
    assert len(line) < 1000
