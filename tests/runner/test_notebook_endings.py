"""Every way a notebook can end, provoked in a real kernel, and what is said of it."""

import os
import signal
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.runner.notebooks import run

pytestmark = pytest.mark.usefixtures("each_way")


def test_success_tells_of_every_cell_and_saves_it(tmp_path: Path) -> None:
    cells = [
        new_markdown_cell("# Load the data\nof last week"),
        "x = 20",
        "",
        "# twice as much\nx * 2",
        new_code_cell("1/0", metadata={"tags": ["skip-execution"]}),
        new_code_cell("1/0", metadata={"tags": ["raises-exception"]}),
        "import sys; print('over', file=sys.stderr)",
    ]
    done = run(tmp_path, cells)

    assert done.result.ok
    assert done.result.error is None
    assert (done.result.cells_total, done.result.cells_executed) == (4, 4)
    assert done.heard.started[:2] == [(0, 4, "Load the data"), (1, 4, "twice as much")]
    assert done.heard.ended == [(0, True), (1, True), (2, True), (3, True)]
    assert (done.result.peak_rss_bytes or 0) > 20 * 2**20
    notebook = done.notebook
    assert notebook.cells[3].outputs[0].data["text/plain"] == "40"
    assert notebook.cells[3].execution_count == 2
    assert notebook.cells[5].outputs[0].ename == "ZeroDivisionError"
    assert notebook.metadata.chatflow.status == "succeeded"
    assert notebook.metadata.papermill.exception is None
    assert set(done.states) == {"completed"}


def test_failing_cell(tmp_path: Path) -> None:
    divide = "# divide\nprint('so far')\ndisplay('shown', 'twice')\n1/0"
    done = run(tmp_path, ["print('before')", divide, "print('after')"])

    error = done.result.error
    assert error is not None
    assert error.code == "cell_error"
    assert error.message == 'ZeroDivisionError: division by zero in code cell 2 of 3 ("divide")'
    assert (error.cell_index, error.cell_name, error.ename) == (1, "divide", "ZeroDivisionError")
    assert "----> 4 1/0" in (error.traceback or "")
    assert "\x1b" not in (error.traceback or "")
    assert error.last_output == "so far\n'shown'\n'twice'"
    assert done.states == ["completed", "failed", "pending"]
    assert done.heard.ended == [(0, True), (1, False)]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("\nvalues = [1]\nfor place in (0, 3):\n    print(values[place])", "print(values[place])"),
        ("before = 1\nfirst(\n    before,\n)", "first("),
        ("# pick one\nvalues = [1]\nprint(values[3])", "pick one"),
        ("%%time\nvalues = [1]\nprint(values[3])", "values = [1]"),
        ("values = [1]\n%time print(values[3])", "values = [1]"),
        ("values = [1]\nx = = 1", "values = [1]"),
    ],
)
def test_a_failure_names_the_line_that_raised_where_a_cell_has_no_name(
    source: str, named: str, tmp_path: Path
) -> None:
    error = run(tmp_path, ["def first(values):\n    return [][values]", source]).result.error
    assert error is not None
    assert error.message.endswith(f'in code cell 2 of 2 ("{named}")')
    assert error.cell_name in ("values = [1]", "before = 1", "pick one")


@pytest.mark.parametrize(
    ("source", "ended_by"),
    [
        ("import os; os._exit(0)", "exit status 0"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("import os; os.kill(os.getppid(), 9); import time; time.sleep(60)", "no exit report"),
    ],
)
def test_dead_kernel_is_never_success(tmp_path: Path, source: str, ended_by: str) -> None:
    done = run(tmp_path, ["1", source, "2"])

    error = done.result.error
    assert error is not None
    assert error.code == "kernel_died"
    assert ended_by in (error.exit_status or "")
    assert ended_by in error.message
    assert error.cell_index == 1
    assert done.states == ["completed", "failed", "pending"]
    assert done.notebook.metadata.chatflow.code == "kernel_died"
    assert done.notebook.metadata.papermill.exception is True
    assert done.notebook.cells[1].outputs[-1].ename == "KernelDied"


@pytest.mark.parametrize(
    ("source", "executed"),
    [("exit()", 2), ("quit()", 2), ("import sys; sys.exit(0)", 2), ("raise SystemExit", 2)],
)
def test_a_notebook_may_end_itself(tmp_path: Path, source: str, executed: int) -> None:
    done = run(tmp_path, ["1", source, "1/0"])

    assert done.result.ok
    assert done.result.cells_executed == executed
    assert done.states == ["completed", "completed", "pending"]


def test_exit_with_a_status_is_an_error(tmp_path: Path) -> None:
    error = run(tmp_path, ["import sys; sys.exit(1)"]).result.error

    assert error is not None
    assert (error.code, error.ename) == ("cell_error", "SystemExit")


def test_memory_and_input(tmp_path: Path) -> None:
    memory = run(tmp_path, ["bytearray(10**15)"]).result.error
    asked = run(tmp_path, ["input('name? ')"]).result

    assert memory is not None
    assert memory.code == "out_of_memory"
    assert asked.error is not None
    assert asked.error.code == "stdin_requested"
    assert asked.duration_sec < 20


def test_time_out_interrupts(tmp_path: Path) -> None:
    done = run(
        tmp_path, ["1", "import time\nprint('going to sleep', flush=True)\ntime.sleep(60)"], timeout_sec=3
    )

    error = done.result.error
    assert error is not None
    assert error.code == "timeout"
    assert "time ran out after 3 s" in error.message
    assert error.last_output == "going to sleep"
    assert done.result.duration_sec < 15
    assert [output.get("ename") for output in done.notebook.cells[1].outputs][1:] == [
        "AttemptTimeout",
        "KeyboardInterrupt",
    ]


def test_cancelling_kills_what_does_not_react(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    stubborn = (
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"pathlib.Path({str(deaf)!r}).touch()\n"
        "while True: time.sleep(1)"
    )
    done = run(tmp_path, [stubborn], cancel_when=deaf.exists)

    error = done.result.error
    assert error is not None
    assert error.code == "cancelled"
    assert "did not react" in error.message
    assert done.states == ["failed"]


def test_cancelled_before_the_first_cell(tmp_path: Path) -> None:
    done = run(tmp_path, ["1"], cancel_when=lambda: True, timeout_sec=60)

    assert done.result.error is not None
    assert done.result.error.code == "cancelled"
    assert done.states == ["pending"]


def test_no_such_kernel(tmp_path: Path) -> None:
    error = run(tmp_path, ["1"], kernel_name="nosuch").result.error

    assert error is not None
    assert error.code == "no_such_kernel"
    assert "'nosuch'" in error.message
    assert "python3" in error.message


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/nowhere/python", "-f", "{connection_file}"], "cannot be run: /nowhere/python: No such file"),
        (
            ["sh", "-c", "echo no module named kernel >&2; exit 7"],
            "exit status 7; it said: no module named kernel",
        ),
    ],
)
def test_kernel_that_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], expected: str
) -> None:
    import json

    spec = tmp_path / "jupyter" / "kernels" / "broken"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "b", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    error = run(tmp_path, ["1"], kernel_name="broken").result.error

    assert error is not None
    assert error.code == "environment_error"
    assert expected in error.message


def test_output_that_cannot_be_saved(tmp_path: Path) -> None:
    error = run(tmp_path, ["1"], output=tmp_path / "missing" / "out.ipynb").result.error

    assert error is not None
    assert error.code == "environment_error"
    assert "cannot be saved: No such file or directory" in error.message


def test_signals_are_default_in_the_kernel_whatever_its_runner_ignores(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    leak = os.open(tmp_path / "leak.txt", os.O_CREAT)
    os.set_inheritable(leak, True)
    try:
        done = run(
            tmp_path,
            [
                (
                    "import signal, subprocess\n"
                    "assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL\n"
                    "assert not signal.pthread_sigmask(signal.SIG_BLOCK, set())\n"
                    "assert subprocess.run(['false']).returncode == 1\n"
                    "import os\nfrom pathlib import Path\n"
                    "open_files = [os.path.realpath(link) for link in Path('/proc/self/fd').iterdir()]\n"
                    "assert not any(name.endswith('leak.txt') for name in open_files)"
                ),
            ],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        signal.signal(signal.SIGUSR2, before)
        os.close(leak)
    assert done.result.error is None


def test_the_environment_is_a_closed_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setenv("JUPYTER_TOKEN", "secret")
    monkeypatch.setenv("LC_TIME", "C")
    source = (
        "import os\nassert 'secret' not in os.environ.values()\nassert os.environ['LC_TIME'] == 'C'\n"
        "assert os.environ['PATH']\nassert os.environ['GIVEN'] == '1'\nassert os.getcwd().endswith('work')"
    )
    assert run(tmp_path, [source], environment={"GIVEN": "1"}).result.error is None
    assert os.environ["JUPYTER_TOKEN"] == "secret"
