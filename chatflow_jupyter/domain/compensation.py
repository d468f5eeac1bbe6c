"""Undoing what an instance did: which steps are left, how it begins, and how it ends.

For every phase that names a notebook `compensate` there is a step of its own, `charge.compensate`, which is a
phase like others: it has a record, attempts, artifacts and a journal. The steps are taken in reverse.
"""

from dataclasses import replace

from .decision import ContinuationKind, TimerKind
from .definition import UNDO, Definition, Phase
from .draft import Draft
from .events import EventType
from .fan_out import had_children
from .instance import Instance, PhaseState, Undoing


def undo_steps(definition: Definition, instance: Instance) -> tuple[str, ...]:
    """Return the names of the steps still to be taken, that of the latest phase first.

    Phases are entered in the order they are written in: routes lead only forward.
    """
    steps = ((phase, phase.undo) for phase in reversed(definition.phases))
    names = [step.name for phase, step in steps if step is not None and _did_something(instance, phase)]
    return tuple(name for name in names if not _is_taken(instance, name))


def undone_phase(step: str) -> str:
    """Return the phase that `step` undoes."""
    return step.removesuffix(f".{UNDO}")


def is_step(name: str) -> bool:
    """Whether that phase is one that undoes another."""
    return name.endswith(f".{UNDO}")


def begin_undoing(draft: Draft, undoing: Undoing) -> None:
    """Drop what the instance waits for and say what will be undone; only `undo` begins, and goes on."""
    draft.change(undoing=undoing, attempt=None, gate=None, failure=None, ended_at=None, deadline_at=None)
    for kind in TimerKind:
        draft.set_timer(kind, None)
    if draft.instance.descendants:  # those alive shall undo as well, also where nobody waits for them
        draft.continue_self(ContinuationKind.TERMINATE_CHILDREN)
    draft.emit(
        EventType.COMPENSATION_STARTED,
        phase=draft.instance.phase,
        goal=undoing.goal,
        cause=undoing.reason,
        phases=[undone_phase(step) for step in undo_steps(draft.definition, draft.instance)],
    )


def end_undone(draft: Draft) -> None:
    """End the instance, now that all is undone, as what it was to end."""
    undoing = draft.instance.undoing
    assert undoing is not None
    draft.leave_children()
    draft.change(undoing=replace(undoing, done=True))
    if undoing.goal == "terminated":
        draft.change(failure=undoing.failure)
        draft.terminate(undoing.reason)
    else:
        assert undoing.failure is not None
        draft.fail(undoing.failure)
        if draft.instance.descendants:  # nobody shall resume a failed child of what was undone
            draft.continue_self(ContinuationKind.TERMINATE_CHILDREN)


def _did_something(instance: Instance, phase: Phase) -> bool:
    """Whether there is something to undo: its notebook ran to the end, or children were started.

    What a notebook did that was cut off is not known; its author may say that it counts.
    """
    record = instance.phases.get(phase.name)
    if record is None or record.shared:  # what the instance it is a fork of did is that one's to undo
        return False
    reused = record.reused_from is not None  # that was done elsewhere; an attempt before it was made here
    done = record.notebook_done or record.state is PhaseState.SUCCEEDED
    done = (done and not reused) or record.ran_sec is not None
    perhaps = phase.compensate_after == "start" and record.attempts > reused
    return done or perhaps or had_children(instance, phase.name)


def _is_taken(instance: Instance, step: str) -> bool:
    record = instance.phases.get(step)
    return record is not None and record.state is PhaseState.SUCCEEDED
