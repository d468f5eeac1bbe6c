"""A notebook that puts pipes, links and endless folders where the runner and its successors look."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

PLANT = """
own = Path.cwd()
attempt = own.parent
assert (attempt / "attempt.json").is_file(), "the folder is laid out otherwise: plant elsewhere"
for name in ("attempt.json", ".notebook.ipynb.part", "notebook.ipynb"):
    path = attempt / name
    if path.exists():
        path.unlink()
    os.mkfifo(path)
listing = own / ".chatflow" / "artifacts.jsonl"
listing.unlink(missing_ok=True)
os.mkfifo(listing)
(own / "artifacts").mkdir(exist_ok=True)
os.mkfifo(own / "artifacts" / "pipe")
(own / "artifacts" / "passwd").symlink_to("/etc/passwd")
here = os.open(own / "artifacts", os.O_DIRECTORY)
for _ in range(1500):
    os.mkdir("d", dir_fd=here)
    below = os.open("d", os.O_DIRECTORY, dir_fd=here)
    os.close(here)
    here = below
mark("planted")
wait_for("go")
"""


@pytest.fixture(autouse=True)
def nothing_endless_is_left(product: Product) -> Iterator[None]:
    """Python cannot remove a folder as deep as this: pytest would fail for days."""
    yield
    product.kill_everything()
    subprocess.run(["rm", "-rf", product.home / "work"], check=True)


@pytest.mark.parametrize("killed", [False, True])
def test_pipes_and_endless_folders_hang_nobody(product: Product, workshop: Workshop, killed: bool) -> None:
    notebook = workshop.notebook("hostile.ipynb", [PLANT])
    running = product.spawn("run", notebook)
    until(lambda: workshop.marks["planted"], what="everything is planted")
    if killed:
        product.kill_everything()
        product.none_left()
        running = product.spawn("resume", "last")
        until(lambda: workshop.marks["planted"] == 2, what="it is planted once more")
    workshop.let("go")
    ended = running.wait(60)
    assert ended.status == 0, ended.err + ended.out
    stored = product.run("artifacts", "last", "--json", status=0).json["artifacts"]
    assert {one["name"] for one in stored} <= {"notebook.ipynb", "hostile.ipynb", "run.ipynb"}
    other = workshop.notebook("other.ipynb", ["mark('other')"])
    product.run("run", other, status=0, timeout_sec=60)
    product.none_left()
