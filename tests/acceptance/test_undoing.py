"""What was done is undone in reverse, each effect once, whatever is killed meanwhile."""

from pathlib import Path

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

ORDER = """\
name: order
automation_level: 100
on_failure: compensate
phases:
  - {name: reserve, notebook: reserve.ipynb, compensate: release.ipynb}
  - {name: charge, notebook: charge.ipynb, compensate: refund.ipynb}
  - {name: ship, notebook: ship.ipynb}
"""
PARCELS = """\
name: parcels
automation_level: 100
phases:
  - {name: open, notebook: open.ipynb, compensate: close.ipynb}
  - name: send
    children:
      schema: ./parcel.yaml
      items: [x, y, z]
      key: {field: item}
      context: {name: {field: item}}
      max_parallel: 2
    compensate: recall.ipynb
"""
PARCEL = """\
name: parcel
automation_level: 100
parameters: {type: object, properties: {name: {type: string}}}
phases:
  - {name: pack, notebook: pack.ipynb, compensate: unpack.ipynb}
  - {name: hand_over, notebook: hand_over.ipynb}
"""


def once(name: str) -> str:
    """An effect that happens once and leaves its mark; the ledger keeps the order."""
    return f"ctx.once({name!r}, lambda: mark({name!r}))"


def order(workshop: Workshop) -> Path:
    """Reserve, charge, ship: shipping fails, and refunding waits in its middle until it is let go on."""
    folder = workshop.template("order", ORDER)
    workshop.notebook("order/reserve.ipynb", [once("reserved"), "ctx.output('place', 'A7')"])
    workshop.notebook("order/charge.ipynb", [once("charged"), "ctx.output('receipt', 'r1')"])
    workshop.notebook("order/ship.ipynb", ["raise RuntimeError('no lorry')"])
    refund = [
        once("refunded"),
        "mark('refunding'); wait_for('refund')",
        "assert ctx.get('charge.receipt') == 'r1'",
    ]
    workshop.notebook("order/refund.ipynb", refund)
    workshop.notebook(
        "order/release.ipynb",
        [
            "assert ctx.phase == 'reserve.compensate'",
            once("released"),
            "ctx.output('place', ctx.get('reserve.place'))",
        ],
    )
    return folder


def ledger(workshop: Workshop) -> list[str]:
    """What took effect, in order."""
    return (workshop.room / "marks").read_text().split()


def test_everything_is_killed_in_the_middle_of_an_undo_step_and_each_effect_is_undone_once(
    product: Product, workshop: Workshop
) -> None:
    product.spawn("run", order(workshop))
    until(lambda: workshop.marks["refunding"], what="refunding")
    product.kill_everything()
    assert product.instances()[0][1] == "compensating"
    ended = product.spawn("resume", "last", "--json")
    until(lambda: workshop.marks["refunding"] == 2, what="refunding again")
    shown = product.run("status", "last", status=0).out
    assert "compensating" in shown
    assert "charge.compensate" in product.run("tree", "last", status=0).out
    workshop.let("refund")
    result = ended.wait()
    assert result.status == 4
    told = result.json
    assert (told["status"], told["compensated"]) == ("failed", True)
    assert (told["failure"]["code"], told["failure"]["phase"]) == ("cell_error", "ship")
    assert told["outcome"]["reserve.compensate"] == {"place": "A7"}
    effects = [mark for mark in ledger(workshop) if mark != "refunding"]
    assert effects == ["reserved", "charged", "refunded", "released"]
    assert product.counts("PhaseCompensated") == {"charge": 1, "reserve": 1}
    product.none_left()
    product.run("db", "check", status=0)
    for command in ("retry", "resume", "trigger"):
        refused = product.run(command, "last", status=7)
        assert "start a new one" in refused.err


def test_a_step_that_fails_needs_a_person_and_a_retry_goes_on_with_it(
    product: Product, workshop: Workshop
) -> None:
    folder = order(workshop)
    workshop.let("refund")
    workshop.notebook(
        "order/release.ipynb", ["wait_for('refund')", "assert (ROOM / 'mended').exists()", once("released")]
    )
    failed = product.run("run", folder, status=4)
    assert "[compensation_failed]" in failed.out
    assert "go on undoing: chatflow retry" in failed.out
    workshop.let("mended")
    ended = product.run("retry", "last", "--json", status=4).json
    assert (ended["compensated"], ended["failure"]["phase"]) == (True, "ship")
    assert workshop.marks["refunded"] == 1, "what was undone was undone again"
    assert ("charge.compensate", 1, "succeeded") in product.attempts()
    assert ("reserve.compensate", 2, "succeeded") in product.attempts()


def test_terminating_a_tree_undoes_the_children_first_then_their_parent(
    product: Product, workshop: Workshop
) -> None:
    folder = workshop.template("parcels", PARCELS, parcel__yaml=PARCEL)
    workshop.notebook("parcels/open.ipynb", [once("opened")])
    workshop.notebook("parcels/close.ipynb", [once("closed")])
    name = "name = ctx.parameters['name']"
    workshop.notebook("parcels/pack.ipynb", [name, "ctx.once('pack', lambda: mark('packed-' + name))"])
    workshop.notebook("parcels/hand_over.ipynb", [name, "mark('waits'); wait_for(name)"])
    workshop.notebook("parcels/unpack.ipynb", [name, "ctx.once('unpack', lambda: mark('unpacked-' + name))"])
    recall = [
        "for name in 'xyz':",
        "    if ctx.get(f'children.{name}.status') == 'completed':",
        "        ctx.once(name, lambda: mark('recalled-' + name))",
    ]
    workshop.notebook("parcels/recall.ipynb", ["\n".join(recall)])
    running = product.spawn("run", folder)
    until(lambda: workshop.marks["waits"] == 2, what="two parcels wait")
    workshop.let("x")
    until(lambda: workshop.marks["waits"] == 3, what="the third waits")
    product.run("terminate", "last", "--compensate", "--reason", "ordered twice", status=0)
    ended = running.wait()
    assert ended.status == 5
    assert "undone" in ended.out
    effects = [mark for mark in ledger(workshop) if mark != "waits"]
    assert effects[0] == "opened"
    assert set(effects[4:6]) == {"unpacked-y", "unpacked-z"}
    assert effects[6:] == ["recalled-x", "closed"]
    told = product.run("status", "last", "--json", status=0).json
    assert (told["status"], told["compensated"]) == ("terminated", True)
    product.none_left()
