"""Faults as somebody might well make them, each planted by a patch. The histories must notice every one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from chatflow_jupyter.adapters.memory import commits
from chatflow_jupyter.adapters.memory.storage import MemoryStateStorage
from chatflow_jupyter.adapters.memory.tables import Tables
from chatflow_jupyter.domain import advance, attempt_rules, children_rules, fan_out, transition
from chatflow_jupyter.domain.conditions import Truth, Verdict
from chatflow_jupyter.domain.decision import ContinuationKind, QueueAttempt
from chatflow_jupyter.domain.draft import Draft
from chatflow_jupyter.domain.errors import NotFound, SeqConflict
from chatflow_jupyter.domain.instance import FanOut, Status
from chatflow_jupyter.services import dispatcher
from chatflow_jupyter.services.kept_answers import KeptAnswers

Plant = Callable[[ExitStack], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault and how it is planted."""

    name: str
    plant: Plant
    undoes: bool = False
    """Whether it shows only in histories in which much is undone."""
    among: tuple[str, ...] = ()
    """The only roots of the histories it shows in, where it takes too many others to come up."""
    hooked: bool = False
    """Whether it shows only where hooks are in force."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the fault for a while."""
        with ExitStack() as stack:
            self.plant(stack)
            yield


FAULTS: list[Fault] = []


def fault(plant: Plant) -> Plant:
    """Add to the list, named by the function."""
    FAULTS.append(Fault(name=plant.__name__, plant=plant))
    return plant


def undo_fault(plant: Plant) -> Plant:
    """Add to the list a fault about undoing."""
    FAULTS.append(Fault(name=plant.__name__, plant=plant, undoes=True))
    return plant


def fault_among(*roots: str, undoes: bool = False) -> Callable[[Plant], Plant]:
    """Add to the list a fault that is looked for in histories of these roots alone."""

    def added(plant: Plant) -> Plant:
        FAULTS.append(Fault(name=plant.__name__, plant=plant, undoes=undoes, among=roots))
        return plant

    return added


def hook_fault(plant: Plant) -> Plant:
    """Add to the list a fault about hooks."""
    FAULTS.append(Fault(name=plant.__name__, plant=plant, hooked=True))
    return plant


def hook_undo_fault(plant: Plant) -> Plant:
    """Add to the list a fault about hooks and undoing."""
    FAULTS.append(Fault(name=plant.__name__, plant=plant, undoes=True, hooked=True))
    return plant


def put(stack: ExitStack, value: Any, name: str, *places: Any) -> None:
    """Replace `name` in every one of `places`."""
    for place in places:
        stack.enter_context(mock.patch.object(place, name, value))


@fault
def the_fence_is_ignored(stack: ExitStack) -> None:
    def leased(self: Tables, tenant_id: Any, attempt_id: Any, fence: int) -> Any:
        row = self.attempts.get((tenant_id, attempt_id))
        if row is None:
            raise NotFound("no such attempt")
        return row

    put(stack, leased, "leased", Tables)


@fault
def the_seq_is_not_checked(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "_check_seq", commits)


@fault
def a_lost_race_burns_the_key(stack: ExitStack) -> None:
    honest = MemoryStateStorage.commit

    async def commit(self: Any, commit: Any) -> None:
        try:
            await honest(self, commit)
        except SeqConflict:
            if commit.key is not None:
                self._tables.keys[(commit.tenant_id, commit.key.principal, commit.key.key)] = commit.key
            raise

    put(stack, commit, "commit", MemoryStateStorage)


@fault
def keys_are_forgotten(stack: ExitStack) -> None:
    put(stack, lambda *_: None, "keep", KeptAnswers)


@fault
def an_old_end_of_a_child_counts_again(stack: ExitStack) -> None:
    honest = fan_out._number
    put(stack, lambda entry, name: 0 if name == "seq" else honest(entry, name), "_number", fan_out)


@fault
def a_child_is_counted_twice(stack: ExitStack) -> None:
    honest = fan_out.count_results

    def count(draft: Draft, results: Sequence[Any]) -> int:
        counted = honest(draft, results)
        progress = draft.instance.fan_out
        if counted and progress is not None:
            draft.change(fan_out=replace(progress, ended=min(progress.ended + 1, progress.started)))
        return counted

    put(stack, count, "count_results", children_rules)


@fault
def a_gate_opens_on_unknown(stack: ExitStack) -> None:
    honest = advance.evaluate

    def evaluate(condition: Any, view: Any) -> Verdict:
        verdict = honest(condition, view)
        return Verdict(truth=Truth.TRUE) if verdict.truth is Truth.UNKNOWN else verdict

    put(stack, evaluate, "evaluate", advance)


@fault
def retries_are_not_counted_anew_after_a_resume(stack: ExitStack) -> None:
    def reopen(draft: Draft) -> None:
        draft.change_record(state=transition.PhaseState.ACTIVE, ended_at=None, reason=None)

    put(stack, reopen, "reopen_phase", transition, children_rules)


@fault
def attempts_are_numbered_anew_after_a_resume(stack: ExitStack) -> None:
    honest = transition.reopen_phase

    def reopen(draft: Draft) -> None:
        honest(draft)
        draft.change_record(attempts=0)

    put(stack, reopen, "reopen_phase", transition, children_rules)


@fault
def a_paused_instance_goes_on(stack: ExitStack) -> None:
    honest = advance.advance

    def heedless(draft: Draft) -> None:
        paused = draft.instance.paused
        draft.change(paused=False)
        honest(draft)
        draft.change(paused=paused and not draft.instance.ended)

    put(stack, heedless, "advance", advance, transition, attempt_rules, children_rules)


@fault
def a_terminated_parent_gives_birth(stack: ExitStack) -> None:
    honest = children_rules.children_ended

    def ended(draft: Draft, request: Any) -> Any:
        refusal = honest(draft, request)
        if refusal is not None and draft.instance.status is Status.TERMINATED and draft.instance.fan_out:
            fan_out.start_more(draft)
            return None if draft.children else refusal
        return refusal

    put(stack, ended, "children_ended", transition)


@fault
def the_end_of_a_parent_does_not_reach_its_children(stack: ExitStack) -> None:
    honest = dispatcher.request_for_child

    def request(kind: Any, parent: Any, child: Any) -> Any:
        return None if kind is ContinuationKind.TERMINATE_CHILDREN else honest(kind, parent, child)

    put(stack, request, "request_for_child", dispatcher)


@fault
def a_lost_attempt_is_not_made_again(stack: ExitStack) -> None:
    honest = attempt_rules.attempt_lost

    def lost(draft: Draft, request: Any) -> Any:
        refusal = honest(draft, request)
        queued = [change for change in draft.attempts if isinstance(change, QueueAttempt)]
        for change in queued:
            draft.attempts.remove(change)
        return refusal

    put(stack, lost, "attempt_lost", transition)


@fault
def a_phase_that_ends_its_process_is_made_again_for_ever(stack: ExitStack) -> None:
    put(stack, 1_000_000, "MAX_CUT_OFF_ATTEMPTS", attempt_rules)


@fault
def what_had_not_begun_is_blamed_for_the_end_of_its_process(stack: ExitStack) -> None:
    honest = attempt_rules.attempt_lost

    def lost(draft: Draft, request: Any) -> Any:
        if draft.instance.attempt is not None:
            draft.change(attempt=replace(draft.instance.attempt, started=True))
        return honest(draft, request)

    put(stack, lost, "attempt_lost", transition)


@fault
def a_timer_is_not_cleared(stack: ExitStack) -> None:
    honest = Draft.set_timer

    def set_timer(self: Draft, kind: Any, due_at: Any) -> None:
        if due_at is not None:
            honest(self, kind, due_at)

    put(stack, set_timer, "set_timer", Draft)


@fault
def positions_have_a_gap(stack: ExitStack) -> None:
    honest = commits._add_events

    def add(tables: Any, tenant_id: Any, transition: Any) -> None:
        honest(tables, tenant_id, transition)
        log = tables.events[tenant_id]
        if len(log) > 20:
            log[-1] = replace(log[-1], position=log[-1].position + 1)

    put(stack, add, "_add_events", commits)


@fault
def a_note_to_the_parent_is_dropped(stack: ExitStack) -> None:
    honest = commits._add_notes

    def add(tables: Any, tenant_id: Any, transition: Any) -> None:
        honest(tables, tenant_id, transition)
        if transition.before is not None and transition.before.paused:
            tables.continuations.popitem() if tables.continuations else None

    put(stack, add, "_add_notes", commits)


@fault
def more_children_than_allowed_are_alive(stack: ExitStack) -> None:
    def start_more(draft: Draft) -> None:
        progress = draft.instance.fan_out
        assert progress is not None
        draft.change(fan_out=replace(progress, ended=progress.started))
        honest(draft)
        after = draft.instance.fan_out
        assert isinstance(after, FanOut)
        draft.change(fan_out=replace(after, ended=progress.ended))

    honest = fan_out.start_more
    put(stack, start_more, "start_more", fan_out, children_rules)


@fault
def a_finished_notebook_is_run_again_after_a_resume(stack: ExitStack) -> None:
    honest = fan_out.reopen_failures

    def reopen(draft: Draft) -> int:
        draft.change_record(notebook_done=False)
        return honest(draft)

    put(stack, reopen, "reopen_failures", children_rules)


@fault
def a_commit_is_half_done_when_the_process_dies(stack: ExitStack) -> None:
    honest = commits._change_attempts

    def change(tables: Any, tenant_id: Any, transition: Any) -> None:
        if len(transition.decision.attempts) < 2:  # an attempt ends and the next is queued: only half of it
            honest(tables, tenant_id, transition)

    put(stack, change, "_change_attempts", commits)
