"""A phase whose inputs have not changed is not run again, and one whose inputs have is."""

import sys
from pathlib import Path

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.limits import LIMITS

DYING = Path(__file__).with_name("dying.py")
SUM = """\
name: sum
automation_level: 100
parameters: {type: object, properties: {month: {type: integer, default: 4}}}
phases:
  - {name: collect, notebook: collect.ipynb}
  - {name: count, notebook: count.ipynb, cache: inputs}
"""


def template(workshop: Workshop, *, rows: int = 3, lines: str = "a", factor: int = 2) -> Path:
    """Collect rows, and count them with the help of a module."""
    folder = workshop.template("sum", SUM, factor__py=f"FACTOR = {factor}\n")
    workshop.notebook(
        "sum/collect.ipynb",
        [
            f"mark('collected'); ctx.output('rows', {rows})",
            f"ctx.artifact('lines.txt', data={lines!r}, kind='data')",
        ],
    )
    workshop.notebook(
        "sum/count.ipynb",
        [
            "mark('counted'); lines = ctx.input('collect', 'lines.txt').read_text()",
            "total = ctx.get('collect.rows') * len(lines)",
            "ctx.output('total', total); ctx.artifact('total.txt', data=str(total), kind='data')",
        ],
    )
    return folder


def test_the_second_instance_reuses_what_the_first_did_and_no_kernel_is_started_for_it(
    product: Product, workshop: Workshop
) -> None:
    folder = template(workshop)
    first = product.run("run", folder, "--json", status=0).json
    again = product.run("run", folder, "--json", status=0).json
    assert workshop.marks == {"collected": 2, "counted": 1}
    assert product.counts("PhaseStarted", again["instance_id"]) == {"collect": 1}
    assert product.counts("PhaseReused", again["instance_id"]) == {"count": 1}
    assert again["outcome"]["count"] == first["outcome"]["count"] == {"total": 3}
    assert again["phases"]["count"]["reused_from"]["instance_id"] == first["instance_id"]
    told = product.run("status", str(again["instance_id"]), status=0).out
    assert f"count: reused from {first['instance_id']} (attempt 1, " in told
    saved = product.folder / "saved"
    product.run("artifacts", str(again["instance_id"]), "--save", saved, status=0)
    assert (saved / "count" / "total.txt").read_text() == "3"


def test_whatever_changes_the_phase_is_run(product: Product, workshop: Workshop) -> None:
    product.run("run", template(workshop), status=0)
    for number, changed in enumerate(({"rows": 4}, {"lines": "b"}, {"factor": 3}), start=2):
        product.run("run", template(workshop, **changed), status=0)  # type: ignore[arg-type]
        assert workshop.marks["counted"] == number, changed
    product.run("run", template(workshop), "-p", "month=5", status=0)
    assert workshop.marks["counted"] == 5
    product.run("run", template(workshop), "--force", status=0)
    assert workshop.marks["counted"] == 6
    product.run("run", template(workshop), status=0)
    assert workshop.marks["counted"] == 6


def test_killed_around_the_answer_it_is_reused_once(product: Product, workshop: Workshop) -> None:
    folder = template(workshop)
    product.run("run", folder, status=0)
    for commits in (12, 16, 20, 24):
        command = ("run", folder, "--idempotency-key", f"after-{commits}")
        died = product.spawn(*command, program=(sys.executable, DYING, str(commits)))
        died.process.wait(LIMITS.deadline_sec * 2)
        done = product.run(*command, "--json", status=0).json
        assert product.counts("PhaseReused", done["instance_id"]) == {"count": 1}, commits
    assert len(product.instances()) == 5
    assert workshop.marks["counted"] == 1
