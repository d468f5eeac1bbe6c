"""A forked kernel is a fresh one: what it sees, how it ends, and what becomes of it when others die."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chatflow_jupyter.runner.keeper_process import ForkedKeeper
from chatflow_jupyter.runner.kept_kernel import Launch, RunningKernel
from chatflow_jupyter.runner.phase_files import CONTEXT_VARIABLE
from tests.runner.forking import Pool, pooled
from tests.runner.notebooks import Heard, Run, marked, run
from tests.waiting import until, until_async

SEEN = """
import asyncio, gc, json, locale, os, resource, signal, sys, threading, time
mask = os.umask(0o22)
os.umask(mask)
limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
main = sys.modules["__main__"].__name__, threading.main_thread().name
print(json.dumps({
    "environment": dict(os.environ), "cwd": os.getcwd(), "path": sys.path, "main": main, "umask": mask,
    "argv": sys.argv, "orig_argv": sys.orig_argv, "executable": sys.executable, "flags": str(sys.flags),
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "wakeup": signal.set_wakeup_fd(-1) > 0,
    "encodings": [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding(), sys.stdout.encoding],
    "leads": [os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0)], "zone": time.tzname,
    "gc": [gc.isenabled(), gc.get_threshold()], "hook": type(sys.excepthook.__self__).__name__,
    "threads": sorted(thread.name for thread in threading.enumerate()), "stdin": os.readlink(links[0]),
    "descriptors": sorted(os.readlink(link).partition(":")[0] for link in links if os.path.lexists(link)),
}))
"""


def forked(folder: Path, cells: Sequence[Any], **job: Any) -> Run:
    """Run a notebook in a forked kernel."""
    folder.mkdir(exist_ok=True)
    return run(folder, cells, kernels=pooled, **job)


def printed(done: Run, cell: int = 0) -> str:
    """Return what a cell printed."""
    assert done.result.ok, done.result.error
    return "".join(output["text"] for output in done.notebook.cells[cell].outputs if "text" in output)


def test_it_sees_what_a_fresh_one_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    (tmp_path / "lib").mkdir()
    given = {"GIVEN": "ü \udc80", "PYTHONPATH": f"{tmp_path / 'lib'}{os.pathsep}{tmp_path / 'missing'}"}
    seen = []
    for way in (run, forked):
        done = way(tmp_path, [SEEN], environment=given)
        assert done.result.ok, done.result.error
        seen.append(json.loads(done.notebook.cells[0].outputs[0]["text"]))
    fresh, other = seen
    for each in seen:
        each["argv"][2] = each["orig_argv"][3] = "a connection file"
        del each["environment"]["JPY_PARENT_PID"]
    assert other == fresh


def test_what_it_starts_ends_as_it_does_elsewhere(tmp_path: Path) -> None:
    text = """
import asyncio, multiprocessing, subprocess, sys, threading
print(subprocess.run(["false"]).returncode, subprocess.run(["sh", "-c", "kill -TERM $$"]).returncode)
process = await asyncio.create_subprocess_exec("sh", "-c", "exit 7")
print(await process.wait())
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.map(abs, [-3]))
found = []
thread = threading.Thread(target=lambda: found.append(4)); thread.start(); thread.join()
yes = subprocess.run("yes | head -1", shell=True, capture_output=True)
print(found, await asyncio.to_thread(lambda: 5), yes.stdout)
"""
    assert printed(forked(tmp_path, [text])).splitlines() == [
        "1 -15",
        "7",
        "[1, 2]",
        "[3]",
        "[4] 5 b'y\\n'",
    ]


def test_no_two_have_the_same_random_numbers(tmp_path: Path) -> None:
    text = "import random, secrets, tempfile, uuid\n"
    text += "print(random.random(), secrets.token_hex(), uuid.uuid4(), tempfile.mktemp())"
    one, two = (printed(forked(tmp_path / name, [text])).split() for name in ("one", "two"))
    assert not set(one) & set(two)


def test_what_was_not_written_yet_is_when_it_ends(tmp_path: Path) -> None:
    text = """
import atexit, threading, time
kept = open("kept.txt", "w"); kept.write("never closed")
class Ends:
    def __del__(self): open("ends.txt", "w").write("dropped")
ends = Ends()
atexit.register(lambda: open("hook.txt", "w").write("ran"))
def late():
    time.sleep(0.3); open("late.txt", "w").write("waited for")
threading.Thread(target=late).start()
"""
    assert forked(tmp_path, [text]).result.ok
    found = {file.name: file.read_text() for file in (tmp_path / "work").glob("*.txt")}
    assert found == {
        "kept.txt": "never closed",
        "ends.txt": "dropped",
        "hook.txt": "ran",
        "late.txt": "waited for",
    }


@pytest.mark.parametrize(
    ("folder", "name"), [("work", "json.py"), ("lib", "tornado"), ("lib", "sitecustomize.py")]
)
def test_one_that_finds_other_modules_first_is_started_as_ever(
    tmp_path: Path, folder: str, name: str
) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / name).mkdir() if name == "tornado" else (place / name).write_text("FOUND = 'here'\n")
    launched: list[RunningKernel] = []
    pool = Pool()

    @asynccontextmanager
    async def kernels() -> AsyncIterator[Launch]:
        async def launch(command: Sequence[str], **how: Any) -> RunningKernel:
            assert await pool.kernels.warm_up(command, how["environment"])
            launched.append(await pool.kernels.launch(command, **how))
            return launched[-1]

        async with pool.kernels:
            yield launch

    done = run(
        tmp_path,
        ["import sys; print(1)"],
        environment={"PYTHONPATH": str(tmp_path / "lib")},
        kernels=kernels,
    )
    assert len(launched) == 1
    assert not isinstance(launched[0]._process, ForkedKeeper)  # type: ignore[attr-defined]
    assert done.result.ok or folder == "work"


def test_it_is_recognised_as_part_of_its_attempt(tmp_path: Path) -> None:
    mark = f"{CONTEXT_VARIABLE}={tmp_path / 'attempt'}/context.json"
    found: list[list[int]] = []
    text = "import os; print(os.getpid(), os.getppid())"
    done = forked(
        tmp_path,
        [text, "pass"],
        environment={CONTEXT_VARIABLE: mark.partition("=")[2]},
        heard=Heard(on_start=lambda index: found.append(sorted(marked(mark))) if index == 1 else None),
    )
    assert found == [sorted(int(pid) for pid in printed(done).split())]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_kernel_of_a_zygote_that_is_gone_or_stuck_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    pool = Pool()
    zygotes: list[int] = []

    def strike(index: int) -> None:
        if index == 1:
            (brood,) = pool.kernels._broods.values()
            zygotes.append(brood._zygote._process.pid)  # type: ignore[union-attr]
            os.kill(zygotes[-1], how)

    cells = ["import subprocess; print(1)", "print(subprocess.run(['false']).returncode)", "print(3)"]

    @asynccontextmanager
    async def kernels() -> AsyncIterator[Launch]:
        async with pool.kernels:
            yield pool.launch

    done = run(tmp_path, cells, kernels=kernels, heard=Heard(on_start=strike))
    assert [printed(done, cell) for cell in range(3)] == ["1\n", "1\n", "3\n"]
    assert zygotes
    until(lambda: not Path(f"/proc/{zygotes[0]}").exists(), what="the zygote's end")


def test_what_is_forked_ahead_ends_when_nobody_asks_any_more(tmp_path: Path) -> None:
    ended: list[int] = []
    pool = Pool(idle_sec=0.05)

    @asynccontextmanager
    async def kernels() -> AsyncIterator[Launch]:
        async with pool.kernels:
            yield pool.launch
            (brood,) = pool.kernels._broods.values()

            async def idle() -> bool:
                return brood._tending is None and not brood._blanks and brood._zygote is None

            await until_async(idle, what="the zygote and what it forked ahead are ended")
            ended.append(1)

    assert printed(run(tmp_path, ["print(1)"], kernels=kernels)) == "1\n"
    assert ended == [1]


def test_where_no_zygote_can_be_each_is_started_and_the_log_says_so_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$1" in *zygote.py) exit 3;; esac\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    spec = tmp_path / "jupyter" / "kernels" / "odd"
    spec.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "o", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    pool = Pool()

    @asynccontextmanager
    async def kernels() -> AsyncIterator[Launch]:
        async def launch(command: Sequence[str], **how: Any) -> RunningKernel:
            for _ in range(5):
                assert not await pool.kernels.warm_up(command, how["environment"])
            return await pool.kernels.launch(command, **how)

        async with pool.kernels:
            yield launch

    assert printed(run(tmp_path, ["print(1)"], kernels=kernels, kernel_name="odd")) == "1\n"
    told = [one.getMessage() for one in caplog.records if one.name.endswith("forked_kernels")]
    assert [each.rpartition("; ")[2] for each in told] == [
        "another is tried",
        "another is tried",
        "kernels are started one by one",
    ]
    assert all("the zygote has ended" in each for each in told)
