"""Faults about undoing, planted like those of `planted_faults`."""

from contextlib import ExitStack
from copy import copy
from dataclasses import replace
from typing import Any

from chatflow_jupyter.domain import advance, children_rules, compensation, transition, undo_rules
from chatflow_jupyter.domain.compensation import is_step
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.instance import Instance, Status
from chatflow_jupyter.domain.requests import Terminate
from chatflow_jupyter.services import dispatcher, family
from tests.engine.planted_faults import fault_among, put, undo_fault


@undo_fault
def phases_are_undone_in_the_order_they_were_done_in(stack: ExitStack) -> None:
    honest = compensation.undo_steps

    def steps(definition: Any, instance: Instance) -> tuple[str, ...]:
        return tuple(reversed(honest(definition, instance)))

    put(stack, steps, "undo_steps", compensation, advance, undo_rules)


@undo_fault
def what_is_undone_is_undone_again_after_a_failure_or_crash(stack: ExitStack) -> None:
    honest = compensation._is_taken

    def is_taken(instance: Instance, step: str) -> bool:
        others = [one for name, one in instance.phases.items() if is_step(name) and name != step]
        return honest(instance, step) and not any(one.attempts > 1 for one in others)

    put(stack, is_taken, "_is_taken", compensation)


@undo_fault
def a_phase_that_failed_is_undone(stack: ExitStack) -> None:
    honest = compensation._did_something

    def did_something(instance: Instance, phase: Any) -> bool:
        return honest(instance, phase.model_copy(update={"compensate_after": "start"}))

    put(stack, did_something, "_did_something", compensation)


@undo_fault
def a_phase_that_was_cut_off_is_not_undone_though_that_counts(stack: ExitStack) -> None:
    honest = compensation._did_something

    def did_something(instance: Instance, phase: Any) -> bool:
        return honest(instance, phase.model_copy(update={"compensate_after": "success"}))

    put(stack, did_something, "_did_something", compensation)


@undo_fault
def what_was_undone_can_be_resumed(stack: ExitStack) -> None:
    honest = transition._trigger

    def trigger(draft: Draft, instance: Instance, request: Any) -> Any:
        if not instance.compensated:
            return honest(draft, instance, request)
        draft.change(undoing=None)
        return honest(draft, replace(instance, undoing=None), request)

    put(stack, trigger, "_trigger", transition)


@undo_fault
def children_are_ended_without_being_undone(stack: ExitStack) -> None:
    honest = dispatcher.request_for_child

    def request(kind: Any, parent: Any, child: Any) -> Any:
        asked = honest(kind, parent, child)
        return replace(asked, compensate=False) if isinstance(asked, Terminate) else asked

    put(stack, request, "request_for_child", dispatcher)


@undo_fault
def a_parent_does_not_wait_for_its_children(stack: ExitStack) -> None:
    put(stack, advance.go_back, "ask_children", undo_rules, children_rules)
    put(stack, advance.go_back, "await_undone", advance, undo_rules)


@undo_fault
def children_that_failed_just_before_are_not_undone(stack: ExitStack) -> None:
    put(stack, advance.go_back, "children_ended_undone", children_rules)


@undo_fault
def a_child_that_could_not_undo_holds_up_nobody(stack: ExitStack) -> None:
    put(stack, lambda _: None, "_compensation_of", family)


@undo_fault
def undone_children_are_resumed_by_their_parent(stack: ExitStack) -> None:
    honest = family._compensation_of
    put(stack, lambda child: None if child.compensated else honest(child), "_compensation_of", family)


@undo_fault
def what_is_undone_leaves_the_children_paused(stack: ExitStack) -> None:
    put(stack, lambda draft: draft.change(paused=False), "lift_pause", Draft)


@undo_fault
def an_undone_parent_ends_a_child_that_could_not_undo(stack: ExitStack) -> None:
    put(stack, lambda _: None, "stuck_children", advance)


@fault_among("convoy", undoes=True)
def what_is_left_below_is_ended_for_good_when_its_parent_is_undone(stack: ExitStack) -> None:
    honest = family._end_below_undone

    def end(child: Instance) -> Any:
        ends = honest(replace(child, undoing=None)) if child.is_undoing else honest(child)
        return replace(ends, compensate=False)  # type: ignore[type-var]

    put(stack, end, "_end_below_undone", family)


@undo_fault
def a_gate_or_a_risk_holds_undoing_up(stack: ExitStack) -> None:
    honest = advance._enter

    def enter(draft: Draft, name: str | None) -> None:
        honest(draft, name)
        if name is not None and is_step(name):
            draft.change_record(approved=False)

    put(stack, enter, "_enter", advance)


@undo_fault
def a_used_up_budget_holds_undoing_up(stack: ExitStack) -> None:
    honest = advance.budget_exhausted

    def exhausted(draft: Draft) -> Any:
        going_on = copy(draft)
        going_on.instance = replace(draft.instance, undoing=None)
        return honest(going_on)

    put(stack, exhausted, "budget_exhausted", advance)


@undo_fault
def a_failed_child_of_what_was_undone_is_left_to_be_resumed(stack: ExitStack) -> None:
    honest = dispatcher.request_for_child

    def request(kind: Any, parent: Any, child: Any) -> Any:
        left = parent.compensated and parent.status is Status.FAILED
        return None if left else honest(kind, parent, child)

    put(stack, request, "request_for_child", dispatcher)
