"""A phase that ends the very processes that run it: bounded, told, and harmless to what is beside it."""

import signal

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.limits import LIMITS

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
