"""Faults about hooks, planted like those of `planted_faults`."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from chatflow_jupyter.domain import advance, attempt_rules, compensation, gates, hook_rules
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.hooks import Accept, Allow, Broken, Deny, Reject
from chatflow_jupyter.domain.instance import HookPoint, Instance, WaitingReason
from tests.engine.planted_faults import hook_fault, hook_undo_fault, put


def _without(stack: ExitStack, kind: type, instead: Any) -> None:
    """Let verdicts of that kind stop nothing."""
    honest = hook_rules._failure

    def failure(draft: Draft, attempt: int, answers: Any) -> Any:
        left = [replace(one, verdict=instead) if isinstance(one.verdict, kind) else one for one in answers]
        return honest(draft, attempt, left)

    put(stack, failure, "_failure", hook_rules)


@hook_fault
def an_attempt_is_made_although_a_hook_denied_it(stack: ExitStack) -> None:
    _without(stack, Deny, Allow())


@hook_fault
def a_rejected_outcome_counts(stack: ExitStack) -> None:
    _without(stack, Reject, Accept())


@hook_fault
def a_hook_that_failed_closed_lets_pass(stack: ExitStack) -> None:
    _without(stack, Broken, Allow())


@hook_fault
def a_hook_that_failed_open_stops_the_attempt(stack: ExitStack) -> None:
    honest = hook_rules._failure

    def failure(draft: Draft, attempt: int, answers: Any) -> Any:
        return honest(draft, attempt, [replace(one, policy="closed") for one in answers])

    put(stack, failure, "_failure", hook_rules)


@hook_fault
def nobody_is_told_to_ask_the_hooks_behind_an_attempt(stack: ExitStack) -> None:
    honest = attempt_rules.ask_hooks

    def ask(draft: Draft, point: Any) -> None:
        before = list(draft._continuations)
        honest(draft, point)
        draft._continuations[:] = before

    put(stack, ask, "ask_hooks", attempt_rules)


@hook_fault
def a_verdict_is_recorded_twice(stack: ExitStack) -> None:
    honest = hook_rules._tell

    def tell(draft: Draft, request: Any, answer: Any) -> None:
        honest(draft, request, answer)
        if request.asked.attempt > 1:
            honest(draft, request, answer)

    put(stack, tell, "_tell", hook_rules)


@hook_fault
def hooks_are_not_asked_again_about_a_retry(stack: ExitStack) -> None:
    honest = advance.hooks_due

    def due(draft: Draft) -> Any:
        point = honest(draft)
        return None if point is HookPoint.BEFORE and draft.record.clearance is not None else point

    put(stack, due, "hooks_due", advance)


@hook_fault
def a_gate_that_a_hook_asked_for_opens_by_itself(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "hook_question", gates)


@hook_fault
def a_waiver_answers_a_hook(stack: ExitStack) -> None:
    def may_be_waived(phase: Any, instance: Instance) -> bool:
        return gates.gate_of(phase).waivable and gates.risk_question(phase, instance) is None

    from chatflow_jupyter.domain import gate_rules

    put(stack, may_be_waived, "may_be_waived", gates, gate_rules)


@hook_fault
def an_earlier_approval_covers_what_a_hook_asks_now(stack: ExitStack) -> None:
    put(stack, lambda *_: False, "_must_ask_again", hook_rules)


@hook_fault
def verdicts_for_an_earlier_question_count(stack: ExitStack) -> None:
    def is_awaited(instance: Instance, request: Any) -> bool:
        asked = instance.hooks_asked
        waits = instance.waiting_reason is WaitingReason.HOOK and asked is not None
        return waits and asked.point is request.asked.point and asked.attempt == request.asked.attempt

    put(stack, is_awaited, "_is_awaited", hook_rules)


@hook_fault
def what_hooks_amend_is_forgotten(stack: ExitStack) -> None:
    honest = advance.parameters_of

    def parameters(phase: Any, instance: Instance) -> Any:
        records = {name: replace(one, clearance=None) for name, one in instance.phases.items()}
        return honest(phase, replace(instance, phases=records))

    put(stack, parameters, "parameters_of", advance)


@hook_fault
def what_hooks_amended_is_kept_for_later_attempts(stack: ExitStack) -> None:
    honest = advance.parameters_of

    def parameters(phase: Any, instance: Instance) -> Any:
        said = instance.phases[phase.name].clearance
        return {**honest(phase, instance), **(said.parameters if said else {})}

    put(stack, parameters, "parameters_of", advance)


@hook_fault
def the_risk_a_hook_sees_is_forgotten(stack: ExitStack) -> None:
    put(stack, lambda _: 0, "_risk", hook_rules)


@hook_fault
def a_notebook_is_run_again_because_hooks_failed(stack: ExitStack) -> None:
    honest = hook_rules._after

    def after(draft: Draft, answers: Any, failure: Any, **more: Any) -> None:
        draft.change_record(unjudged=failure is None)
        honest(draft, answers, failure, **more)

    put(stack, after, "_after", hook_rules)


@hook_fault
def children_of_a_rejected_outcome_are_born(stack: ExitStack) -> None:
    honest = hook_rules._after

    def after(draft: Draft, answers: Any, failure: Any, **more: Any) -> None:
        asked = draft.instance.spawned
        honest(draft, answers, failure, **more)
        if failure is not None and draft.phase.spawns is not None:
            draft.change(spawned=asked)

    put(stack, after, "_after", hook_rules)


@hook_fault
def an_outcome_counts_before_hooks_have_seen_it(stack: ExitStack) -> None:
    put(stack, lambda _: False, "looks_behind", attempt_rules)


@hook_undo_fault
def hooks_hold_undoing_up(stack: ExitStack) -> None:
    put(stack, lambda draft: bool(draft.hooks.after), "looks_behind", attempt_rules)


@hook_undo_fault
def what_was_rejected_is_not_undone(stack: ExitStack) -> None:
    honest = compensation._did_something

    def did_something(instance: Instance, phase: str) -> bool:
        record = instance.phases.get(phase)
        if record is not None and record.ran_sec is not None:
            records = {**instance.phases, phase: replace(record, ran_sec=None)}
            return honest(replace(instance, phases=records), phase)
        return honest(instance, phase)

    put(stack, did_something, "_did_something", compensation)
