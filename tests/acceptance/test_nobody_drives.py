"""A tree is driven by one process or said to be driven by none; ends in order leave no tree behind."""

import os
import signal

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

HOSTILE = "raise SystemExit('a file of the current folder was executed')\n"


def test_a_refused_command_leaves_the_tree_it_took_over_to_the_background(
    product: Product, workshop: Workshop
) -> None:
    product.spawn("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    ident = product.instances()[0][0]
    product.kill_everything()

    told = product.run("status", ident, "--json", status=0)
    assert (told.json["status"], told.json["driven"]) == ("running", False)
    assert f"no process drives {ident}" in told.err
    assert f"go on with: chatflow resume {ident}" in told.err
    assert f"no process drives {ident}" in product.run("tree", ident, status=0).err
    looked = product.run("watch", ident, status=3)
    assert f"go on with: chatflow resume {ident}" in looked.err

    refused = product.run("trigger", ident, status=7)
    assert f"{ident} goes on in the background" in refused.err
    until(lambda: workshop.marks["a2"] == 2, what="it goes on")
    told = product.run("status", ident, "--json", status=0)
    assert (told.json["driven"], told.err) == (True, "")
    workshop.let("a")
    assert product.run("watch", ident, "--json", status=3).json["status"] == "waiting"
    product.none_left(deadline_sec=30)
    told = product.run("status", ident, "--json", status=0)
    assert (told.json["driven"], told.err) == (None, "")


def test_one_background_runner_is_enough_and_told_to_end_it_ends(
    product: Product, workshop: Workshop
) -> None:
    for name in ("secrets.py", "queue.py", "logging.py"):
        (product.folder / name).write_text(HOSTILE)  # where every command is typed
    template = workshop.approval()
    product.run("run", template, "--detach", status=0)
    until(lambda: product.processes("background"), what="it registers and runs")
    until(lambda: workshop.marks["a2"] == 1, what="the second cell of A runs")
    for number in (2, 3):
        product.run("run", template, "--detach", status=0)
        assert len(product.processes("background")) == 1
        until(lambda count=number: workshop.marks["a2"] == count, what="the next runs beside it")

    (background,) = product.processes("background")
    os.kill(background.pid, signal.SIGTERM)
    product.none_left(deadline_sec=30)
    assert "a file of the current folder" not in product.logs()
    for ident, status in product.instances():
        assert status == "running"
        product.run("terminate", ident, status=0)
    product.none_left(deadline_sec=30)
    assert {status for _, status in product.instances()} == {"terminated"}


def test_a_failure_that_is_tried_again_is_driven_like_everything_else(
    product: Product, workshop: Workshop
) -> None:
    bad = workshop.notebook("bad.ipynb", ["1 / 0"])
    failed = product.run("run", bad, "--json", status=4).instance_id
    product.spawn("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="the second cell of A runs")
    adrift = product.instances()[-1][0]
    product.kill_everything()
    workshop.let("a")
    told = product.run("retry", failed, status=4).err
    assert f"had lost its process; going on in the background: {adrift}" in told
    assert product.run("watch", adrift, "--json", status=3).json["waiting_reason"] == "approval"
