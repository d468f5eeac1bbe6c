"""A phase that ends the very processes that run it: bounded, told, and harmless to what is beside it."""

import signal

import pytest

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.limits import LIMITS
from tests.waiting import until

DEADLY = """\
import signal
mark("began")
if not (ROOM / "tame").exists():
    chain = [os.getppid()]  # the keeper, its runner, and the command above it
    for _ in range(2):
        stat = Path(f"/proc/{chain[-1]}/stat").read_text()
        chain.append(int(stat.rpartition(")")[2].split()[1]))
    for pid in reversed(chain):
        os.kill(pid, signal.SIGKILL)
    time.sleep(60)
"""

STOPPING = """\
import signal
if ctx.attempt_number == 1:
    keeper = os.getppid()
    runner = int(Path(f"/proc/{{keeper}}/stat").read_text().rpartition(")")[2].split()[1])
    command = int(Path(f"/proc/{{runner}}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGSTOP)
    for pid in (command, runner)[-{count}:]:
        os.kill(pid, signal.SIGKILL)
    while True:
        mark("alive")
        time.sleep(0.2)
mark("tame")
wait_for("end")
"""


def test_a_phase_that_kills_its_whole_process_every_time_is_given_up_after_ten_and_can_be_retried(
    product: Product, workshop: Workshop
) -> None:
    notebook = workshop.notebook("deadly.ipynb", [DEADLY, "ctx.output('tame', True)"])
    command = ("run", notebook, "--idempotency-key", "k", "--json")
    for count in range(1, 11):
        died = product.spawn(*command)
        assert died.process.wait(LIMITS.deadline_sec * 2) == -signal.SIGKILL, died.err.read_text()
        assert workshop.marks["began"] == count
        product.none_left()

    given_up = product.run(*command, status=4).json
    assert given_up["failure"]["code"] == "runner_lost"
    assert "10 times the process that ran this phase ended before it did" in given_up["error"]
    assert workshop.marks["began"] == 10, "nobody began it again"
    product.run("run", workshop.notebook("other.ipynb", []), status=0)
    product.none_left()
    assert workshop.marks["began"] == 10, "nobody began it for another command either"

    workshop.let("tame")
    done = product.run("retry", given_up["instance_id"], "--json", status=0).json
    assert done["outcome"] == {"deadly": {"tame": True}}


@pytest.mark.parametrize("victims", ["the runner", "the runner and the command"])
def test_a_keeper_that_was_stopped_is_ended_with_its_kernel_by_whoever_takes_over(
    product: Product, workshop: Workshop, victims: str
) -> None:
    kernel_cell = STOPPING.format(count=1 if victims == "the runner" else 2)
    running = product.spawn("run", workshop.notebook("stopping.ipynb", [kernel_cell]), "--json")
    until(lambda: workshop.marks["alive"], what="the cell goes on without keeper and runner")
    stopped = product.processes("keeper", "kernel")
    ident = product.instances()[0][0]
    if victims != "the runner":
        assert running.process.wait(LIMITS.deadline_sec) == -signal.SIGKILL
        assert {process.kind for process in product.processes()} == {"keeper", "kernel"}
        running = product.spawn("resume", ident, "--json")

    until(lambda: workshop.marks["tame"], what="the phase is begun again")
    product.wait_for("AttemptLost")
    until(lambda: not {one.pid for one in stopped} & {one.pid for one in product.processes()}, what="gone")
    workshop.let("end")
    assert running.wait().status == 0
    product.none_left()
