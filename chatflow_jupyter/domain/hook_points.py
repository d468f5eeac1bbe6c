"""Where hooks are asked: before an attempt is queued, and behind one whose notebook ran to its end."""

from collections.abc import Sequence

from .decision import ContinuationKind
from .draft import Draft
from .events import EventType
from .hooks import Processed
from .instance import HookPoint, HooksAsked, WaitingReason


def hooks_due(draft: Draft) -> HookPoint | None:
    """Return whose turn it is before the active phase can go on; what undoes is not to be stopped."""
    record = draft.record
    if draft.phase.notebook is None or record.notebook_done or draft.instance.is_undoing:
        return None
    if record.unjudged:
        return HookPoint.AFTER if draft.hooks.after else None
    cleared = record.clearance.attempt if record.clearance else 0
    return HookPoint.BEFORE if draft.hooks.before and cleared != record.attempts + 1 else None


def looks_behind(draft: Draft) -> bool:
    """Whether hooks look at what the notebook of the current phase handed over."""
    return bool(draft.hooks.after) and not draft.instance.is_undoing


def ask_hooks(draft: Draft, point: HookPoint) -> None:
    """Have the hooks at `point` called after the commit, and wait for them."""
    number = draft.record.attempts + (point is HookPoint.BEFORE)
    asked = HooksAsked(point=point, attempt=number, seq=draft.instance.seq)
    names = ", ".join(draft.hooks.at(point))
    draft.wait(WaitingReason.HOOK, f"{names}, {point} attempt {number} of phase {draft.phase.name}")
    draft.change(hooks_asked=asked)
    draft.continue_self(ContinuationKind.RUN_HOOKS)


def tell_processed(draft: Draft, processed: Sequence[Processed]) -> None:
    """Put on record what processors did to the artifacts of the current attempt."""
    for one in processed:
        draft.emit(
            EventType.HOOK_ANSWERED,
            phase=draft.phase.name,
            hook=one.hook,
            point=str(HookPoint.ARTIFACT),
            for_attempt=draft.record.attempts,
            verdict="processed",
            artifacts=[
                {"name": each.name, "verdict": each.verdict, "reason": each.reason} for each in one.findings
            ],
            more=one.more or None,
        )
