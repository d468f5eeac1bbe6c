"""What to do next with an instance whose time is limited, or over."""

from collections.abc import Sequence
from dataclasses import replace
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
    limits = [limit for limit in (due, _gate_time(instance)) if limit is not None]
    over = [limit for limit in limits if limit.at <= now]
    if over:
        return _what_follows(definition, instance, min(over, key=lambda limit: limit.at), len(earlier))
    advice = recommend_next_phase(definition, instance, earlier)
    told = [_ahead(definition, instance, limit, now) for limit in limits]
    return replace(advice, reasons=(advice.reasons[0], *told, *advice.reasons[1:]))


def _ahead(definition: Definition, instance: Instance, limit: Due, now: datetime) -> Reason:
    then = _consequence(definition, instance, limit)
    when = f"{_away(limit.at, now)}, at {_moment(limit)}"
    return Reason(kind="rule", text=f"{_named(limit)} is over {when}; {then} then")


def _what_follows(definition: Definition, instance: Instance, limit: Due, compared: int) -> Recommendation:
    consequence = _consequence(definition, instance, limit)
    text = (
        f"{_named(limit)} is over since {_moment(limit)}: {consequence}, as soon as a command drives it; "
        "nothing else can be done before"
    )
    phase = _fallback(definition, instance) if limit.of_phase else None
    reasons = (Reason(kind="rule", text=text),)
    return Recommendation(phase=phase, request="wait", reasons=reasons, compared=compared, overdue=True)


def _gate_time(instance: Instance) -> Due | None:
    """Return until when the gate waits for answers, where that is limited."""
    expires_at = instance.gate.expires_at if instance.gate is not None else None
    return None if expires_at is None else Due(at=expires_at, what="")


def _named(limit: Due) -> str:
    return f"the deadline of {limit.what}" if limit.what else "the time of its gate"


def _consequence(definition: Definition, instance: Instance, limit: Due) -> str:
    if not limit.what:
        return _expired(definition, instance)
    fallback = _fallback(definition, instance) if limit.of_phase else None
    if fallback is not None:
        return f"{limit.what} fails and {fallback} comes instead"
    return "it fails" if limit.what == "the instance" else f"{limit.what} fails, and the instance with it"


def _expired(definition: Definition, instance: Instance) -> str:
    assert instance.gate is not None
    assert instance.phase is not None
    what = gate_of(definition.phase(instance.phase)).on_expire
    if what == "escalate" and not instance.gate.escalated:
        return "further people are asked"
    return "it opens" if what == "approve" else "it is rejected"


def _fallback(definition: Definition, instance: Instance) -> str | None:
    return definition.phase(instance.phase).fallback if instance.phase is not None else None


def _moment(limit: Due) -> str:
    return limit.at.isoformat(timespec="seconds")


def _away(at: datetime, now: datetime) -> str:
    seconds = (at - now).total_seconds()
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"in {seconds // size:.0f} {unit}"
    return f"in {seconds:.0f} s"
