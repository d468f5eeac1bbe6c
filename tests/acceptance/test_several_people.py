"""A gate that asks several people, answered from several shells, over a kill and a clock nobody watched."""

from pathlib import Path

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

SIGN = """\
name: signed
automation_level: 100
phases:
  - {name: draft, notebook: draft.ipynb}
  - name: publish
    notebook: publish.ipynb
    gate: {approvers: [ann, bob], quorum: 2}
"""
LATE = """\
name: late
automation_level: 100
phases:
  - {name: publish, notebook: publish.ipynb, gate: {expires_sec: 0.1, on_expire: approve}}
"""
WAIVED = """\
name: waived
automation_level: 100
phases:
  - {name: publish, notebook: publish.ipynb, gate: {waivable: true}}
"""


def made(workshop: Workshop, name: str, definition: str) -> Path:
    folder = workshop.template(name, definition)
    workshop.notebook(f"{name}/draft.ipynb", ["mark('draft')"])
    workshop.notebook(f"{name}/publish.ipynb", ["mark('published')"])
    return folder


def test_two_shells_and_a_kill_between_their_answers(product: Product, workshop: Workshop) -> None:
    instance = product.run("run", made(workshop, "signed", SIGN), "--json", status=3).instance_id
    product.run("trigger", instance, "--approve", "--as", "ann", "--json", status=3)
    product.kill_everything()
    refused = product.run("trigger", instance, "--approve", "--as", "cyd", status=7)
    assert "it asks ann, bob" in refused.err
    assert workshop.marks["published"] == 0
    gate = product.run("status", instance, "--json", status=0).json["gate"]
    assert [vote["principal"] for vote in gate["votes"]] == ["ann"]
    product.run("trigger", instance, "--approve", "--as", "bob", "--seen", gate["shown"], status=0)
    assert workshop.marks == {"draft": 1, "published": 1}


def test_a_gate_that_expired_while_nothing_ran_is_seen_to(product: Product, workshop: Workshop) -> None:
    instance = product.run("start", made(workshop, "late", LATE), "--json", status=0).instance_id
    product.run("trigger", instance, "--detach", status=0)
    product.run("resume", instance, status=0)
    assert workshop.marks == {"published": 1}


def test_a_waived_gate_opens_by_itself(product: Product, workshop: Workshop) -> None:
    folder = made(workshop, "waived", WAIVED)
    product.run("waivers", "add", folder, "publish", "--until", "+1d", "--reason", "only typos", status=0)
    product.run("run", folder, status=0)
    assert workshop.marks == {"published": 1}


def test_two_votes_at_the_same_moment_both_count(product: Product, workshop: Workshop) -> None:
    instance = product.run("run", made(workshop, "signed", SIGN), "--json", status=3).instance_id
    shells = [
        product.spawn("trigger", instance, "--approve", "--as", name, "--json") for name in ("ann", "bob")
    ]
    ends = sorted(shell.wait().status for shell in shells)
    assert ends in ([0, 0], [0, 3])
    product.run("resume", instance, status=0)
    assert (product.counts("GateDecided"), product.counts("GateOpened")) == ({"publish": 2}, {"publish": 1})
    assert workshop.marks == {"draft": 1, "published": 1}


def test_a_killed_vote_is_given_again_and_counts_once(product: Product, workshop: Workshop) -> None:
    instance = product.run("run", made(workshop, "signed", SIGN), "--json", status=3).instance_id
    words = ("trigger", instance, "--approve", "--as", "ann", "--idempotency-key", "ann-1")
    first = product.spawn(*words)
    until(lambda: product.counts("GateDecided") or first.process.poll() is not None, what="it is committed")
    product.kill_everything()
    product.run(*words, status=3)
    assert product.counts("GateDecided") == {"publish": 1}
    product.run("trigger", instance, "--approve", "--as", "bob", status=0)
    assert workshop.marks == {"draft": 1, "published": 1}


def test_a_waived_gate_whose_process_was_killed_is_opened_by_the_next(
    product: Product, workshop: Workshop
) -> None:
    waivable = SIGN.replace("quorum: 2", "quorum: 2, waivable: true")
    folder = made(workshop, "signed", waivable)
    product.run("waivers", "add", folder, "publish", "--until", "+1d", "--reason", "only typos", status=0)
    running = product.spawn("run", folder)
    product.wait_for("PhaseSucceeded", "draft")
    running.kill()
    product.kill_everything()
    product.run("resume", product.instances()[0][0], status=0)
    assert product.counts("GateOpened") == {"publish": 1}
    assert workshop.marks["draft"] == 1
