"""Faults about forks, planted like the others."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from chatflow_jupyter.adapters.memory import commits
from chatflow_jupyter.adapters.memory import shares as memory_shares
from chatflow_jupyter.domain import advance, compensation, fork
from chatflow_jupyter.domain.decision import Refusal
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.services import forks
from tests.engine.planted_faults import fault, put, undo_fault


@fault
def a_fork_enters_the_phase_that_would_follow_now(stack: ExitStack) -> None:
    put(stack, lambda draft, _: advance.begin(draft), "begin", fork)


@fault
def a_fork_knows_what_came_with_later_triggers(stack: ExitStack) -> None:
    honest = fork._variables

    def variables(source: Instance, shared: Sequence[str]) -> Any:
        known = dict(honest(source, shared))
        return {**known, **{key: one for key, one in source.variables.items() if key == "trigger"}}

    put(stack, variables, "_variables", fork)


@fault
def a_fork_knows_outcomes_of_phases_it_has_not_come_to(stack: ExitStack) -> None:
    put(stack, lambda source, _: dict(source.variables), "_variables", fork)


@fault
def a_fork_forgets_the_children_of_its_source(stack: ExitStack) -> None:
    honest = fork._variables

    def variables(source: Instance, shared: Sequence[str]) -> Any:
        return {name: one for name, one in honest(source, shared).items() if name != "children"}

    put(stack, variables, "_variables", fork)


@fault
def a_fork_forgets_the_risk_reported_before(stack: ExitStack) -> None:
    put(stack, lambda _: 0, "_reported_risk", fork)


@fault
def a_fork_begins_at_a_phase_its_source_never_came_to(stack: ExitStack) -> None:
    honest = fork.shared_phases

    def shared(definition: Any, source: Instance, phase: str) -> Any:
        found = honest(definition, source, phase)
        never = isinstance(found, Refusal) and found.code == "not_reached"
        return tuple(name for name in source.phases if "." not in name) if never else found

    put(stack, shared, "shared_phases", forks)


@fault
def a_fork_repeats_what_it_shares(stack: ExitStack) -> None:
    honest = fork.shared_phases

    def shared(definition: Any, source: Instance, phase: str) -> Any:
        found = honest(definition, source, phase)
        return found if isinstance(found, Refusal) else found[:-1]

    put(stack, shared, "shared_phases", forks)


@fault
def a_fork_takes_the_current_phase_along_before_it_ended(stack: ExitStack) -> None:
    put(stack, lambda *_: True, "_has_passed", fork)


@fault
def a_source_that_went_on_is_not_noticed(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "check", memory_shares)


@fault
def the_attempts_of_shared_phases_are_left_behind(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "share", commits.shares)


@fault
def the_word_of_the_tenant_counts_for_other_parameters(stack: ExitStack) -> None:
    put(stack, lambda record, **_: replace(record, shared=True), "_lent", fork)


@undo_fault
def a_fork_undoes_what_its_source_did(stack: ExitStack) -> None:
    honest = compensation._did_something

    def did(instance: Instance, phase: str) -> bool:
        own = {name: replace(record, shared=False) for name, record in instance.phases.items()}
        return honest(replace(instance, phases=own), phase)

    put(stack, did, "_did_something", compensation)


@undo_fault
def what_was_undone_is_shared(stack: ExitStack) -> None:
    honest = fork.shared_phases

    def shared(definition: Any, source: Instance, phase: str) -> Any:
        return honest(definition, replace(source, undoing=None), phase)

    put(stack, shared, "shared_phases", forks)
