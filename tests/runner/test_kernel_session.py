"""Starting kernels: private sockets, places that hold none, kernels that never answer."""

import asyncio
import json
import os
import time
import uuid
from pathlib import Path

import pytest

from chatflow_jupyter.runner import kernel_session, provisioner, runtime_directory
from chatflow_jupyter.runner.notebook import NotebookJob, run_notebook
from tests.runner.notebooks import Heard, marked, run, write
from tests.waiting import until_async

CONNECTION = (
    "import json, ipykernel.connect as c\n"
    "info = json.loads(c.get_connection_info())\n"
    "print(info['transport'], 'curve_secretkey' in json.load(open(c.get_connection_file())))"
)


def test_sockets_in_a_short_private_directory_that_goes_away(tmp_path: Path) -> None:
    source = (
        CONNECTION
        + "\nimport os, pathlib\nplace = pathlib.Path(info['ip']).parent\n"
        + ("print(place, oct(os.stat(place).st_mode)[-3:], len(info['ip']) < 90)")
    )
    text = run(tmp_path, [source]).notebook.cells[0].outputs[0].text
    transport, place = text.splitlines()

    assert transport == "ipc False"
    path, mode, short = place.split()
    assert (mode, short) == ("700", "True")
    assert not Path(path).exists()


def test_encrypted_tcp_where_sockets_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioner, "serves_sockets", lambda directory: False)
    done = run(tmp_path, [CONNECTION])

    assert done.result.error is None
    assert done.notebook.cells[0].outputs[0].text == "tcp True\n"


def test_a_long_runtime_directory_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with runtime_directory.runtime_directory() as directory:
        assert not directory.is_relative_to(long)
        assert runtime_directory.serves_sockets(directory)
    assert not runtime_directory.serves_sockets(long)


def test_what_a_killed_runner_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(runtime_directory, "_place", lambda: str(tmp_path))
    stale = tmp_path / "chatflow-rt-stale"
    stale.mkdir()
    (stale / "phase.sock").touch()
    with runtime_directory.runtime_directory() as held:
        for path in (stale, held):
            os.utime(path, (time.time() - 3600,) * 2)
        with runtime_directory.runtime_directory():
            assert held.exists()
            assert not stale.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_session, "START_TIMEOUT_SEC", 1.0)
    spec = tmp_path / "jupyter" / "kernels" / "mute"
    spec.mkdir(parents=True)
    argv = ["sleep", "600"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "m", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    done = run(tmp_path, ["1"], kernel_name="mute")

    assert done.result.error is not None
    assert done.result.error.code == "environment_error"
    assert done.result.error.message == "the kernel did not answer within 1 s"


def test_cancelling_the_whole_task_leaves_no_process(tmp_path: Path) -> None:
    mark = f"mark-{uuid.uuid4()}"
    path = write(tmp_path, ["import time; time.sleep(1000)"])
    heard = Heard()
    job = NotebookJob(
        notebook=path,
        parameters={},
        work_dir=tmp_path,
        output=tmp_path / "out.ipynb",
        environment={"MARK": mark},
    )

    async def started() -> bool:
        return bool(heard.started)

    async def go() -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(run_notebook(job, heard, asyncio.Event()))
            await until_async(started, what="the cell runs")
            assert marked(mark)
            running.cancel()

    asyncio.run(go())
    assert marked(mark) == []
    assert heard.ended == [(0, False)]
