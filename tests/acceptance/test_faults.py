"""Notebooks that die, hang, flood or fill the disk: each ends in a stated way, and says so in one line."""

import os
import pty
import subprocess

from tests.acceptance.product import CHATFLOW, Product
from tests.acceptance.workflows import Workshop
from tests.limits import LIMITS
from tests.waiting import until

FAULTS = """\
import os, resource, sys
if how == "exit":
    os._exit(0)
if how == "abort":
    os.abort()
if how == "memory":
    limit = 600 * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    hog = [bytearray(64 * 1024 * 1024) for _ in range(64)]
if how == "flood":
    while True:
        print("x" * 1000)
if how == "ask":
    input("name? ")
if how == "hang":
    mark("hangs"); wait_for("never")
if how == "unspeakable":
    raise ValueError("\\ud800 \\x00 \\x1b[31mred")
if how == "infinite":
    ctx.output("n", float("inf"))
"""
EXPECTED = {
    "exit": ("kernel_died", "exit status 0"),
    "abort": ("kernel_died", "killed by SIGABRT"),
    "memory": ("out_of_memory", "MemoryError"),
    "flood": ("output_limit", "more than"),
    "ask": ("stdin_requested", "input"),
    "hang": ("timeout", "time ran out after"),
    "unspeakable": ("cell_error", "UnicodeEncodeError"),
    "infinite": ("cell_error", "NaN and infinity are not JSON"),
}


def test_every_way_a_notebook_can_fail_has_its_own_code_and_one_clear_line(
    product: Product, workshop: Workshop
) -> None:
    limit_sec = LIMITS.deadline_sec / 2
    template = workshop.template(
        "faults",
        "name: faults\nautomation_level: 100\nparameters:\n  type: object\n"
        "  properties: {how: {type: string}}\nphases:\n"
        f"  - {{name: fail, notebook: fail.ipynb, timeout_sec: {limit_sec}}}\n",
    )
    workshop.notebook("faults/fail.ipynb", [FAULTS], parameters="how = ''")
    matrix = f"how={','.join(EXPECTED)}"
    caps = {"CHATFLOW_RUNNER__CELL_OUTPUT_BYTES": "300000", "CHATFLOW_RUNNER__SLOTS": "3"}
    ran = product.run("run", template, "--matrix", matrix, "--json", status=4, timeout_sec=150, **caps)
    for instance in ran.json:
        code, told = EXPECTED[instance["context"]["how"]]
        assert instance["status"] == "failed"
        assert (instance["failure"]["code"], told in instance["error"]) == (code, True), instance["error"]
        assert len(instance["error"].splitlines()) == 1
    product.none_left()
    assert len(product.artifacts()) == len(EXPECTED)
    aborted = next(i["instance_id"] for i in ran.json if "SIG" in i["error"])
    shown = product.run("status", aborted, status=0).out
    assert "go on from there: chatflow retry" in shown
    assert "\x1b" not in product.run("list", status=0).out


def test_a_hook_that_outlives_its_notebook_and_a_double_fork_are_ended_too(
    product: Product, workshop: Workshop
) -> None:
    notebook = workshop.notebook(
        "stray.ipynb",
        ["import subprocess\nsubprocess.Popen(['setsid', '-f', 'sleep', '1000'])", "ctx.output('ok', 1)"],
    )
    product.run("run", notebook, status=0)
    product.none_left()


def test_pause_resume_and_terminate_reach_a_running_instance(product: Product, workshop: Workshop) -> None:
    running = product.spawn("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="A runs")
    ident = product.instances()[0][0]
    assert product.run("pause", ident, "--json", status=0).json["status"] == "paused"
    workshop.let("a")
    paused = running.wait()
    assert (paused.status, "paused" in paused.out) == (3, True)
    assert f"go on:    chatflow resume {ident}" in paused.out
    assert "paused" in product.run("trigger", ident, "--approve", status=7).err
    assert product.run("resume", ident, "--json", status=3).json["waiting_reason"] == "approval"

    (workshop.room / "a").unlink()
    running = product.spawn("run", workshop.folder / "approval")
    until(lambda: workshop.marks["a2"] == 2, what="A runs again")
    ident = product.instances()[1][0]
    product.run("terminate", ident, "--reason", "enough", status=0)
    ended = running.wait()
    assert ended.status == 5
    product.none_left()
    assert ("a", 1, "cancelled") in product.attempts()
    assert workshop.marks["a3"] == 1
    product.run("run", workshop.folder / "approval", "--idempotency-key", "x", "--detach", status=0)
    until(lambda: workshop.marks["a2"] == 3, what="A runs in the background")
    product.run("terminate", "last", status=0)
    product.none_left("kernel")
    product.none_left(deadline_sec=LIMITS.deadline_sec)


def test_detached_it_survives_its_terminal_and_ends_when_there_is_nothing_left(
    product: Product, workshop: Workshop
) -> None:
    notebook = workshop.notebook("long.ipynb", ["mark('began')\nwait_for('end')", "ctx.output('done', True)"])
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "-c", f"'{CHATFLOW}' run --detach '{notebook}'; echo exit $?; read -r _"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=product.environment,
    )
    os.close(theirs)
    until(lambda: workshop.marks["began"], what="the notebook runs")
    os.close(ours)  # the window is closed
    shell.kill()
    shell.wait()
    assert [process.kind for process in product.processes("background", "chatflow")] == ["background"]
    product.kill("background")
    product.none_left()

    product.run("resume", "last", "--detach", status=0)
    until(lambda: workshop.marks["began"] == 2, what="the notebook runs again")
    product.run("run", workshop.notebook("second.ipynb", []), "--detach", status=0)
    product.wait_for("PhaseSucceeded", "second")
    assert len(product.processes("background")) == 1
    watching = product.spawn("watch", product.instances()[0][0])
    workshop.let("end")
    watched = watching.wait()
    assert (watched.status, "PhaseSucceeded" in watched.out) == (0, True)
    product.none_left(deadline_sec=LIMITS.deadline_sec)
    ended = product.run("status", product.instances()[0][0], "--json", status=0).json
    assert ended["outcome"] == {"long": {"done": True}}


def test_an_approval_sent_early_is_honoured_when_the_gate_is_reached(
    product: Product, workshop: Workshop
) -> None:
    running = product.spawn("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="A runs")
    approval = product.spawn("trigger", "last", "--approve")
    until(lambda: "the gate is not reached yet" in approval.err.read_text(), what="the approval waits")
    assert "is driven by another process already; following it" in approval.err.read_text()
    workshop.let("a")
    assert approval.wait().status == 0
    assert running.wait().status in (0, 3)
    assert product.counts("GateDecided") == {"b": 1}
    assert workshop.marks == {"a1": 1, "a2": 1, "a3": 1, "b1": 1}
    late = product.run("trigger", "last", "--approve", status=7)
    assert "the instance is completed" in late.err


def test_several_commands_at_once_run_everything_once(product: Product, workshop: Workshop) -> None:
    one = workshop.notebook("one.ipynb", ["mark('one')"])
    two = workshop.notebook("two.ipynb", ["mark('two')"])
    running = [
        product.spawn("run", one, "--json"),
        product.spawn("run", two, "--idempotency-key", "k", "--json"),
        product.spawn("run", two, "--idempotency-key", "k", "--json"),
    ]
    ended = [command.wait() for command in running]
    assert [result.status for result in ended] == [0, 0, 0], [result.err for result in ended]
    assert ended[1].instance_id == ended[2].instance_id != ended[0].instance_id
    assert workshop.marks == {"one": 1, "two": 1}
    assert len(product.instances()) == 2


def test_once_is_once_over_a_kill(product: Product, workshop: Workshop) -> None:
    notebook = workshop.notebook(
        "once.ipynb",
        [
            "paid = ctx.once('charge', lambda: (mark('charged'), {'paid': 5})[1])",
            "%%once table -o rows\nmark('computed')\nrows = [n * n for n in range(4)]",
            "mark('there')\nwait_for('end')",
            "ctx.output('result', [paid['paid'], sum(rows)])",
        ],
    )
    product.spawn("run", notebook)
    until(lambda: workshop.marks["there"], what="the third cell runs")
    product.kill_everything()
    workshop.let("end")
    assert product.run("resume", "last", "--json", status=0).json["outcome"] == {"once": {"result": [5, 14]}}
    assert workshop.marks == {"charged": 1, "computed": 1, "there": 2}


def test_whoever_comes_next_sees_to_an_unfinished_instance(product: Product, workshop: Workshop) -> None:
    product.spawn("run", workshop.approval())
    until(lambda: workshop.marks["a2"], what="A runs")
    product.kill_everything()
    workshop.let("a")
    other = product.run(
        "run", workshop.notebook("other.ipynb", []), status=0, CHATFLOW_BACKGROUND__IDLE_SEC="0"
    )
    assert "an unfinished instance of this home had lost its process" in other.err
    assert "going on in the background: wfi_" in other.err
    product.wait_for("InstanceWaiting")
    product.none_left(deadline_sec=LIMITS.deadline_sec)
    assert product.counts("PhaseSucceeded")["a"] == 1
