"""Children a notebook asked for are born exactly once, whatever is killed between the asking and the end."""

import pytest

from tests.acceptance.product import Product
from tests.acceptance.workflows import Workshop
from tests.waiting import until

SPAWNER = """\
name: spawner
automation_level: 100
phases:
  - name: plan
    notebook: plan.ipynb
    spawns: {schemas: [./leaf.yaml], max_parallel: 2}
  - {name: add, notebook: add.ipynb}
"""
LEAF = """\
name: leaf
automation_level: 100
parameters: {type: object, properties: {n: {type: integer}}, required: [n]}
phases:
  - {name: look, notebook: look.ipynb}
"""
KEYS = ("x", "y", "z")


def spawner(workshop: Workshop) -> str:
    """A notebook that asks for three children and then waits, and one that adds up what they found."""
    folder = workshop.template("spawner", SPAWNER, leaf__yaml=LEAF)
    asks = [
        f"for n, key in enumerate({KEYS}, ctx.attempt_number): ctx.spawn('./leaf.yaml', {{'n': n}}, key=key)",
        "mark('asked'); wait_for('plan')",
    ]
    workshop.notebook("spawner/plan.ipynb", asks)
    workshop.notebook("spawner/look.ipynb", ["mark('look'); ctx.output('n', ctx.parameters['n'])"])
    workshop.notebook(
        "spawner/add.ipynb",
        [f"ctx.output('found', {{key: ctx.get(f'children.{{key}}.look.n') for key in {KEYS}}})"],
    )
    return f"{folder}/"


@pytest.mark.parametrize("victim", ["everything", "runner"])
def test_killed_after_it_asked_for_children_they_are_born_once(
    product: Product, workshop: Workshop, victim: str
) -> None:
    running = product.spawn("run", spawner(workshop), "--json")
    until(lambda: workshop.marks["asked"] == 1, what="the children are asked for")
    (root, _), *_ = product.instances()
    if victim == "everything":
        product.kill_everything()
        product.none_left()
        assert product.counts("InstanceCreated") == {"": 1}, "none is born of an attempt that was killed"
        running = product.spawn("resume", root, "--json")
    else:
        assert product.kill("runner")
    until(lambda: workshop.marks["asked"] == 2, what="the children are asked for again")
    assert product.counts("ChildrenStarted") == {}
    workshop.let("plan")
    done = running.wait()
    assert (done.status, done.json["outcome"]["add"]) == (0, {"found": {"x": 2, "y": 3, "z": 4}})
    assert product.counts("InstanceCreated") == {"": 4}
    assert product.counts("ChildEnded") == {"plan": 3}
    assert workshop.marks["look"] == 3
    assert product.counts("PhaseSucceeded") == {"plan": 1, "look": 3, "add": 1}


def test_killed_while_they_live_no_others_are_born(product: Product, workshop: Workshop) -> None:
    workshop.let("plan")
    folder = spawner(workshop)
    workshop.notebook(
        "spawner/look.ipynb", ["mark('look'); wait_for('look'); ctx.output('n', ctx.parameters['n'])"]
    )
    product.spawn("run", folder)
    until(lambda: workshop.marks["look"] == 2, what="two children run")
    (root, _), *_ = product.instances()
    product.kill_everything()
    assert product.counts("InstanceCreated") == {"": 3}, "two may be alive at once"
    workshop.let("look")
    done = product.run("resume", root, "--json", status=0)
    assert done.json["outcome"]["add"] == {"found": {"x": 1, "y": 2, "z": 3}}
    assert product.counts("InstanceCreated") == {"": 4}
    assert product.counts("PhaseSucceeded") == {"plan": 1, "look": 3, "add": 1}


def test_what_the_phase_may_not_start_is_named_in_its_cell(product: Product, workshop: Workshop) -> None:
    workshop.let("plan")
    folder = spawner(workshop)
    workshop.notebook("spawner/plan.ipynb", ["ctx.spawn('./plan.yaml')"])
    failed = product.run("run", folder, "--json", status=4).json
    assert failed["failure"]["code"] == "cell_error"
    assert "phase plan may start ./leaf.yaml (see `spawns`)" in failed["error"]
    assert product.counts("InstanceCreated") == {"": 1}


def test_a_child_that_no_store_could_hold_fails_its_attempt_and_costs_no_runner(
    product: Product, workshop: Workshop
) -> None:
    workshop.let("plan")
    folder = spawner(workshop)
    deep = "value = {}; [value := {'a': value} for _ in range(900)]"
    said = (
        "{'application/vnd.chatflow.spawn.v1+json': {'schema': './leaf.yaml', 'key': 'k', 'context': value}}"
    )
    workshop.notebook(
        "spawner/plan.ipynb", [f"{deep}\nfrom IPython.display import display\ndisplay({said}, raw=True)"]
    )
    failed = product.run("run", folder, "--json", status=4).json
    assert failed["failure"]["code"] == "invalid_children"
    assert "nested deeper than 64 levels" in failed["failure"]["message"]
    assert product.counts("AttemptLost") == {}


def test_outcomes_too_large_for_any_link_fail_their_attempt_once(
    product: Product, workshop: Workshop
) -> None:
    large = [f"ctx.output('x{number}', 'é' * 4_500_000)" for number in range(3)]
    notebook = workshop.notebook("large.ipynb", large)
    failed = product.run("run", notebook, "--json", status=4).json
    assert failed["failure"]["code"] == "invalid_outputs"
    assert "bytes are more than the 262144 allowed" in failed["failure"]["message"]
    assert product.counts("AttemptLost") == {}


BY_HAND = """
from IPython.display import display
for n in range(20_000):
    body = {"schema": "./leaf.yaml", "key": str(n), "context": {}}
    display({"application/vnd.chatflow.spawn.v1+json": body}, raw=True)
"""


@pytest.mark.parametrize(
    ("asks", "message"),
    [
        (
            "for n in range(1_000_000): ctx.spawn('./leaf.yaml', {'n': n}, key=f'k{n}')",
            "more than the 262144",
        ),
        ("for n in range(1_000_000): ctx.spawn('./leaf.yaml', key=f'{n}')", "more than 10000 children"),
        ("ctx.spawn('./leaf.yaml', {'x': 'a' * (64 << 20)})", "more than the 262144 allowed"),
        (BY_HAND, "more than 10000 children"),
    ],
    ids=["bomb", "short", "large", "by hand"],
)
def test_a_flood_of_children_ends_its_attempt_soon_and_none_is_born(
    product: Product, workshop: Workshop, asks: str, message: str
) -> None:
    folder = workshop.template("spawner", SPAWNER, leaf__yaml=LEAF)
    workshop.notebook("spawner/plan.ipynb", [asks])
    for name in ("look", "add"):
        workshop.notebook(f"spawner/{name}.ipynb", ["mark('never')"])
    failed = product.run("run", folder, "--json", status=4).json
    assert message in failed["failure"]["message"]
    assert len(product.instances()) == 1
    assert not workshop.marks["never"]
