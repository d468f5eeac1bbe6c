"""Every way a command can end, by its exit status and by what it says."""

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop

KEYS = {"instance_id", "status", "current_phase", "waiting_reason", "error"}
EVENT_KEYS = {
    *("event_id", "type", "version", "tenant_id", "instance_id", "root_id", "seq", "index", "phase"),
    *("attempt", "at", "principal", "data"),
}


def test_a_bare_notebook_from_end_to_end(product: Product, workshop: Workshop) -> None:
    notebook = workshop.notebook(
        "Sales Report.ipynb",
        [
            "ctx.output('doubled', 2 * month)",
            "ctx.artifact('r.md', data='# done', kind='report'); print('out')",
        ],
        parameters="month = 1",
    )
    source = notebook.read_bytes()
    ran = product.run("run", notebook, "-p", "month=5", "--json", status=0)
    assert ran.json.keys() >= KEYS
    assert (ran.json["status"], ran.json["error"], ran.json["waiting_reason"]) == ("completed", None, None)
    assert ran.json["outcome"] == {"sales_report": {"doubled": 10}}
    assert notebook.read_bytes() == source

    history = product.run("history", ran.instance_id, "--json", status=0).json
    assert all(event.keys() == EVENT_KEYS for event in history)
    assert [event["type"] for event in history] == [
        *("InstanceCreated", "StepTriggered", "InstanceStarted", "PhaseQueued", "PhaseStarted"),
        *("PhaseSucceeded", "InstanceCompleted"),
    ]
    listed = product.run("artifacts", ran.instance_id, "--save", product.folder / "saved", "--json", status=0)
    assert [entry["name"] for entry in listed.json["artifacts"]] == ["r.md", "sales_report.ipynb"]
    assert (product.folder / "saved/sales_report/r.md").read_text() == "# done"
    executed = (product.folder / "saved/sales_report/sales_report.ipynb").read_text()
    assert '"month = 5' in executed
    assert '"out\\n"' in executed
    (newest,) = product.run("list", "--json", status=0).json
    assert newest["instance_id"] == ran.instance_id


def test_a_failing_notebook_ends_4_naming_cell_error_and_notebook(
    product: Product, workshop: Workshop
) -> None:
    notebook = workshop.notebook(
        "bad.ipynb", ["# Load\nprint('loading')", "# Divide\nprint('dividing')\n1 / 0"]
    )
    failed = product.run("run", notebook, status=4)
    assert 'ZeroDivisionError: division by zero in code cell 3 of 3 ("Divide") [cell_error]' in failed.out
    assert "      dividing" in failed.out
    assert "go on from there: chatflow retry wfi_" in failed.out
    again = product.run("retry", "last", "--json", status=4).json
    assert again["failure"]["code"] == "cell_error"
    assert again["error"].startswith("ZeroDivisionError")
    assert product.run("status", "last", status=0).out.startswith("failed")
    assert [entry[:2] for entry in product.artifacts()] == [("bad", 1), ("bad", 2)]


def test_waiting_ends_3_rejection_5_and_what_came_too_late_7(product: Product, workshop: Workshop) -> None:
    workshop.let("a")
    waiting = product.run("run", workshop.approval(), status=3)
    ident = product.instances()[0][0]
    assert "waiting for approval before b: Publish it?" in waiting.out
    assert f"approve:  chatflow trigger {ident} --approve" in waiting.out
    undecided = product.run("trigger", ident, status=7)
    assert "answer with approve or reject" in undecided.err
    rejected = product.run("trigger", ident, "--reject", "--reason", "not now", status=5)
    assert rejected.out.startswith("terminated")
    assert "not now" in product.run("history", ident, status=0).out
    for late in (("trigger", ident, "--approve"), ("pause", ident), ("terminate", ident)):
        assert "the instance is terminated" in product.run(*late, status=7).err
    assert workshop.marks["b1"] == 0


def test_an_unknown_instance_ends_6_and_says_where_to_look(product: Product, workshop: Workshop) -> None:
    product.run("run", workshop.notebook("n.ipynb", []), "--idempotency-key", "k", status=0)
    assert "`chatflow list` shows" in product.run("status", "wfi_nope", status=6).err
    assert "did you mean" in product.run("run", "standard-code-revie", status=6).err
    other = product.run("status", product.instances()[0][0], "--tenant", "other", status=6).err
    assert "there is no such instance" in other
    reused = product.run("run", product.folder / "n.ipynb", "-p", "x=1", "--idempotency-key", "k", status=7)
    assert "used" in reused.err
    assert len(product.instances()) == 1


def test_ctrl_c_ends_130_keeps_the_instance_and_resume_finishes_it(
    product: Product, workshop: Workshop
) -> None:
    running = product.spawn("run", workshop.approval())
    product.wait_for("PhaseStarted", "a")
    running.interrupt()
    interrupted = running.wait()
    assert interrupted.status == 130
    ident = product.instances()[0][0]
    assert f"interrupted; {ident} is kept; go on with: " in interrupted.err
    product.none_left()
    workshop.let("a")
    assert product.run("resume", ident, "--json", status=3).json["waiting_reason"] == "approval"
    done = product.run("trigger", ident, "--approve", "--json", status=0)
    assert done.json["outcome"] == {"a": {"rows": 3}, "b": {"seen": 3}}
    assert ("a", 1, "lost") in product.attempts()
    assert (
        product.run("resume", ident, status=0).err == f"chatflow: nothing to resume: {ident} is completed\n"
    )
