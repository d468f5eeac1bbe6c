"""What to do next with an instance whose time is limited, or over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .definition import Definition
from .due import Due
from .gates import gate_of
from .instance import Instance
from .recommendation import Reason, Recommendation, recommend_next_phase


def recommend_in_time(
    definition: Definition,
    instance: Instance,
    earlier: Sequence[Instance],
    *,
    due: Due | None,
    now: datetime,
) -> Recommendation:
    """Return what should be done next, with what limits the time for it among the reasons.

    `due` is the next deadline, its own or from above. Once a time is over, what follows from that comes
    before anything else: nothing else is recommended then.
    """
    known = (_deadline(definition, instance, due), _gate_time(definition, instance))
    limits = [limit for limit in known if limit is not None]
    over = [limit for limit in limits if limit.at <= now]
    if over:
        return _what_follows(min(over, key=lambda limit: limit.at), len(earlier))
    advice = recommend_next_phase(definition, instance, earlier)
    told = [_ahead(limit, now) for limit in limits]
    return replace(advice, reasons=(advice.reasons[0], *told, *advice.reasons[1:]))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limit:
    """A time, what it limits, what comes once it is over, and the phase to which that leads."""

    at: datetime
    what: str
    then: str
    phase: str | None = None


def _deadline(definition: Definition, instance: Instance, due: Due | None) -> _Limit | None:
    if due is None:
        return None
    fallback = _fallback(definition, instance) if due.whose == "phase" else None
    if fallback is not None:
        then = f"{due.what} fails and {fallback} comes instead"
    else:
        then = "it fails" if due.whose == "instance" else f"{due.what} fails, and the instance with it"
    return _Limit(at=due.at, what=f"the deadline of {due.what}", then=then, phase=fallback)


def _fallback(definition: Definition, instance: Instance) -> str | None:
    assert instance.phase is not None
    return definition.phase(instance.phase).fallback


def _gate_time(definition: Definition, instance: Instance) -> _Limit | None:
    """Return until when the gate waits for answers, where that is limited."""
    if instance.gate is None or instance.gate.expires_at is None:
        return None
    assert instance.phase is not None
    what = gate_of(definition.phase(instance.phase)).on_expire
    if what == "escalate" and not instance.gate.escalated:
        then = "further people are asked"
    else:
        then = "it opens" if what == "approve" else "it is rejected"
    return _Limit(at=instance.gate.expires_at, what="the time of its gate", then=then)


def _ahead(limit: _Limit, now: datetime) -> Reason:
    when = f"{_away(limit.at, now)}, at {_moment(limit)}"
    return Reason(kind="rule", text=f"{limit.what} is over {when}; {limit.then} then")


def _what_follows(limit: _Limit, compared: int) -> Recommendation:
    text = (
        f"{limit.what} is over since {_moment(limit)}: {limit.then}, as soon as a command drives it; "
        "nothing else can be done before"
    )
    reasons = (Reason(kind="rule", text=text),)
    return Recommendation(phase=limit.phase, request="wait", reasons=reasons, compared=compared, overdue=True)


def _moment(limit: _Limit) -> str:
    return limit.at.isoformat(timespec="seconds")


def _away(at: datetime, now: datetime) -> str:
    seconds = (at - now).total_seconds()
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"in {seconds // size:.0f} {unit}"
    return f"in {seconds:.0f} s"
