"""Kernels forked ahead, in a runner as it is: used once they are there, gone with whoever owned them."""

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

# The first kernel of a runner is started; it waits until one that was forked ahead waits too.
PATIENT = """\
def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()
runner = parent(os.getppid())
def forked():
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            keeper = parent(int(folder.name))
            if parent(parent(keeper)) == runner and "zygote.py" in command(keeper):
                return True
        except OSError:
            continue
while not forked():
    time.sleep(0.02)
"""
TOLD = """\
chain = [os.getpid()]
for _ in range(3):
    chain.append(int(Path(f"/proc/{chain[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
(ROOM / "chain").write_text(" ".join(map(str, chain)))
ctx.output("forked", "zygote.py" in Path("/proc/self/cmdline").read_text())
mark("told")
"""
TWO = "name: two\nautomation_level: 100\nphases:\n"
TWO += "  - {name: first, notebook: first.ipynb}\n  - {name: second, notebook: second.ipynb}\n"


def _template(workshop: Workshop, *cells: str) -> Path:
    folder = workshop.template("two", TWO)
    workshop.notebook("two/first.ipynb", [PATIENT])
    workshop.notebook("two/second.ipynb", [TOLD, *cells])
    return folder


def test_a_later_kernel_of_a_runner_is_forked_and_nothing_stays(product: Product, workshop: Workshop) -> None:
    done = product.run("run", _template(workshop), "--json", status=0).json
    assert done["outcome"]["second"] == {"forked": True}
    product.none_left()
    for pid in map(int, (workshop.room / "chain").read_text().split()):
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("victim", [1, 2, 3], ids=["keeper", "zygote", "runner"])
def test_whoever_of_its_owners_is_killed_the_phase_runs_to_its_end(
    product: Product, workshop: Workshop, victim: int
) -> None:
    running = product.spawn("run", _template(workshop, "wait_for('go')"), "--json")
    until(lambda: workshop.marks["told"], what="the second phase runs in a forked kernel")
    chain = [int(word) for word in (workshop.room / "chain").read_text().split()]
    os.kill(chain[victim], signal.SIGKILL)
    if victim != 2:  # a zygote is nobody's owner: its kernels go on
        until(lambda: not Path(f"/proc/{chain[0]}").exists(), what="its kernel is gone", deadline_sec=5)
    workshop.let("go")
    done = running.wait()
    assert done.status == (4 if victim == 1 else 0), done.err
    if victim == 1:
        assert done.json["failure"]["code"] == "kernel_died"
    assert workshop.marks["told"] == (2 if victim == 3 else 1)
    product.none_left()


def test_where_the_settings_say_so_each_is_started_by_itself(product: Product, workshop: Workshop) -> None:
    folder = workshop.template("two", TWO)
    for name in ("first", "second"):
        workshop.notebook(f"two/{name}.ipynb", [TOLD])
    done = product.run("run", folder, "--json", status=0, CHATFLOW_RUNNER__KERNEL_START="fresh").json
    assert done["outcome"]["second"] == {"forked": False}
