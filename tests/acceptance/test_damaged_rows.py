"""A home with damaged rows of every kind that is read together: all others go on, nothing goes in circles."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.acceptance.product import Process, Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

RETRIED = (
    "name: retried\nautomation_level: 100\nphases:\n"
    "  - {name: one, notebook: one.ipynb, retries: {max_attempts: 2, backoff_sec: 3600}}\n"
)
LATEST = "status IN ('leased', 'queued') AND instance_id"
HARM = (
    f"UPDATE attempts SET parameters = '{{' WHERE {LATEST} = :leased",
    f"UPDATE attempts SET parameters = CAST(x'ff' AS TEXT) WHERE {LATEST} = :queued",
    f"UPDATE attempts SET status = 'queued', lease_expires_at = NULL WHERE {LATEST} = :queued",
    "UPDATE timers SET kind = 'x', due_at = 1 WHERE instance_id = :timed",
    "INSERT INTO continuations (tenant_id, instance_id, root_id, kind) VALUES ('local', :noted, :noted, 'x')",
)
DAMAGED = (
    *("table attempts, row local {leased}", "table attempts, row local {queued}"),
    *("table timers, row local {timed}", "table continuations, row "),
)
WATCHED_SEC = 4.0
BUSY = 0.4
"""The share of one core at which something would be going round in circles."""


def test_every_kind_of_damaged_row_beside_a_notebook_that_completes_and_one_that_is_taken_over(
    product: Product, workshop: Workshop
) -> None:
    home = left_damaged(product, workshop)
    before = workshop.marks["held"]
    other = product.spawn(
        "run", workshop.notebook("other.ipynb", ["mark('other'); wait_for('seen'); ctx.output('ok', 1)"])
    )
    until(lambda: workshop.marks["other"], what="another notebook runs")
    until(lambda: workshop.marks["held"] > before, what="the healthy one is taken over and runs again")
    driving = product.processes("chatflow", "background", "runner")
    assert {process.kind for process in driving} == {"chatflow", "background", "runner"}
    used_sec, ends = cpu_sec(driving), time.monotonic() + WATCHED_SEC
    until(lambda: time.monotonic() > ends, what="some seconds pass", every_sec=0.2)
    assert cpu_sec(driving) - used_sec < BUSY * WATCHED_SEC
    workshop.let("seen")
    done = other.wait()
    assert (done.status, product.instances()[-1][1]) == (0, "completed"), done
    workshop.let("taken-over")
    until(lambda: dict(product.instances())[home["healthy"]] == "completed", what="the healthy one completes")

    checked = product.run("db", "check", status=1).out
    for damaged in DAMAGED:
        row = damaged.format(**home)
        assert row in checked, checked
        counts = [log.read_text().count(f"damaged: {row}") for log in product.home.glob("logs/*.log")]
        assert sum(counts) > 0, f"{row} was told nowhere: {product.logs()}"
        assert max(counts) == 1, f"{row} was told again and again: {product.logs()}"
    for background in product.processes("background"):
        os.kill(background.pid, signal.SIGTERM)
    product.none_left(deadline_sec=30)


def left_damaged(product: Product, workshop: Workshop) -> dict[str, str]:
    """Leave what killed commands had begun, with damage; returns the instances by what is damaged of them."""
    held = workshop.notebook("held.ipynb", ["mark('held'); wait_for('taken-over')"])
    workshop.template("retried", RETRIED)
    workshop.notebook("retried/one.ipynb", ["raise ValueError('again later')"])
    for number in (1, 2, 3):
        product.spawn("run", held)
        until(lambda count=number: workshop.marks["held"] == count, what="it runs")
    product.spawn("run", workshop.folder / "retried")
    product.wait_for("RetryScheduled")
    product.kill_everything()
    names = ("leased", "queued", "healthy", "timed")
    home = dict(zip(names, (ident for ident, _ in product.instances()), strict=True))
    harm(product.home / "chatflow.db", {**home, "noted": home["timed"]})
    return home


def harm(file: Path, names: dict[str, str]) -> None:
    """Let each of the rows be one that cannot be read."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in HARM:
            assert connection.execute(statement, names).rowcount == 1, statement


def cpu_sec(processes: list[Process]) -> float:
    """The processor time these have used so far."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
