"""A phase that ends the very processes that run it: bounded, told, and harmless to what is beside it."""

import os
import signal

import pytest

from tests.acceptance.product import Kind, Product
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


@pytest.mark.parametrize("victims", [["runner"], ["runner", "chatflow"]])
def test_a_keeper_that_was_stopped_ends_its_kernel_when_its_runner_is_killed(
    product: Product, workshop: Workshop, victims: list[Kind]
) -> None:
    template = workshop.approval()
    running = product.spawn("run", template)
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    old = product.processes("keeper", "kernel")
    for process in product.processes("keeper"):
        os.kill(process.pid, signal.SIGSTOP)
    product.kill(*victims)
    until(lambda: not {one.pid for one in old} & {one.pid for one in product.processes()}, what="both end")
    workshop.let("a")
    if "chatflow" in victims:
        product.none_left()
        running = product.spawn("resume", product.instances()[0][0])
    assert running.wait().status == 3
    product.none_left()


def test_a_runner_that_was_stopped_ends_when_its_command_is_killed(
    product: Product, workshop: Workshop
) -> None:
    running = product.spawn("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    for process in product.processes("keeper", "runner"):
        os.kill(process.pid, signal.SIGSTOP)
    running.kill()
    product.none_left()


def test_what_escaped_from_a_killed_keeper_and_its_killed_runner_is_ended_by_whoever_takes_over(
    product: Product, workshop: Workshop
) -> None:
    escape = "import subprocess\nif ctx.attempt_number == 1:\n"
    escape += "    subprocess.Popen(['sleep', '1000'], start_new_session=True)"
    product.spawn("run", workshop.notebook("deadly.ipynb", [escape, DEADLY]))
    until(lambda: workshop.marks["began"], what="it kills everything above it")
    until(lambda: not product.processes("chatflow", "runner", "keeper", "kernel"), what="all of that is gone")
    assert [process.command for process in product.processes()] == ["sleep 1000 "]

    workshop.let("tame")
    product.run("resume", product.instances()[0][0], status=0)
    product.none_left()
