"""Everything a person can get wrong is one clear line, no traceback, and nothing is written."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.acceptance.product import TRACES, Product
from tests.acceptance.workflows import Workshop

BATCH = """\
import contextlib, io, json, sys
from chatflow_jupyter.interfaces.cli.main import main
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""
DEFINITION = """\
name: typed
automation_level: 100
parameters:
  type: object
  properties:
    path: {type: string}
    count: {type: integer, minimum: 1}
    execute: {type: boolean, default: false}
  required: [path]
phases:
  - {name: one, notebook: one.ipynb}
"""


@dataclass(frozen=True)
class Slip:
    """What somebody typed, and what the answer must say."""

    arguments: Sequence[str]
    says: str
    status: int = 2
    counts: int = 1


RUN = ("run", "typed")
SLIPS = [
    Slip(("run",), "WHAT"),
    Slip(("fly",), "fly"),
    Slip((*RUN, "--nonsense"), "--nonsense"),
    Slip(RUN, "'path' is a required property; give -p path=…"),
    Slip((*RUN, "-p", "path"), "-p 'path': write NAME=VALUE"),
    Slip((*RUN, "-p", "pth=x"), "did you mean path?"),
    Slip((*RUN, "-p", "path=x", "-p", "count=many"), "-p count=many: expected an integer"),
    Slip((*RUN, "-p", "path=x", "-p", "count=0"), "count"),
    Slip((*RUN, "-p", "path=x", "-p", "execute=maybe"), "expected true or false"),
    Slip((*RUN, "-p", "a b=x"), "has no parameter 'a b'"),
    Slip((*RUN, "--matrix", "a b=x"), "has no parameter 'a b'"),
    Slip((*RUN, "-p", "path=@nowhere.txt"), "nowhere.txt cannot be read"),
    Slip((*RUN, "-y", "{path: x"), "-y"),
    Slip((*RUN, "-y", "[1]"), "expected a mapping"),
    Slip((*RUN, "-f", "nowhere.yaml"), "nowhere.yaml cannot be read"),
    Slip((*RUN, "--context", "broken.json"), "broken.json"),
    Slip((*RUN, "--context", "list.json"), "expected an object"),
    Slip((*RUN, "--context", "twice.json"), "appears twice"),
    Slip((*RUN, "-p", "path=x", "--automation-level", "101"), "a number from 0 to 100"),
    Slip((*RUN, "-p", "path=x", "--automation-level", "high"), "high"),
    Slip((*RUN, "-p", "path=x", "--idempotency-key", ""), "may not be empty"),
    Slip((*RUN, "-p", "path=x", "--tenant", "../x"), "--tenant"),
    Slip((*RUN, "-p", "path=x", "--matrix", "count=1,,2"), "--matrix"),
    Slip(("run", "https://example.org/a.ipynb"), "download it first"),
    Slip(("run", "nowhere.ipynb"), "there is no such notebook"),
    Slip(("run", "brokn.ipynb"), "did you mean broken.ipynb?"),
    Slip(("run", "broken.ipynb"), "not a notebook"),
    Slip(("run", "./nowhere"), "there is no such folder", 6),
    Slip(("run", "empty.d/"), "holds no definition.yaml", 6),
    Slip(("run", "bad.d/"), "definition.yaml:3:"),
    Slip(("run", "tped"), "did you mean typed?", 6),
    Slip(("run", "typed@9.9.9"), "no such version", 6),
    Slip(("run", "Typed!"), "Typed!", 6),
    Slip(("validate", "bad.d/definition.yaml"), "definition.yaml:3:", counts=2),
    Slip(("validate", "nowhere"), "there is no such file", 6),
    Slip(("status", "wfi_nothing"), "there is no such instance", 6),
    Slip(("status", "last"), "there is no instance yet", 6),
    Slip(("status", ""), "", 6),
    Slip(("status", "a\nb\x1b[31m"), "there is no such instance", 6),
    Slip(("trigger", "last", "--data", "{"), "--data"),
    Slip(("trigger", "last", "--data", "[1]"), "expected an object"),
    Slip(("trigger", "last", "--data", '{"a": NaN}'), "NaN is not JSON"),
    Slip(("trigger", "last", "--approve", "--reject"), "not allowed with"),
    Slip(("trigger", "last", "--reason", "x"), "--reason goes with"),
    Slip(("list", "--limit", "-1"), "--limit"),
    Slip(("list", "--status", "odd"), "odd"),
    Slip(("artifacts", "last", "--save", "broken.json"), "", 6),
]


@pytest.fixture
def place(product: Product, workshop: Workshop) -> Product:
    """A folder with good and bad things to name."""
    (workshop.folder / "templates").mkdir()
    workshop.template("templates/typed", DEFINITION)
    workshop.notebook("templates/typed/one.ipynb", [])
    workshop.template("bad.d", "name: bad\nphases:\n  - {name: One Two, notebook: one.ipynb}\n")
    (workshop.folder / "empty.d").mkdir()
    for name, content in {
        "broken.ipynb": "{",
        "broken.json": "{",
        "list.json": "[1]",
        "twice.json": '{"path": "x", "path": "y"}',
    }.items():
        (workshop.folder / name).write_text(content)
    return product


_NOT_COUNTED = ("usage:", " ")


def batch(product: Product, commands: Sequence[Sequence[str]]) -> list[tuple[int, str, str]]:
    """Run many commands, one after another, in one process."""
    ran = subprocess.run(
        [sys.executable, "-c", BATCH],
        input=json.dumps([list(command) for command in commands]),
        capture_output=True,
        text=True,
        cwd=product.folder,
        timeout=150,
        env={
            **product.environment,
            "CHATFLOW_TEMPLATE_PATH": str(product.folder / "templates"),
        },
    )
    assert ran.returncode == 0, ran.stderr
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


def test_a_slip_is_answered_with_one_clear_line(place: Product) -> None:
    faults = []
    for slip, (status, out, err) in zip(SLIPS, batch(place, [s.arguments for s in SLIPS]), strict=True):
        answer = err + out
        told = [line for line in answer.splitlines() if line and not line.startswith(_NOT_COUNTED)]
        fine = (
            status == slip.status
            and slip.says in answer
            and len(told) == slip.counts
            and not any(trace in answer for trace in TRACES)
            and "\x1b" not in answer
        )
        if not fine:
            faults.append(f"{' '.join(slip.arguments)!r}: {status} instead of {slip.status}: {answer}")
    assert not faults, "\n" + "\n".join(faults)
    assert not place.events()


def test_settings_nobody_knows_and_values_out_of_range_are_refused(place: Product) -> None:
    for name, value, says in (
        ("CHATFLOW_RUNNER__SLOT", "4", "did you mean CHATFLOW_RUNNER__SLOTS?"),
        ("CHATFLOW_RUNNER__SLOTS", "many", "runner.slots = 'many': expected a whole number from 0 to 256"),
    ):
        refused = place.run("list", status=2, **{name: value})
        assert says in refused.err
        assert len(refused.err.splitlines()) == 1
    (place.home).mkdir(exist_ok=True)
    (place.home / "config.toml").write_text("[runner]\nslots = [1]\n")
    assert "config.toml" in place.run("list", status=2).err
