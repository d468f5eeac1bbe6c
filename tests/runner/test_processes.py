"""Nothing a notebook starts outlives its attempt, whoever is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import pytest

from chatflow_jupyter.runner.kept_kernel import KeptKernel, LaunchFailed
from tests.runner.notebooks import Heard, marked, run, write
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("each_way")

ESCAPE = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sh', ['sh', '-c', 'trap "" TERM INT HUP; while :; do sleep 0.5; done', MARK])
    os._exit(0)
os.wait()
subprocess.Popen(['sleep', '1000'], env={'MARK': MARK}, start_new_session=True)
"""


def escape(mark: str) -> str:
    """Return a cell that leaves a double-forked process and one in a session of its own."""
    return f"MARK = {mark!r}\n" + ESCAPE


@pytest.mark.parametrize(
    ("last", "code"),
    [("print('done')", None), ("1/0", "cell_error"), ("os._exit(0)", "kernel_died")],
)
def test_escaped_grandchildren_are_gone_when_the_notebook_has_ended(
    tmp_path: Path, last: str, code: str | None
) -> None:
    mark = f"mark-{uuid.uuid4()}"
    left = "the cell has left the processes this test is about"

    def look(index: int) -> None:
        if index == 1:
            until(lambda: len(marked(mark)) >= 2, what=left)

    done = run(tmp_path, [escape(mark), last], heard=Heard(on_start=look))

    assert (done.result.error.code if done.result.error else None) == code
    assert marked(mark) == []


def test_a_fork_storm_is_ended(tmp_path: Path) -> None:
    mark = f"mark-{uuid.uuid4()}"
    storm = textwrap.dedent(f"""
        import os, subprocess, sys
        code = "import os, time\\nfor _ in range(7):\\n    os.fork() or os.setsid()\\n    time.sleep(0.02)"
        for _ in range(3):
            subprocess.Popen([sys.executable, '-c', code, {mark!r}])
    """)
    done = run(tmp_path, [storm, "import time; time.sleep(0.5)"])

    assert done.result.ok
    assert marked(mark) == []


RUNNER = """
import asyncio, sys
from pathlib import Path
from chatflow_jupyter.runner.notebook import NotebookJob, run_notebook
from chatflow_jupyter.runner.orphans import become_subreaper
from tests.runner.forking import pooled
from tests.runner.notebooks import STARTED, Heard

become_subreaper()
folder = Path(sys.argv[1])
job = NotebookJob(
    notebook=folder / "in.ipynb", parameters={}, work_dir=folder / "work", output=folder / "out.ipynb"
)

async def go():
    async with (pooled if sys.argv[2] == "forked" else STARTED[0])() as launch:
        return await run_notebook(job, Heard(), asyncio.Event(), launch=launch)

result = asyncio.run(go())
(folder / "result.txt").write_text(result.error.code if result.error else "ok")
sys.stdin.read()
"""


def start_runner(folder: Path, way: str) -> "subprocess.Popen[bytes]":
    """Start a process of its own that runs folder/in.ipynb."""
    (folder / "work").mkdir()
    path = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder), way],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )


def children(pid: int) -> list[int]:
    """Return the pids of the children of a process."""
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in out.split()]


def test_nothing_survives_a_killed_runner(tmp_path: Path, each_way: str) -> None:
    mark = f"mark-{uuid.uuid4()}"
    cells = [
        escape(mark),
        "import os; open('ready', 'w').write(str(os.getpid()))",
        "import time; time.sleep(999)",
    ]
    write(tmp_path, cells)
    runner = start_runner(tmp_path, each_way)
    try:
        ready = tmp_path / "work" / "ready"
        kernel = int(until(lambda: ready.exists() and ready.read_text(), what="the cell runs"))
        until((tmp_path / "out.ipynb").exists, what="a partial notebook is saved")
        until(lambda: len(marked(mark)) >= 2, what="processes have escaped")
    finally:
        runner.kill()
        runner.communicate()

    until(
        lambda: not marked(mark) and not Path(f"/proc/{kernel}").exists(),
        what="the kernel and its escaped processes are gone",
        deadline_sec=5,
    )


def test_nothing_survives_a_killed_keeper(tmp_path: Path, each_way: str) -> None:
    mark = f"mark-{uuid.uuid4()}"
    tells = "import os; open('ready', 'w').write(str(os.getppid()))"
    write(tmp_path, [escape(mark), tells, "import time; time.sleep(1000)"])
    runner = start_runner(tmp_path, each_way)
    try:
        ready = tmp_path / "work" / "ready"
        keeper = int(until(lambda: ready.exists() and ready.read_text(), what="the cell runs"))
        os.kill(keeper, signal.SIGKILL)

        until((tmp_path / "result.txt").exists, what="the runner reports", deadline_sec=10)
        assert (tmp_path / "result.txt").read_text() == "kernel_died"
        assert marked(mark) == []
        assert children(runner.pid) == []
    finally:
        runner.kill()
        runner.communicate()


def test_a_keeper_that_the_notebook_has_stopped_is_woken_for_the_end(tmp_path: Path) -> None:
    mark = f"mark-{uuid.uuid4()}"
    began = time.monotonic()
    done = run(tmp_path, [escape(mark), "import signal; os.kill(os.getppid(), signal.SIGSTOP)"])

    assert done.result.ok
    assert marked(mark) == []
    assert time.monotonic() - began < 10, "its end was not waited for in vain"


def test_a_cancelled_task_leaves_no_process(tmp_path: Path) -> None:
    mark = f"mark-{uuid.uuid4()}"

    async def go() -> None:
        kernel = await KeptKernel.start(
            ["sleep", "1000"],
            environment={"MARK": mark, "PATH": os.environ["PATH"]},
            cwd=tmp_path,
            runtime_dir=tmp_path / "x",
        )
        until(lambda: marked(mark), what="the command runs")
        kernel.send_signal(signal.SIGTERM)
        end = await kernel.exited
        assert (end.signal, str(end)) == (signal.SIGTERM, "killed by SIGTERM")
        assert await kernel.gone()

    asyncio.run(go())
    assert marked(mark) == []


def test_a_command_that_cannot_be_executed(tmp_path: Path) -> None:
    async def go() -> None:
        await KeptKernel.start(["/nowhere/kernel"], environment={}, cwd=tmp_path, runtime_dir=tmp_path / "x")

    with pytest.raises(LaunchFailed, match="/nowhere/kernel: No such file"):
        asyncio.run(go())


def test_the_directory_of_a_kernel_that_ends_at_once_is_left_to_its_runner(tmp_path: Path) -> None:
    runtime_dir = tmp_path / "runtime"
    runtime_dir.mkdir()

    async def go() -> None:
        kernel = await KeptKernel.start(
            ["sh", "-c", "exit 7"],
            environment={"PATH": os.environ["PATH"]},
            cwd=tmp_path,
            runtime_dir=runtime_dir,
        )
        async with asyncio.timeout(30):
            await kernel._silent.wait()  # the keeper has ended by itself
        assert (await kernel.exited).exit_code == 7
        assert runtime_dir.exists()
        assert await kernel.gone()

    asyncio.run(go())
