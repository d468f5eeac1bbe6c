"""What a notebook says is collected until it is certain that it is too much, and no further."""

from typing import Any

from chatflow_jupyter.domain.report_sizes import MAX_OUTCOME_BYTES, MAX_SPAWNED_BYTES, outcome_size_fault
from chatflow_jupyter.runner.notebook_job import NotebookListener
from chatflow_jupyter.runner.outcomes import MOST_HELD_BYTES, OUTPUT_MIME, SPAWN_MIME, Outcomes

LARGE = "x" * MAX_OUTCOME_BYTES


class Deaf(NotebookListener):
    """Hears everything and does nothing about it."""


def output(key: str, value: object) -> dict[str, Any]:
    return {OUTPUT_MIME: {"key": key, "value": value}}


def test_outcomes_without_end_are_refused_for_their_size_and_do_not_fill_the_runner() -> None:
    outcomes = Outcomes(Deaf())
    for number in range(1000):
        outcomes.read(output(f"k{number}", LARGE))
    assert len(outcomes.values) == MOST_HELD_BYTES // MAX_OUTCOME_BYTES
    for key in outcomes.values:
        outcomes.read(output(key, 1))
    assert outcome_size_fault(outcomes.values) is not None, "what was passed over must not seem a success"


def test_an_outcome_said_again_and_again_is_held_once() -> None:
    outcomes = Outcomes(Deaf())
    for _ in range(1000):
        outcomes.read(output("k", LARGE))
    outcomes.read(output("k", 1))
    assert outcomes.values == {"k": 1}


def test_children_beyond_what_a_report_may_say_of_them_are_not_collected() -> None:
    outcomes = Outcomes(Deaf())
    for number in range(1000):
        context = {"text": "x" * (MAX_SPAWNED_BYTES // 4)}
        outcomes.read({SPAWN_MIME: {"schema": "leaf", "key": f"k{number}", "context": context}})
    assert len(outcomes.spawned) == 3
    assert outcomes.spawn_fault is not None
    assert "store large data with ctx.artifact" in outcomes.spawn_fault
