"""What the answer does to an instance that waits to hear of an earlier outcome."""

from dataclasses import replace

from .advance import advance, succeed_phase
from .decision import Refusal, ReusedWork
from .draft import Draft
from .events import EventType
from .instance import PhaseRecord, ReusedFrom, Sought, WaitingReason
from .requests import CachedOutcome, CacheLookedUp


def cache_looked_up(draft: Draft, request: CacheLookedUp) -> Refusal | None:
    """Take the outcome that was found, or make one; with `anew` whatever was found."""
    record = None if draft.instance.phase is None else draft.record
    sought = _awaited(draft, record, request)
    if sought is None:
        return Refusal(code="stale", message="no earlier outcome is waited for any more", stale=True)
    others = sought.key is not None and sought.key != request.key
    draft.change_record(
        sought=replace(
            sought,
            seq=draft.instance.seq,
            answered=True,
            key=request.key,
            mixed=sought.mixed or others or request.key is None,
        )
    )
    if request.found is not None and request.key is not None and not draft.instance.anew:
        _reuse(draft, request.found)
    advance(draft)
    return None


def _awaited(draft: Draft, record: PhaseRecord | None, request: CacheLookedUp) -> Sought | None:
    """Return what the answer is about, if it is still waited for."""
    if draft.instance.waiting_reason is not WaitingReason.CACHE or record is None or record.sought is None:
        return None
    asked = record.sought
    return asked if (asked.attempt, asked.seq) == (request.attempt, request.seq) else None


def _reuse(draft: Draft, found: CachedOutcome) -> None:
    """Let the phase have succeeded with what another instance handed over; it was done there, not here."""
    phase, number = draft.phase, draft.record.attempts + 1
    draft.run()
    draft.change(
        reported_risk=found.risk,
        variables={**draft.instance.variables, phase.name: found.outputs},
    )
    source = ReusedFrom(instance_id=found.instance_id, attempt=found.attempt, made_at=found.made_at)
    draft.change_record(
        attempts=number, notebook_done=True, origin=phase.run_as, risk=found.risk, reused_from=source
    )
    draft.reused = ReusedWork(
        source_id=found.instance_id, phase=phase.name, attempt=found.attempt, number=number
    )
    draft.emit(
        EventType.PHASE_REUSED,
        phase=phase.name,
        reused_from=found.instance_id,
        from_attempt=found.attempt,
        made_at=found.made_at.isoformat(),
    )
    succeed_phase(draft, outputs=found.outputs, risk=found.risk or None)
