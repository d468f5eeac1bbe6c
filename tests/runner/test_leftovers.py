"""What belongs to an attempt nobody runs is ended, whatever state it is in, and nothing else is touched."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatflow_jupyter.runner import keeper
from chatflow_jupyter.runner.leftovers import end_attempt
from tests.runner.notebooks import marked
from tests.waiting import until

FORGETFUL = (
    "import os, sys; os.execve('/bin/sh', ['sh', '-c', 'while :; do sleep 0.2; done', sys.argv[1]], {})"
)
PARENT = f"""
import subprocess, sys
subprocess.Popen([sys.executable, '-c', {FORGETFUL!r}, sys.argv[1]], start_new_session=True)
input()
"""
Started = list[subprocess.Popen[bytes]]


@pytest.fixture
def started() -> Iterator[Started]:
    """Processes to end and collect."""
    processes: Started = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(started: Started, folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start a process as a keeper starts a kernel of the attempt in `folder`."""
    context = {"CHATFLOW_PHASE_CONTEXT": f"{folder}/run/.chatflow/context.json"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env={"PATH": os.environ["PATH"], **context})
    started.append(process)
    return process


def test_a_stopped_process_and_a_descendant_that_forgot_whose_it_is_are_ended(
    tmp_path: Path, started: Started
) -> None:
    mark = f"mark-{uuid.uuid4()}"
    parent = start(started, tmp_path / "wfi_1.one.1", sys.executable, "-c", PARENT, mark)
    until(lambda: any(f"sleep 0.2; done {mark}" in words for words in marked_words(mark)), what="both run")
    parent.send_signal(signal.SIGSTOP)

    assert end_attempt(tmp_path / "wfi_1.one.1")
    assert parent.wait(5) == -signal.SIGKILL
    until(lambda: not marked(mark), what="the descendant is gone")


def test_other_attempts_other_homes_and_those_who_only_name_the_folder_are_left_alone(
    tmp_path: Path, started: Started
) -> None:
    folder = tmp_path / "work" / "wfi_1.one.1"
    others = [
        start(started, tmp_path / "work" / "wfi_1.one.10", "sleep", "1000"),
        start(started, tmp_path / "other" / "work" / "wfi_1.one.1", "sleep", "1000"),
        start(started, tmp_path, "sh", "-c", "read line", f"CHATFLOW_PHASE_CONTEXT={folder}/"),
    ]
    own = start(started, folder, "sleep", "1000")

    assert end_attempt(folder)
    assert own.wait(5) == -signal.SIGKILL
    assert [process.poll() for process in others] == [None, None, None]


def test_a_command_that_the_attempt_itself_started_ends_nothing(tmp_path: Path, started: Started) -> None:
    folder = tmp_path / "wfi_1.one.1"
    source = "import sys, pathlib; from chatflow_jupyter.runner.leftovers import end_attempt\n"
    source += "print(end_attempt(pathlib.Path(sys.argv[1])))"
    context = {"CHATFLOW_PHASE_CONTEXT": f"{folder}/run/.chatflow/context.json"}
    asked = subprocess.run(
        [sys.executable, "-c", source, str(folder)],
        env={**os.environ, **context},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (asked.returncode, asked.stdout) == (0, "False\n"), asked.stderr


def marked_words(mark: str) -> list[str]:
    """Return the command lines in which the mark occurs."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue
    return [line for line in lines if mark in line]


def test_a_home_whose_name_is_no_text_is_looked_through(tmp_path: Path, started: Started) -> None:
    folder = tmp_path / os.fsdecode(b"\xff") / "wfi_1.one.1"
    own = start(started, folder, "sleep", "1000")

    assert end_attempt(folder)
    assert own.wait(5) == -signal.SIGKILL


def test_an_attempt_that_goes_on_starting_processes_holds_nobody_up(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever one is stopped there is another by then; that has an end here, so that the test has one."""
    folder, send, ends = tmp_path / "wfi_1.one.1", keeper.send, time.monotonic() + 5

    def send_too_late(pid: int, number: int) -> None:
        if number == signal.SIGSTOP and time.monotonic() < ends:
            start(started, folder, "sleep", "1000")
        send(pid, number)

    monkeypatch.setattr(keeper, "send", send_too_late)
    start(started, folder, "sleep", "1000")
    assert not end_attempt(folder, timeout_sec=0.5)
    assert time.monotonic() < ends
