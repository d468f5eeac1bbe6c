"""The partial notebook is there in time and costs little."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from nbformat.v4 import new_notebook

from chatflow_jupyter.runner.partial_saves import PartialSaves
from tests.runner.notebooks import Heard, run
from tests.waiting import until, until_async


def test_what_a_cell_has_done_is_saved_while_the_next_runs(tmp_path: Path) -> None:
    heard = Heard()

    def look(index: int) -> None:
        seen.append(index)

    seen: list[int] = []
    heard.on_start = look
    output = tmp_path / "out.ipynb"
    cells = ["print('kept')", "import time, pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)"]

    def release() -> None:
        until(lambda: output.exists() and "kept" in output.read_text(), what="the first cell is saved")
        found.append(output.read_text())
        (tmp_path / "work" / "go").touch()

    found: list[str] = []
    thread = threading.Thread(target=release)
    thread.start()
    done = run(tmp_path, cells, heard=heard, timeout_sec=40)
    thread.join()

    assert done.result.ok
    assert '"status": "running"' in found[0]


def test_a_hundred_boundaries_are_few_saves_and_the_last_one_counts() -> None:
    written: list[Any] = []

    def slow(notebook: Any) -> None:
        threading.Event().wait(0.05)
        written.append(notebook.metadata.n)

    async def go() -> None:
        notebook = new_notebook(metadata={"n": 0})
        saves = PartialSaves(lambda: new_notebook(metadata=dict(notebook.metadata)), slow)
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(saves.keep_saving())
            for number in range(100):
                notebook.metadata["n"] = number
                saves.boundary()
                await asyncio.to_thread(threading.Event().wait, 0.002)

            async def all_saved() -> bool:
                return bool(written) and written[-1] == 99

            await until_async(all_saved, what="the last boundary is saved")
            keeper.cancel()

    asyncio.run(go())
    assert len(written) <= 4


def test_a_failing_save_is_no_reason_to_stop() -> None:
    calls: list[int] = []

    def failing(_: Any) -> None:
        calls.append(1)
        raise OSError(28, "No space left on device")

    async def go() -> None:
        saves = PartialSaves(new_notebook, failing)
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(saves.keep_saving())

            async def twice() -> bool:
                saves.boundary()
                return len(calls) >= 2

            await until_async(twice, what="a second save is tried")
            keeper.cancel()

    asyncio.run(go())
