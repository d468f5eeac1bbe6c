"""What `recommend` and `feature` answer."""

from __future__ import annotations

import argparse
import sys

from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.domain.recommendation import Alternative, Recommendation
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import print_json, shown_time
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.interfaces.cli.wording import answering_as, quoted
from chatflow_jupyter.ports.records import FeatureCount
from chatflow_jupyter.services.advice import FeatureStatus

HEAD = ["DEFINITION", "STATUS", "NUMBER", "NEWEST"]


def recommend(options: argparse.Namespace) -> int:
    """Say what to do next with an instance, and why."""

    async def answer(session: Session) -> int:
        queries = session.app.queries
        instance_id = await queries.find(session.tenant_id, options.instance)
        instance = await queries.instance(session.tenant_id, instance_id)
        advice = await session.app.advice.recommend_next_phase(instance)
        if options.json:
            print_json(advice_object(instance, advice))
        else:
            commands = await _commands(session, instance, advice)
            print("\n".join(_advice_lines(instance, advice, commands)))
        return 0

    return in_session(options, "query", answer)


def feature(options: argparse.Namespace) -> int:
    """Say where the roots of a feature stand, and which of them need somebody."""

    async def answer(session: Session) -> int:
        status = await session.app.advice.feature_status(session.tenant_id, options.feature)
        if options.json:
            print_json(feature_object(status))
        else:
            print("\n".join(await _feature_lines(session, status)))
        return 0

    return in_session(options, "query", answer)


def advice_object(instance: Instance, advice: Recommendation) -> JsonObject:
    """Return a recommendation as `--json` prints it."""
    return {
        "instance_id": instance.instance_id,
        "status": instance.shown_status,
        "current_phase": instance.phase,
        "waiting_reason": str(instance.waiting_reason) if instance.waiting_reason else None,
        "error": instance.failure.message if instance.failure else None,
        "next_phase": advice.phase,
        "request": advice.request,
        "reasons": [{"kind": reason.kind, "text": reason.text} for reason in advice.reasons],
        "alternatives": [
            {"phase": other.phase, "taken": other.taken, "depends_on": list(other.depends_on)}
            for other in advice.alternatives
        ],
        "compared": advice.compared,
    }


def feature_object(status: FeatureStatus) -> JsonObject:
    """Return the status of a feature as `--json` prints it."""
    return {
        "feature_id": status.feature_id,
        "total": status.total,
        "by_status": status.by_status,
        "counts": [
            {
                "name": count.name,
                "status": count.status,
                "waiting_reason": count.waiting_reason,
                "number": count.number,
                "newest_at": shown_time(count.newest_at),
            }
            for count in status.counts
        ],
        "attention": [advice_object(one.instance, one.advice) for one in status.attention],
        "more": status.more,
    }


def _advice_lines(instance: Instance, advice: Recommendation, commands: list[str]) -> list[str]:
    head = advice.phase or "nothing"
    return [
        f"{head}  {instance.definition.schema_id}  {instance.instance_id}  {instance.shown_status}",
        *(f"  do:       {words}" for words in commands),
        *(f"  {reason.kind + ':':<9} {safe_line(reason.text, 300)}" for reason in advice.reasons),
        *(f"  or:       {_alternative(other)}" for other in advice.alternatives),
    ]


async def _commands(session: Session, instance: Instance, advice: Recommendation) -> list[str]:
    ident = instance.instance_id
    if advice.overdue:
        return [session.command("resume", ident)]
    match advice.request:
        case "start":
            return [session.command("trigger", ident)]
        case "trigger":
            return [session.command("trigger", ident, "--data", quoted("{…}"))]
        case "decide":
            gate = await session.app.queries.gate(instance)
            somebody = None if gate is None else gate.somebody_but(session.principal)
            more = () if somebody is None else answering_as(safe_line(somebody))
            return [session.command("trigger", ident, answer, *more) for answer in ("--approve", "--reject")]
        case "retry" | "resume":
            return [session.command(advice.request, ident)]
        case _:
            return []


def _alternative(other: Alternative) -> str:
    taken = f", taken by {other.taken} earlier" if other.taken else ""
    depends = f", depends on {', '.join(other.depends_on)}" if other.depends_on else ""
    return f"{other.phase}{taken}{depends}"


async def _feature_lines(session: Session, status: FeatureStatus) -> list[str]:
    numbers = ", ".join(f"{number} {name}" for name, number in sorted(status.by_status.items()))
    instances = "instance" if status.total == 1 else "instances"
    lines = [f"{safe_line(status.feature_id, 100)}: {status.total} {instances}; {numbers}"]
    lines += shown_table([_row(count) for count in status.counts], HEAD, sys.stdout).splitlines()
    for one in status.attention:
        instance = one.instance
        why = safe_line(
            instance.waiting_detail or (instance.failure.message if instance.failure else ""), 120
        )
        reason = f"/{instance.waiting_reason}" if instance.waiting_reason else ""
        state = f"{instance.shown_status}{reason}"
        lines.append(
            f"{instance.definition.name}  {instance.instance_id}  {state}" + (f"  {why}" if why else "")
        )
        lines += [f"  do:       {words}" for words in await _commands(session, instance, one.advice)]
    if status.more:
        listing = session.command("list", "--feature", status.feature_id)
        lines.append(f"and {status.more} more that need somebody: {listing}")
    return lines


def _row(count: FeatureCount) -> list[str]:
    state = f"{count.status}/{count.waiting_reason}" if count.waiting_reason else count.status
    return [count.name, state, str(count.number), count.newest_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")]
