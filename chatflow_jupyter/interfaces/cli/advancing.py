"""What `trigger`, `pause`, `resume`, `retry` and `terminate` do."""

from __future__ import annotations

import argparse

from chatflow_jupyter.domain.errors import Conflict
from chatflow_jupyter.domain.forecast import Forecast
from chatflow_jupyter.domain.instance import FINAL, Instance, Status, WaitingReason
from chatflow_jupyter.domain.requests import Trigger
from chatflow_jupyter.interfaces.cli.answering import (
    addressed,
    at_its_gate,
    give,
    preview,
    standing,
    trigger_of,
)
from chatflow_jupyter.interfaces.cli.ending import (
    follow_to_the_end,
    print_accepted,
    print_end,
    take_over,
)
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session, go_on_in_background, in_session
from chatflow_jupyter.interfaces.cli.shapes import exit_status, instance_object, print_json
from chatflow_jupyter.interfaces.cli.terminal import safe_line


def trigger(options: argparse.Namespace) -> int:
    """Advance an instance and follow it; --dry-run only tells."""
    request = trigger_of(options)

    async def foresee(session: Session) -> int:
        instance = await _find(session)
        foreseen = await preview(session, instance, await addressed(session, instance, request))
        _print_forecast(session, instance, foreseen)
        return 0

    async def advance(session: Session) -> int:
        instance = await _find(session)
        after = await take_over(session, instance)
        asked = request
        if request.decision is not None:
            asked, after = await at_its_gate(session, instance, request, after)
        await give(session, instance, asked)
        return await follow_to_the_end(session, await _find(session), after=after)

    async def advance_detached(session: Session) -> int:
        instance = await _find(session)
        await give(session, instance, await addressed(session, instance, request))
        return await _go_on_detached(session)

    if options.dry_run:
        return in_session(options, "query", foresee)
    if options.detach:
        return in_session(options, "query", advance_detached)
    return in_session(options, "foreground", advance)


def resume(options: argparse.Namespace) -> int:
    """Go on after a pause, a failure or a killed process, and follow."""

    async def go_on(session: Session) -> int:
        instance = await _find(session)
        if instance.status in FINAL:
            say(f"nothing to resume: {instance.instance_id} is {instance.status}")
            await _see_to_the_rest(session, instance)
            await print_end(session, instance)
            return exit_status(instance)
        if instance.status is Status.CREATED and not instance.paused:
            hint = session.command("trigger", instance.instance_id)
            raise Conflict(f"{instance.instance_id}: not started yet; start it with: {hint}")
        if options.detach:
            await _resume(session, instance)
            return await _go_on_detached(session)
        after = await take_over(session, instance)
        await _resume(session, instance)
        return await follow_to_the_end(session, await _find(session), after=after)

    return in_session(options, "query" if options.detach else "foreground", go_on)


def retry(options: argparse.Namespace) -> int:
    """Run a failed phase again, or a scheduled retry now, and follow."""

    async def again(session: Session) -> int:
        instance = await _find(session)
        if instance.status is not Status.FAILED and instance.waiting_reason is not WaitingReason.RETRY:
            raise Conflict(f"{instance.instance_id}: nothing to retry: it is {standing(instance)}")
        if options.detach:
            await _advance(session, instance)
            return await _go_on_detached(session)
        after = await take_over(session, instance)
        await _advance(session, instance)
        return await follow_to_the_end(session, await _find(session), after=after)

    return in_session(options, "query" if options.detach else "foreground", again)


def pause(options: argparse.Namespace) -> int:
    """Pause the instance and its subtree."""

    async def hold(session: Session) -> int:
        instance = await _find(session)
        await session.app.orchestrator.pause(session.tenant_id, instance.instance_id, session.principal)
        return await _go_on_detached(session)

    return in_session(options, "query", hold)


def terminate(options: argparse.Namespace) -> int:
    """End the instance and its subtree, with --compensate once what they did is undone."""

    async def end(session: Session) -> int:
        instance = await _find(session)
        await session.app.orchestrator.terminate(
            session.tenant_id,
            instance.instance_id,
            session.principal,
            options.reason,
            compensate=options.compensate,
        )
        return await _go_on_detached(session)

    return in_session(options, "query", end)


async def _find(session: Session) -> Instance:
    queries = session.app.queries
    instance_id = await queries.find(session.tenant_id, session.options.instance)
    session.options.instance = instance_id  # `last` must mean the same one all along
    return await queries.instance(session.tenant_id, instance_id)


async def _resume(session: Session, instance: Instance) -> None:
    if instance.paused:
        await session.app.orchestrator.resume(session.tenant_id, instance.instance_id, session.principal)
    elif instance.status is Status.FAILED:
        await _advance(session, instance)


async def _advance(session: Session, instance: Instance) -> None:
    request = Trigger(principal=session.principal, anew=getattr(session.options, "force", False))
    await session.app.orchestrator.trigger(session.tenant_id, instance.instance_id, request)


async def _go_on_detached(session: Session) -> int:
    """Print how the instance stands; see that somebody does what is left to do in its tree."""
    instance = await _find(session)
    await _see_to_the_rest(session, instance)
    await print_accepted(session, [instance])
    return 0


async def _see_to_the_rest(session: Session, instance: Instance) -> None:
    unfinished = await session.app.storage.unfinished_trees()
    if any(tree.root_id == instance.root_id for tree in unfinished):
        await go_on_in_background(session)


def _print_forecast(session: Session, before: Instance, foreseen: Forecast) -> None:
    after = foreseen.instance
    if session.options.json:
        steps = [
            {
                "phase": step.phase,
                "expected": step.expected,
                "stops_for": step.stops_for,
                "depends_on": list(step.depends_on),
            }
            for step in foreseen.path
        ]
        print_json(
            {
                **instance_object(before),
                "dry_run": {
                    "status": after.shown_status,
                    "current_phase": after.phase,
                    "events": list(foreseen.events),
                    "path": steps,
                    "determined": foreseen.determined,
                },
            }
        )
        return
    print(f"dry run, nothing is changed: {before.shown_status} -> {after.shown_status}")
    print(f"  events: {', '.join(foreseen.events)}")
    for step in foreseen.path:
        unknown = f"  ? depends on {', '.join(step.depends_on)}, not yet known" if step.depends_on else ""
        stops = f"  stops for {safe_line(step.stops_for, 100)}" if step.stops_for else ""
        print(f"  {step.phase}: {step.expected}{stops}{unknown}")
    if not foreseen.determined:
        print("  the path beyond what is marked with ? may differ")
