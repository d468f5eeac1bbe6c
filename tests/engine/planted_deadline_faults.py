"""Faults about deadlines, planted like those of `planted_faults`."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from chatflow_jupyter.domain import advance, deadline_rules, transition
from chatflow_jupyter.domain.advance import fail_instance
from chatflow_jupyter.domain.decision import ContinuationKind, TimerKind
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.instance import Failure, PhaseState
from chatflow_jupyter.services import dispatcher, family
from tests.engine.planted_faults import fault, put


@fault
def a_deadline_begins_only_with_the_first_attempt(stack: ExitStack) -> None:
    honest = advance._queue
    put(stack, lambda draft: None, "arm_phase_deadline", advance)

    def queue(draft: Draft, notebook: str) -> bool:
        from chatflow_jupyter.domain.deadlines import arm_phase_deadline

        if not draft.record.attempts:
            arm_phase_deadline(draft)
        return honest(draft, notebook)

    put(stack, queue, "_queue", advance)


@fault
def a_retry_gives_the_phase_its_whole_time_again(stack: ExitStack) -> None:
    from chatflow_jupyter.domain.deadlines import arm_phase_deadline

    honest = advance._queue

    def queue(draft: Draft, notebook: str) -> bool:
        arm_phase_deadline(draft)
        return honest(draft, notebook)

    put(stack, queue, "_queue", advance)


@fault
def the_clock_of_a_phase_outlives_it(stack: ExitStack) -> None:
    def end_phase(self: Draft, state: PhaseState, reason: str | None = None) -> None:
        self.change_record(state=state, ended_at=self.now, reason=reason)

    put(stack, end_phase, "end_phase", Draft)


@fault
def a_cancelled_attempt_still_counts(stack: ExitStack) -> None:
    honest = deadline_rules._stop

    def stop(draft: Draft) -> None:
        honest(draft)
        draft.attempts.clear()

    put(stack, stop, "_stop", deadline_rules)


@fault
def children_of_an_overdue_phase_go_on(stack: ExitStack) -> None:
    honest = dispatcher.request_for_child

    def request(kind: ContinuationKind, parent: Any, child: Any) -> Any:
        return None if kind is ContinuationKind.END_OVERDUE_CHILDREN else honest(kind, parent, child)

    put(stack, request, "request_for_child", dispatcher)


@fault
def children_of_a_phase_that_was_resumed_are_ended(stack: ExitStack) -> None:
    honest = family._end_overdue

    def end(parent: Any, child: Any) -> Any:
        failed = {name: replace(one, state=PhaseState.FAILED) for name, one in parent.phases.items()}
        return honest(replace(parent, phases=failed), child)

    put(stack, end, "_end_overdue", family)


@fault
def a_fallback_saves_an_instance_that_is_overdue(stack: ExitStack) -> None:
    honest = deadline_rules._fail

    def fail(draft: Draft, failure: Failure) -> None:
        if failure.phase is not None and draft.phase.fallback is not None:
            deadline_rules._stop(draft)
            advance.fail_phase(draft, failure)
        else:
            honest(draft, failure)

    put(stack, fail, "_fail", deadline_rules)


@fault
def an_overdue_phase_takes_no_fallback(stack: ExitStack) -> None:
    def fail_phase(draft: Draft, failure: Failure) -> None:
        draft.end_phase(PhaseState.FAILED, failure.message)
        fail_instance(draft, failure)

    put(stack, fail_phase, "fail_phase", deadline_rules)


@fault
def a_pause_stops_deadlines(stack: ExitStack) -> None:
    honest = transition._pause

    def pause(draft: Draft, instance: Any) -> Any:
        draft.set_timer(TimerKind.PHASE_DEADLINE, None)
        return honest(draft, instance)

    put(stack, pause, "_pause", transition)


@fault
def what_is_resumed_has_no_time_left(stack: ExitStack) -> None:
    honest = transition._resume_failed

    def resume(draft: Draft, request: Any) -> Any:
        until = draft.instance.deadline_at
        refusal = honest(draft, request)
        if until is not None and not draft.instance.ended:
            draft.change(deadline_at=until)
            draft.set_timer(TimerKind.INSTANCE_DEADLINE, until)
        return refusal

    put(stack, resume, "_resume_failed", transition)


@fault
def a_phase_that_had_succeeded_is_opened_again(stack: ExitStack) -> None:
    def stands(draft: Draft, message: str) -> None:
        failure = Failure(code="deadline_exceeded", message=message, phase=draft.instance.phase)
        active = draft.instance.phase is not None and draft.record.state is PhaseState.ACTIVE
        if active:
            deadline_rules._fail(draft, failure)
        else:
            deadline_rules._stop(draft)
            fail_instance(draft, failure)

    put(stack, stands, "_fail_where_it_stands", deadline_rules)


@fault
def an_overdue_instance_undoes_while_its_children_live(stack: ExitStack) -> None:
    honest = advance.await_undone

    def wait(draft: Draft) -> None:
        undoing = draft.instance.undoing
        assert undoing is not None
        advance.go_back(draft) if undoing.goal == "failed" else honest(draft)

    put(stack, wait, "await_undone", advance)


@fault
def undoing_has_a_deadline(stack: ExitStack) -> None:
    honest = advance.begin_undoing

    def begin(draft: Draft, undoing: Any) -> None:
        until = draft.instance.deadline_at
        honest(draft, undoing)
        draft.set_timer(TimerKind.INSTANCE_DEADLINE, until or draft.now)

    put(stack, begin, "begin_undoing", advance)
