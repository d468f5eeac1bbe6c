"""Deadlines as a person meets them: a real kernel is ended, and a gate does not wait for ever."""

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until


def test_a_phase_that_hangs_is_ended_at_its_deadline_with_all_it_started_and_can_be_retried(
    product: Product, workshop: Workshop
) -> None:
    template = workshop.template(
        "late",
        "name: late\nautomation_level: 100\nphases:\n"
        "  - {name: one, notebook: one.ipynb, deadline_sec: 4, retries: {max_attempts: 5}}\n",
    )
    workshop.notebook("late/one.ipynb", ["mark('begun'); wait_for('go')", "ctx.output('n', 1)"])
    ran = product.run("run", template, "--json", status=4)
    assert ran.json["failure"]["code"] == "deadline_exceeded"
    assert "its deadline of 4 s" in ran.json["error"]
    product.none_left("kernel", "keeper")
    workshop.let("go")
    assert product.run("retry", ran.instance_id, "--json", status=0).json["status"] == "completed"


def test_a_deadline_that_passed_while_nothing_ran_is_told_and_acted_on_by_the_next_command(
    product: Product, workshop: Workshop
) -> None:
    template = workshop.template(
        "slow",
        "name: slow\nautomation_level: 100\ndeadline_sec: 5\nphases:\n"
        "  - {name: one, notebook: one.ipynb, gate: {}}\n",
    )
    workshop.notebook("slow/one.ipynb", ["ctx.output('n', 1)"])
    waiting = product.run("run", template, "--json", status=3)
    assert waiting.json["deadline_at"] is not None

    def overdue() -> bool:
        return "the next command that drives it acts on it" in product.run("status", waiting.instance_id).out

    until(overdue, what="the deadline is over")
    assert "the deadline of the instance" in product.run("status", waiting.instance_id).out
    advised = product.run("recommend", waiting.instance_id, status=0).out
    assert "the deadline of the instance is over since" in advised
    assert f"do:       chatflow resume {waiting.instance_id}" in advised
    assert "--approve" not in advised
    product.run("trigger", waiting.instance_id, "--approve")
    ended = product.run("status", waiting.instance_id, "--json").json
    assert (ended["status"], ended["failure"]["code"]) == ("failed", "deadline_exceeded")
    assert ended["due_at"] is None


FALLING_BACK = (
    "name: back\nautomation_level: 100\nphases:\n"
    "  - {name: one, notebook: one.ipynb, deadline_sec: 3, next: [{to: end}], fallback: two, gate: {}}\n"
    "  - {name: two, notebook: two.ipynb}\n"
)


def test_a_refused_command_that_acts_on_a_deadline_cuts_off_no_attempt(
    product: Product, workshop: Workshop
) -> None:
    """What follows from the deadline is queued by it, and begun by whoever goes on with that."""
    template = workshop.template("back", FALLING_BACK)
    workshop.notebook("back/one.ipynb", ["ctx.output('n', 1)"])
    workshop.notebook("back/two.ipynb", ["mark('two'); wait_for('go')"])
    waiting = product.run("run", template, "--json", status=3)

    def overdue() -> bool:
        return "the next command that drives it acts on it" in product.run("status", waiting.instance_id).out

    until(overdue, what="the deadline is over")
    refused = product.run("trigger", waiting.instance_id, "--approve", status=7)
    assert "its deadline is over" in refused.err
    assert "no gate is waiting" in refused.err
    until(lambda: workshop.marks["two"], what="the fallback is at work in the background")
    workshop.let("go")
    done = product.run("resume", waiting.instance_id, "--json", status=0).json
    assert done["status"] == "completed"
    assert product.attempts() == [("two", 1, "succeeded")]
    assert workshop.marks["two"] == 1
