"""How soon a command is there: over a bare interpreter, and from `run` to the first cell beside papermill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, holds
from benchmarks.homes import CHATFLOW, Home, new_home
from benchmarks.measuring import command_time, interleaved, medians
from benchmarks.notebooks import PARAMETERS, stamp, times_of, write_notebook

ROUNDS = 11
RUN_ROUNDS = 5
UNWANTED = ("jupyter_server", "papermill")
LOADED = """
import contextlib, io, json, sys
from chatflow_jupyter.interfaces.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    main(["--help"])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def measure() -> Sequence[Figure]:
    """Measure short commands, then a two-cell notebook."""
    with new_home() as home:
        write_notebook(home.folder / "two.ipynb", [PARAMETERS, stamp("first")])
        for number in range(5):
            home.answer("start", "two.ipynb", "-p", f"stamps=s{number}")
        return [*_commands(home), *_modules(), *_first_cell(home)]


def _commands(home: Home) -> list[Figure]:
    commands = {
        "bare": [sys.executable, "-c", "pass"],
        "--help": [CHATFLOW, "--help"],
        "--version": [CHATFLOW, "--version"],
        "status": [CHATFLOW, "status", "last"],
        "list": [CHATFLOW, "list"],
    }

    def wall_sec(words: Sequence[str]) -> float:
        spent = command_time(words, environment=home.environment, cwd=home.folder)
        assert spent.status == 0, words
        return spent.wall_sec

    taken = interleaved(
        {name: lambda words=words: wall_sec(words) for name, words in commands.items()},  # type: ignore[misc]
        rounds=ROUNDS,
    )
    middle = medians(taken)
    how = f"median of {ROUNDS} interleaved rounds; bare: {middle['bare']:.3f} s"
    return [
        Figure(
            name=f"chatflow {name} over a bare interpreter",
            value=middle[name] - middle["bare"],
            unit="s",
            goal=0.25 if name == "--help" else None,
            how=how,
        )
        for name in commands
        if name != "bare"
    ]


def _modules() -> list[Figure]:
    output = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True).stdout
    loaded = json.loads(output)
    unwanted = [name for name in UNWANTED if name in loaded]
    how = f"{len(loaded)} packages and modules are imported" + (f", {unwanted} among them" * bool(unwanted))
    return [holds(f"--help imports neither {' nor '.join(UNWANTED)}", not unwanted, how)]


def _first_cell(home: Home) -> list[Figure]:
    ours = [CHATFLOW, "run", "two.ipynb", "-p", "stamps={}"]
    theirs = [
        str(Path(sys.executable).with_name("papermill")),
        "two.ipynb",
        "out.ipynb",
        "-p",
        "stamps",
        "{}",
    ]
    wholes: dict[str, list[float]] = {"chatflow": [], "papermill": []}

    def first_cell_sec(name: str, command: Sequence[str]) -> float:
        noted = home.folder / f"{name}-{len(wholes[name])}.txt"
        began = time.time()
        words = [word.format(noted) for word in command]
        spent = command_time(words, environment=home.environment, cwd=home.folder)
        assert spent.status == 0, words
        moments = times_of(noted, "first")
        assert len(moments) == 1, moments
        wholes[name].append(spent.wall_sec)
        return moments[0] - began

    taken = interleaved(
        {
            "chatflow": lambda: first_cell_sec("chatflow", ours),
            "papermill": lambda: first_cell_sec("papermill", theirs),
        },
        rounds=RUN_ROUNDS,
    )
    middle, whole = medians(taken), medians({name: values[1:] for name, values in wholes.items()})
    how = f"median of {RUN_ROUNDS} interleaved rounds, a two-cell notebook"
    figures = []
    for what, values in (("command to first cell", middle), ("command to its end", whole)):
        ratio = values["chatflow"] / values["papermill"]
        beside = f"{how}; papermill {values['papermill']:.2f} s, ratio {ratio:.2f}"
        figures.append(Figure(name=f"chatflow run: {what}", value=values["chatflow"], unit="s", how=beside))
    return figures
