"""Writes `docs/reference/cli.md` from the parser: `python -m tests.cli.reference`."""

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from chatflow_jupyter.interfaces.cli.arguments import subcommands
from chatflow_jupyter.interfaces.cli.parser import build_parser

FILE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"

INTRODUCTION = """\
# Command line

`chatflow` and `jupyter chatflow` are the same program. Everything below is what `--help` prints; a test keeps
it so.

## What can be relied on

* **Standard output** carries only the result: a summary, a table, or with `--json` one JSON value. The
  picture of what runs, questions and messages go to standard error; the log goes to `CHATFLOW_HOME/logs/`
  (rotated).
* `--json` prints one object with at least `instance_id`, `status`, `current_phase`, `waiting_reason` and
  `error`; `history --json` prints a list of events, `list --json` a list with the newest first,
  `run --matrix --json` a list; `waivers --json` is about waivers. [All fields](json-output.md).
* `trigger --approve` and `--reject` answer the gate that waits when the command begins, never a later one; an
  answer that comes before its gate waits for it. On one machine there is one trust domain: whoever can use
  the home may answer every gate, and `--as NAME` is kept as claimed, because nobody checks it.
* `run`, `fork`, `trigger`, `resume` and `retry` follow until the instance ends or waits; `--detach` returns
  at once with 0 and a background runner goes on. On a terminal they draw the tree, elsewhere they print one
  line per event: `TIME INSTANCE TYPE name=value …`. `NO_COLOR` switches colours off, `CHATFLOW_PLAIN=1` the
  drawing.
  `CHATFLOW_PLAIN=words` prints sentences instead of events. On a terminal tables fit its width; elsewhere a
  row is a line.
* An instance is named by its id, by a unique beginning of at least four characters, or by `last`.
* A parameter (`-p`) is typed by the declared schema, then by what papermill infers from the notebook, then
  as JSON, else it is a string; `x=@file` reads a file. Later ones win: `--context`, `-f`, `-y`, `-p`. A
  parameter declared with `format: path` is made absolute.
* An error is one line on standard error: `chatflow: what, where, what to do`. `CHATFLOW_DEBUG=1` adds the
  traceback.
* Interrupted (Ctrl-C, SIGTERM, a closed terminal) a following command ends in order and says how to go on; a
  second interruption ends it at once. The instance is kept either way.

## Exit status

| status | meaning |
|---|---|
| 0 | completed; queries always |
| 1 | internal error, a failed check of `doctor` and `db check`, or what `--exit-code` tells |
| 2 | usage or invalid input |
| 3 | waiting: for an answer, a trigger, a budget; or paused |
| 4 | failed |
| 5 | terminated |
| 6 | not found, or not allowed |
| 7 | conflict: the present state does not allow it |
| 8 | the home or a server cannot be reached |
| 130 | interrupted |
"""


def commands(parser: ArgumentParser) -> Iterator[tuple[str, ArgumentParser]]:
    """Every command with its parser, in the order of the help."""
    yield parser.prog, parser
    for action in parser._actions:
        for name, _ in subcommands(action):
            yield from commands(action.choices[name])


def reference() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = "100"
    parts = [INTRODUCTION, "## Commands"]
    for name, parser in commands(build_parser()):
        parts.append(f"### {name}\n\n```text\n{parser.format_help().rstrip()}\n```")
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(reference(), encoding="utf-8")
