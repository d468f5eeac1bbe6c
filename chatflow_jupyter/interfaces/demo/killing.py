"""The demonstration's review: started as a process of its own, really killed, resumed."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from chatflow_jupyter.bootstrap import ChatFlow, open_chatflow
from chatflow_jupyter.domain.errors import InternalError
from chatflow_jupyter.domain.ids import LOCAL_TENANT
from chatflow_jupyter.domain.instance import Instance, PhaseState
from chatflow_jupyter.interfaces.cli.displays import WORDS
from chatflow_jupyter.interfaces.cli.main import main
from chatflow_jupyter.interfaces.cli.session import program
from chatflow_jupyter.ports.records import InstanceFilter
from chatflow_jupyter.settings import Settings, load_settings

KILL_BEFORE_SEC = 180.0
MIN_FINISHED = 2
LOOK_EVERY_SEC = 0.2
END_SEC = 10.0


@dataclass(kw_only=True)
class Review:
    """A review in a home of its own. As a context manager it leaves no process behind."""

    settings: Settings
    home: Path
    instance_id: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(END_SEC)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def start(self, target: Path) -> None:
        """Start the review of `target` in a process group of its own."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = ["run", "code-review", "-p", f"path={target}", "-p", "execute=true"]
        self._process = subprocess.Popen(
            [*_ourselves(), *words, "--home", str(self.home)],
            stdin=subprocess.DEVNULL,
            env=self._environment(),
            start_new_session=True,
        )

    def kill_in_the_middle(self) -> int:
        """Wait until some phases have finished and another runs, then `kill -9` the group; returns its id.

        Raises `InternalError` when the review ended before, or never came so far.
        """
        process = self._process
        assert process is not None
        self.instance_id = asyncio.run(self._until_in_the_middle(process))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return process.pid

    def resume(self) -> int:
        """Resume and follow in the foreground; returns the exit status of the command."""
        done = subprocess.run(
            [*_ourselves(), "resume", self.instance_id, "--home", str(self.home)],
            env=self._environment(),
            stdout=subprocess.DEVNULL,  # its summary is the third act
            check=False,
        )
        return done.returncode

    def events(self) -> list[dict[str, Any]]:
        """Return the history of the whole tree, as `chatflow history --tree --json` prints it."""
        answer = self._ask("history", self.instance_id, "--tree", "--json")
        assert isinstance(answer, list)
        return answer

    def save_artifacts(self, folder: Path) -> Mapping[str, Path]:
        """Save the latest artifacts below `folder`; returns `phase/name` to file."""
        answer = self._ask("artifacts", self.instance_id, "--save", str(folder), "--json")
        assert isinstance(answer, dict)
        return {f"{entry['phase']}/{entry['name']}": Path(entry["path"]) for entry in answer["artifacts"]}

    def command(self, *words: str) -> str:
        """Return the command line with which the reader reaches this home."""
        return " ".join([program(), *words, "--home", shlex.quote(str(self.home))])

    def _environment(self) -> dict[str, str]:
        """Return the settings of a child; where nothing can be drawn it tells its story in words."""
        return {"CHATFLOW_PLAIN": WORDS, **self.settings.for_child()}

    def _ask(self, *words: str) -> Any:  # whatever JSON the command prints
        printed = io.StringIO()
        with redirect_stdout(printed):
            status = main([*words, "--home", str(self.home)])
        if status != 0:
            raise InternalError(f"chatflow {words[0]} ended with status {status}")
        return json.loads(printed.getvalue())

    async def _until_in_the_middle(self, process: subprocess.Popen[bytes]) -> str:
        settings = load_settings({"home": str(self.home)})
        try:
            async with asyncio.timeout(KILL_BEFORE_SEC), open_chatflow(settings, "query") as app:
                while True:
                    seen = app.storage.change_token()
                    if process.poll() is not None:
                        raise InternalError(f"the review ended by itself with status {process.returncode}")
                    instance = await _in_the_middle(app)
                    if instance is not None:
                        return instance.instance_id
                    await app.storage.wait_for_change(seen, LOOK_EVERY_SEC)
        except TimeoutError:
            raise InternalError(f"the review came nowhere within {KILL_BEFORE_SEC:.0f} s") from None


async def _in_the_middle(app: ChatFlow) -> Instance | None:
    """Return the review once some of its phases have finished and a notebook is running."""
    newest = await app.queries.instances(LOCAL_TENANT, InstanceFilter(limit=1))
    if not newest:
        return None
    finished = [record for record in newest[0].phases.values() if record.state is PhaseState.SUCCEEDED]
    attempts = await app.queries.running_attempts(LOCAL_TENANT, newest[0].instance_id)
    running = any(attempt.status == "leased" and attempt.progress is not None for attempt in attempts)
    return newest[0] if len(finished) >= MIN_FINISHED and running else None


def _ourselves() -> list[str]:
    """Return how to call this very command line from another process."""
    called = Path(sys.argv[0])
    if called.name == "chatflow" and called.is_file():
        return [str(called.absolute())]
    return [sys.executable, "-P", "-m", "chatflow_jupyter.interfaces.cli"]
