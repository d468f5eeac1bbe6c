"""A kernel that the operating system itself kills for its memory, in a control group that is really full."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.product import CHATFLOW, Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

LIMIT_BYTES = 600 * 1024 * 1024
HUNGRY = """\
hog = []
while True:
    hog.append(b"x" * (32 * 1024 * 1024))  # written to, not only reserved
"""
JOIN = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'
PLACES = {  # where a group is made, and the files that limit memory and swap, of version 2 and version 1
    Path("/sys/fs/cgroup"): ("memory.max", "memory.swap.max"),
    Path("/sys/fs/cgroup/memory"): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
}


@contextmanager
def memory_group() -> Iterator[Path]:
    """Make a control group that holds `LIMIT_BYTES`; the test is left out where nobody may."""
    refused = "no memory controller"
    for place, (memory, swap) in PLACES.items():
        group = place / f"chatflow-test-{uuid.uuid4().hex}"
        try:
            group.mkdir()
        except OSError as error:
            refused = str(error)
            continue
        try:
            if (group / memory).exists():
                (group / memory).write_text(str(LIMIT_BYTES))
                if (group / swap).exists():
                    (group / swap).write_text("0" if memory == "memory.max" else str(LIMIT_BYTES))
                yield group
                return
        finally:
            until(lambda made=group: _removed(made), what="the control group is empty")  # type: ignore[misc]
    reason = f"a control group needs root and a memory controller: {refused}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def test_a_kernel_killed_for_its_memory_is_told_from_one_that_was_killed(
    product: Product, workshop: Workshop
) -> None:
    hungry = workshop.notebook("hungry.ipynb", ["mark('began')", HUNGRY])
    with memory_group() as group:
        program = ("sh", "-c", JOIN, "sh", group, CHATFLOW)
        ended = product.spawn("run", hungry, "--json", program=program).wait()
        assert (ended.status, ended.json["failure"]["code"]) == (4, "out_of_memory")
        assert "killed by SIGKILL for want of memory" in ended.json["error"]
        assert workshop.marks["began"] == 1
        product.none_left()
