"""Schedules with real processes: due times are started once, over kills, and somebody has to be there."""

import os
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.acceptance.product import Product, Running
from tests.acceptance.workflows import Workshop
from tests.waiting import until


def planned(product: Product, workshop: Workshop, *cells: str) -> Path:
    """A notebook to be started."""
    return workshop.notebook(
        "planned.ipynb", cells or ("mark('ran')", "ctx.output('for', str(ctx.scheduled_at))")
    )


def shown(product: Product, name: str) -> Any:
    """What `schedules show` tells of it."""
    return product.run("schedules", "show", name, "--json", status=0).json


def kinds(product: Product, name: str) -> list[str]:
    """What became of its times, the earliest first."""
    return [entry["kind"] for entry in reversed(shown(product, name)["log"])]


def change(product: Product, statement: str) -> None:
    """Turn the clock of a schedule: that of the processes cannot be."""
    with closing(sqlite3.connect(product.home / "chatflow.db", timeout=10)) as connection, connection:
        connection.execute(statement)


def end(driver: Running) -> None:
    """Press Ctrl-C and see it end in order."""
    driver.interrupt()
    assert driver.wait().status == 130


def test_a_moment_is_started_by_who_is_there_and_the_notebook_knows_what_it_was_meant_for(
    product: Product, workshop: Workshop
) -> None:
    added = product.run(
        "schedules", "add", "once", planned(product, workshop), "--at", "+2s", "--json", status=0
    )
    assert (added.json["state"], added.json["driven"]) == ("active", False)
    assert "nothing runs in this home" in added.err
    driver = product.spawn("schedules", "run")
    until(lambda: workshop.marks["ran"], what="it was started")
    product.wait_for("InstanceCompleted")
    until(lambda: "fired the time" in driver.out.read_text(), what="it was told")
    assert product.run("schedules", "list", "--json").json[0]["driven"] is True
    end(driver)
    ended = product.run("status", "last", "--json").json
    assert ended["schedule"] == {"name": "once", "due_at": added.json["next_due_at"]}
    meant = datetime.fromisoformat(ended["outcome"]["planned"]["for"])
    assert meant == datetime.fromisoformat(added.json["next_due_at"])
    assert shown(product, "once")["state"] == "ended"


def test_any_command_that_runs_something_starts_what_is_due_and_leaves_it_to_the_background(
    product: Product, workshop: Workshop
) -> None:
    notebook = planned(product, workshop)
    product.run("schedules", "add", "once", notebook, "--at", "+1s", status=0)
    slow = workshop.notebook("slow.ipynb", ["wait_for('go')"])
    following = product.spawn("run", slow)
    until(lambda: workshop.marks["ran"], what="the command started what was due")
    workshop.let("go")
    assert following.wait().status == 0
    product.none_left(deadline_sec=30)
    assert [status for _, status in product.instances()] == ["completed", "completed"]


def test_interrupted_it_says_what_it_leaves_and_how_to_go_on(product: Product, workshop: Workshop) -> None:
    notebook = planned(product, workshop, "mark('ran'); wait_for('go')", "ctx.output('n', 1)")
    product.run("schedules", "add", "once", notebook, "--at", "+1s", status=0)
    driver = product.spawn("schedules", "run")
    until(lambda: workshop.marks["ran"], what="it was started")
    until(lambda: "fired the time" in driver.out.read_text(), what="it was told")
    ((started, _),) = product.instances()
    driver.interrupt()
    assert f"{started} is kept; go on with: chatflow resume {started}" in driver.wait().err
    workshop.let("go")
    assert product.run("resume", started, "--json", status=0).json["outcome"] == {"planned": {"n": 1}}


def test_of_several_processes_one_starts_a_time(product: Product, workshop: Workshop) -> None:
    for number in range(4):
        product.run("schedules", "add", f"n{number}", planned(product, workshop), "--at", "+6s", status=0)
    drivers = [product.spawn("schedules", "run") for _ in range(3)]
    until(lambda: workshop.marks["ran"] >= 4, what="all were started")
    product.wait_for("InstanceCompleted", count=4)
    for driver in drivers:
        end(driver)
    assert len(product.instances()) == 4
    assert [kinds(product, f"n{number}") for number in range(4)] == [["fired"]] * 4


def test_everything_is_killed_around_the_moment_and_each_time_is_started_once(
    product: Product, workshop: Workshop
) -> None:
    """Killed before the first, among them, and while they run; what was cut off goes on."""
    count = 6
    for number in range(count):
        product.run(
            "schedules", "add", f"n{number}", planned(product, workshop), "--at", f"+{3 + number}s", status=0
        )
    for target in (1, 3, count):
        driver = product.spawn("schedules", "run")
        until(lambda target=target: len(product.instances()) >= target, what="some were started")  # type: ignore[misc]
        os.kill(driver.pid, signal.SIGSTOP)
        product.kill_everything()
    driver = product.spawn("schedules", "run")
    product.wait_for("InstanceCompleted", count=count)
    end(driver)
    assert len(product.instances()) == count
    for number in range(count):
        assert [kind for kind in kinds(product, f"n{number}") if kind != "missed"] == ["fired"]


def test_what_passed_while_nobody_was_there_is_made_up_for_once_and_told(
    product: Product, workshop: Workshop
) -> None:
    product.run("schedules", "add", "often", planned(product, workshop), "--cron", "* * * * *", status=0)
    hour_ago = int((datetime.now(UTC).timestamp() // 60 - 60) * 60 * 1_000_000)
    change(product, f"UPDATE schedules SET next_due_at = {hour_ago}")
    change(product, f"UPDATE due_schedules SET due_at = {hour_ago}")
    driver = product.spawn("schedules", "run")
    until(lambda: workshop.marks["ran"], what="it was started")
    product.wait_for("InstanceCompleted")
    product.run("schedules", "pause", "often", status=0)
    end(driver)
    assert kinds(product, "often")[:2] == ["missed", "fired"]
    assert "is paused already" in product.run("schedules", "pause", "often", status=7).err


def test_a_background_runner_stays_for_what_is_due_within_its_idle_time_and_not_for_the_rest(
    product: Product, workshop: Workshop
) -> None:
    notebook = planned(product, workshop)
    product.run("schedules", "add", "soon", notebook, "--at", "+9s", status=0)
    product.run("schedules", "add", "later", notebook, "--at", "+1d", status=0)
    idle = {"CHATFLOW_BACKGROUND__IDLE_SEC": "8"}
    product.run("run", workshop.notebook("quick.ipynb", ["mark('quick')"]), "--detach", status=0, **idle)
    until(lambda: workshop.marks["ran"], what="the background runner was still there")
    product.none_left(deadline_sec=30)
    assert shown(product, "later")["state"] == "active"


def test_run_now_goes_on_in_the_background_and_the_log_says_who_asked(
    product: Product, workshop: Workshop
) -> None:
    product.run("schedules", "add", "yearly", planned(product, workshop), "--cron", "0 0 1 1 *", status=0)
    product.run("schedules", "run-now", "yearly", "--json", status=0)
    product.wait_for("InstanceCompleted")
    (entry,) = shown(product, "yearly")["log"]
    assert (entry["kind"], entry["detail"]) == ("fired", "by local")
    product.none_left(deadline_sec=30)
