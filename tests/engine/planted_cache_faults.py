"""Faults about reuse, planted like those of `planted_faults`."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from chatflow_jupyter.adapters.memory import outcomes
from chatflow_jupyter.adapters.sql import outcomes as sql_outcomes
from chatflow_jupyter.domain import advance, compensation, reuse, reuse_rules
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.services import reuse as looking
from tests.engine.planted_faults import FAULTS, Fault, Plant, put

LOOKED_AT = (reuse, outcomes, sql_outcomes)


def cache_fault(*, undoes: bool = False, hooked: bool = False) -> Any:
    """Add to the list a fault that shows where phases are reused."""

    def add(plant: Plant) -> Plant:
        more = {"undoes": undoes, "hooked": hooked, "among": ("tally",)}
        FAULTS.append(Fault(name=plant.__name__, plant=plant, **more))  # type: ignore[arg-type]
        return plant

    return add


def _keyed(stack: ExitStack, changed: Any) -> None:
    """Let the hash over the inputs leave something out."""
    honest = looking.key_of

    def key_of(phase: Any, instance: Instance, parameters: Any, **more: Any) -> Any:
        return honest(*changed(phase, instance, parameters), **more)

    put(stack, key_of, "key_of", looking)


@cache_fault()
def parameters_do_not_count(stack: ExitStack) -> None:
    _keyed(stack, lambda phase, it, _: (phase, replace(it, context={}), {}))


@cache_fault()
def earlier_outcomes_do_not_count(stack: ExitStack) -> None:
    _keyed(stack, lambda phase, it, given: (phase, replace(it, variables={}), given))


@cache_fault()
def the_phase_does_not_count(stack: ExitStack) -> None:
    def one_for_all(phase: Any, it: Instance, given: Any) -> Any:
        return phase.model_copy(update={"name": "p", "notebook": "p.ipynb"}), it, given

    _keyed(stack, one_for_all)
    put(stack, lambda *_: True, "stands", *LOOKED_AT)


@cache_fault(hooked=True)
def what_hooks_or_people_judged_is_reused(stack: ExitStack) -> None:
    put(stack, lambda *_: False, "_has_to_run", looking.Reuse)


@cache_fault(hooked=True)
def what_hooks_amended_does_not_count(stack: ExitStack) -> None:
    _keyed(stack, lambda phase, it, given: (phase, it, dict(it.context)))


@cache_fault(undoes=True)
def what_was_reused_is_undone(stack: ExitStack) -> None:
    honest = compensation._did_something

    def did_something(instance: Instance, phase: Any) -> bool:
        phases = {name: replace(one, reused_from=None) for name, one in instance.phases.items()}
        return honest(replace(instance, phases=phases), phase)

    put(stack, did_something, "_did_something", compensation)


@cache_fault(undoes=True)
def an_attempt_before_the_reuse_is_forgotten(stack: ExitStack) -> None:
    honest = compensation._did_something

    def did_something(instance: Instance, phase: Any) -> bool:
        record = instance.phases.get(phase.name)
        return (record is None or record.reused_from is None) and honest(instance, phase)

    put(stack, did_something, "_did_something", compensation)


@cache_fault(undoes=True)
def what_was_undone_is_reused(stack: ExitStack) -> None:
    honest = reuse.stands

    def stands(source: Instance, phase: str, attempt: int) -> bool:
        return honest(replace(source, undoing=None), phase, attempt)

    put(stack, stands, "stands", *LOOKED_AT)


@cache_fault()
def an_outcome_is_kept_when_its_attempt_is_queued(stack: ExitStack) -> None:
    honest = advance._queue

    def queue(draft: Draft, notebook: str) -> bool:
        done = honest(draft, notebook)
        if draft.instance.attempt is not None:
            reuse.keep_outcome(draft)
        return done

    put(stack, queue, "_queue", advance)


@cache_fault()
def nothing_is_ever_kept(stack: ExitStack) -> None:
    put(stack, lambda _: None, "keep_outcome", advance)


@cache_fault()
def an_answer_of_before_a_pause_still_counts(stack: ExitStack) -> None:
    def must_look(draft: Draft) -> bool:
        if not reuse.is_cached(draft.phase) or draft.instance.is_undoing:
            return False
        sought = draft.record.sought
        return sought is None or not sought.answered

    put(stack, must_look, "must_look", advance)


@cache_fault(hooked=True)
def what_an_attempt_with_other_inputs_left_is_kept(stack: ExitStack) -> None:
    honest = advance.keep_outcome

    def keep(draft: Draft) -> None:
        sought = draft.record.sought
        if sought is not None:
            draft.change_record(sought=replace(sought, mixed=False))
        honest(draft)

    put(stack, keep, "keep_outcome", advance)


@cache_fault()
def the_outcome_is_another_than_the_named_one(stack: ExitStack) -> None:
    honest = reuse_rules._reuse

    def reused(draft: Draft, found: Any) -> None:
        honest(draft, replace(found, outputs={**found.outputs, "n": 99}))

    put(stack, reused, "_reuse", reuse_rules)


@cache_fault()
def the_risk_of_what_is_reused_is_forgotten(stack: ExitStack) -> None:
    honest = reuse_rules._reuse
    put(stack, lambda draft, found: honest(draft, replace(found, risk=0)), "_reuse", reuse_rules)


@cache_fault()
def the_attempt_is_not_taken_over(stack: ExitStack) -> None:
    honest = outcomes.take_part

    def take_part(tables: Any, transition: Any) -> None:
        decision = replace(transition.decision, reused=None)
        honest(tables, replace(transition, decision=decision))

    put(stack, take_part, "take_part", outcomes)


@cache_fault()
def nobody_is_told_to_look(stack: ExitStack) -> None:
    honest = advance.look_for_outcome

    def look(draft: Draft) -> None:
        before = list(draft._continuations)
        honest(draft)
        if draft.phase.name == "weigh":
            draft._continuations[:] = before

    put(stack, look, "look_for_outcome", advance)
