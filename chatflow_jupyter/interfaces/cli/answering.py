"""An answer to a gate: who gives it, about which gate, and to what they have seen."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import replace

from chatflow_jupyter.domain.errors import Conflict, InvalidInput
from chatflow_jupyter.domain.forecast import Forecast
from chatflow_jupyter.domain.gates import VERB
from chatflow_jupyter.domain.ids import ENGINE_PRINCIPAL, VERBS, Principal
from chatflow_jupyter.domain.instance import ENDED, Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.interfaces.cli.displays import display_for
from chatflow_jupyter.interfaces.cli.ending import hold_attempts, start_attempts
from chatflow_jupyter.interfaces.cli.following import Follower
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.parameters import read_data
from chatflow_jupyter.interfaces.cli.session import Session
from chatflow_jupyter.services.gate_now import is_overdue

COMES_LATER = frozenset(
    {WaitingReason.CHILDREN, WaitingReason.RETRY, WaitingReason.HOOK, WaitingReason.CACHE}
)
MAX_NAME = 255
_BEGINNING_OF_HASH = re.compile(r"[0-9a-f]{12,64}")


def trigger_of(options: argparse.Namespace) -> Trigger:
    """Return what was typed, all checked that can be without the store."""
    if options.decision is None:
        for option, value in (
            ("--reason", options.reason),
            ("--as", options.answer_as),
            ("--seen", options.seen),
        ):
            if value is not None:
                raise InvalidInput(f"{option} goes with --approve or --reject")
    if options.seen is not None and _BEGINNING_OF_HASH.fullmatch(options.seen) is None:
        raise InvalidInput(
            f"--seen {options.seen!r}: 12 to 64 of the digits 0-9 and a-f, as `chatflow status` shows them"
        )
    name = options.answer_as
    return Trigger(
        principal=Session.principal if name is None else _principal(name),
        data=read_data(options.data),
        decision=options.decision,
        reason=options.reason,
        verbs=frozenset(VERBS) if options.decision else frozenset(),  # one machine is one trust domain
        claimed=name is not None,
        seen=options.seen,
        anew=options.force,
    )


async def addressed(session: Session, instance: Instance, request: Trigger) -> Trigger:
    """Return the answer with the gate it is about: the one `instance` waits at, and no later one."""
    gate = await session.app.queries.gate(instance) if request.decision else None
    if gate is None:
        return request
    seen = request.seen
    if seen is not None and gate.shown.startswith(seen):
        seen = gate.shown
    return replace(request, phase=gate.phase, seen=seen)


async def give(session: Session, instance: Instance, request: Trigger) -> None:
    """Hand the trigger in; a refusal says what to do about it."""
    try:
        await session.app.orchestrator.trigger(
            session.tenant_id, instance.instance_id, request, key=session.options.idempotency_key
        )
    except Conflict as error:
        raise _with_hint(session, instance, error, request) from None


def _with_hint(session: Session, instance: Instance, error: Conflict, request: Trigger) -> Conflict:
    if error.code == "not_an_approver" and not request.claimed:
        hint = "--as NAME answers for one of them"
    elif error.code == "gate_expired":
        hint = f"see to that with: {session.command('resume', instance.instance_id)}"
    else:
        return error
    return Conflict(f"{error.message}; {hint}", code=error.code)


async def preview(session: Session, instance: Instance, request: Trigger) -> Forecast:
    """Return what the trigger would do."""
    try:
        return await session.app.orchestrator.preview(session.tenant_id, instance.instance_id, request)
    except Conflict as error:
        raise _with_hint(session, instance, error, request) from None


async def at_its_gate(
    session: Session, instance: Instance, request: Trigger, after: int
) -> tuple[Trigger, int]:
    """Return the answer addressed to the gate it is for, and the position of the events shown until then.

    A gate that is not reached yet is waited for. At one whose time is over, what the gate says about that
    comes first.
    """
    now = session.app.clock.now
    if is_overdue(instance, now()):
        request = await addressed(session, instance, request)
        expires_at = instance.gate.expires_at if instance.gate else None
        gate_is = expires_at is not None and expires_at <= now()
        whose = f"the time of the gate before {instance.phase}" if gate_is else "its deadline"
        say(f"{whose} is over; what follows from that comes first")
        after = await _follow(session, instance, after, until=lambda each: not is_overdue(each, now()))
    elif _gate_may_come(instance):
        verb = "approving" if request.decision == "approve" else "rejecting"
        say(f"the gate is not reached yet ({standing(instance)}); following until it is, then {verb}")
        start_attempts(session)
        after = await _follow(session, instance, after, until=_is_asked)
        hold_attempts(session)
        instance = await session.app.queries.instance(session.tenant_id, instance.instance_id)
        request = await addressed(session, instance, request)
    else:
        request = await addressed(session, instance, request)
    return request, after


async def _follow(
    session: Session, instance: Instance, after: int, *, until: Callable[[Instance], bool]
) -> int:
    with display_for(sys.stderr, session.command) as display:
        follower = Follower(session=session, instance=instance, display=display, after=after)
        await follower.follow(until=until)
    return follower.after


def standing(instance: Instance) -> str:
    """Return where the instance stands, in words."""
    if instance.status is Status.WAITING and not instance.paused:
        return f"waiting for {instance.waiting_reason}"
    return f"{instance.shown_status}" + (f" in phase {instance.phase}" if instance.phase else "")


def _is_asked(instance: Instance) -> bool:
    return instance.waiting_reason is WaitingReason.APPROVAL


def _gate_may_come(instance: Instance) -> bool:
    if instance.status in ENDED or instance.paused or instance.is_undoing:
        return False
    return instance.status is Status.RUNNING or instance.waiting_reason in COMES_LATER


def _principal(name: str) -> Principal:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise InvalidInput(f"--as {name[:80]!r}: 1 to {MAX_NAME} printable characters, no spaces around them")
    if name.startswith(VERB) or name == ENGINE_PRINCIPAL:
        raise InvalidInput(f"--as {name!r}: nobody is called that; give the name of a person")
    return Principal(name)
