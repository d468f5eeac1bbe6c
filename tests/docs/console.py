"""Plays the `console` blocks of a page in one shell, as a reader would, and keeps what they print.

`python -m tests.docs.console PAGE` plays a page and writes the true output into it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT, text_of
from tests.waiting import until

READER = "/home/you"
COMMAND_SEC = 60.0

_PART = re.compile(
    r"^```(?P<language>\w+)(?: file=(?P<file>\S+))?\n(?P<body>.*?)^```$"
    r"|^<!-- test: wait until `(?P<probe>.+?)` says: (?P<said>.+?) -->$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A command of a page, and what the page says it prints on standard output."""

    command: str
    output: str


class Shell:
    """One bash that lives as long as the page; every command's standard output is kept apart."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        """Start in `home`, which is the reader's."""
        self._home = home
        self._files = Path(tempfile.mkdtemp(prefix="cf-console-"))
        self._count = 0
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            text=True,
            cwd=home,
            env={**environment, "HOME": str(home)},
            start_new_session=True,
        )

    def run(self, command: str) -> str:
        """Run `command` as typed and return its standard output, the reader's folder named as on the page."""
        self._count += 1
        out, done = self._files / f"{self._count}.out", self._files / f"{self._count}.done"
        err = self._files / f"{self._count}.err"
        assert self._bash.stdin is not None
        self._bash.stdin.write(
            f"exec >{out} 2>{err}\n(exit ${{__status:-0}})\n{command}\n__status=$?\n: >{done}\n"
        )
        self._bash.stdin.flush()
        until(done.exists, what=f"the end of: {command}", deadline_sec=COMMAND_SEC)
        self.errors = err.read_text()
        return out.read_text().replace(str(self._home), READER)

    def folder(self) -> Path:
        """The shell's current folder."""
        return Path(f"/proc/{self._bash.pid}/cwd").readlink()

    def close(self) -> None:
        """End the shell."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.wait(timeout=10)
        shutil.rmtree(self._files, ignore_errors=True)


def told(body: str) -> Iterator[Told]:
    """Take a console block apart into commands and outputs."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Told(command=command, output=output)


def play(page: Path, home: Path, environment: Mapping[str, str]) -> Iterator[tuple[Told, str, str]]:
    """Play the page in `home`; yields every command with what it really printed, and its errors."""
    shell = Shell(home, environment)
    try:
        for part in _PART.finditer(text_of(page)):
            if part["probe"]:
                _wait(shell, part["probe"], part["said"])
            elif part["file"]:
                place = shell.folder() / part["file"]
                place.parent.mkdir(exist_ok=True)
                place.write_text(part["body"], encoding="utf-8")
            elif part["language"] == "console":
                for entry in told(part["body"]):
                    printed = shell.run(entry.command)
                    yield entry, printed, shell.errors
    finally:
        shell.close()


def comparable(output: str) -> str:
    """Take away what differs between two runs: ids, hashes, moments, durations, sizes, padding."""
    for pattern, name in _CHANGING:
        output = re.sub(pattern, name, output)
    return "\n".join(" ".join(line.split()) for line in output.strip().splitlines())


_CHANGING = (
    (r"wfi_[0-9a-z]{26}", "wfi_ID"),
    (r"run_[0-9a-f]{32}", "run_ID"),
    (r"wvr_[0-9a-f]{32}", "wvr_ID"),
    (r"sch_[0-9a-f]{32}", "sch_ID"),
    (r"\+dev\.[0-9a-f]{8}", "+dev.HASH"),
    (r"\b[0-9a-f]{12}\b", "HASH"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", "MOMENT"),
    (r"duration_sec=[\d.]+", "duration_sec=N"),
    (r"\d+(\.\d+)? of \d+ s are used", "N of N s are used"),
    (r"\b(\d+ min )?\d+(\.\d+)? s\b", "N s"),
    (r"\b\d+(\.\d+)? (B|KiB)\b", "SIZE"),
)


def reader_environment() -> dict[str, str]:
    """The environment of somebody who has just activated `.venv`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHATFLOW_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return {**kept, "PATH": path, "COLUMNS": "100"}


def write_outputs(page: Path) -> None:
    """Play the page and put what it really prints under its commands."""
    text, written = text_of(page), ""
    with tempfile.TemporaryDirectory(prefix="cf-you-") as home:
        for entry, printed, errors in play(page, Path(home), reader_environment()):
            sys.stderr.write(f"$ {entry.command}\n{errors}{printed}")
            lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
            before, _, text = text.partition(f"$ {entry.command}\n{entry.output}")
            written += f"{before}$ {entry.command}\n{lines}"
    page.write_text(written + text, encoding="utf-8")


def _wait(shell: Shell, probe: str, said: str) -> None:
    until(lambda: said in shell.run(probe), what=f"{probe} says {said}", every_sec=0.2)


if __name__ == "__main__":
    write_outputs(ROOT / sys.argv[1])
