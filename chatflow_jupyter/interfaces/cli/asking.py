"""What `status`, `tree`, `history` and `list` answer."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.events import StoredEvent
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonObject
from chatflow_jupyter.domain.schedules import schedule_told
from chatflow_jupyter.interfaces.cli.driven import is_driven, say_that_nobody_drives
from chatflow_jupyter.interfaces.cli.gate_wording import deadline_line, gate_lines, gate_object
from chatflow_jupyter.interfaces.cli.picture import Line, picture
from chatflow_jupyter.interfaces.cli.session import Session, in_session
from chatflow_jupyter.interfaces.cli.shapes import (
    event_object,
    instance_object,
    print_json,
    shown_time,
    standing_object,
)
from chatflow_jupyter.interfaces.cli.snapshot import take_snapshot
from chatflow_jupyter.interfaces.cli.tables import shown_table
from chatflow_jupyter.interfaces.cli.terminal import (
    glyphs_for,
    painted,
    safe_line,
    shown_duration,
    width,
)
from chatflow_jupyter.interfaces.cli.wording import duration_of, event_line, summary_lines
from chatflow_jupyter.ports.records import InstanceFilter, Standing
from chatflow_jupyter.services.queries import StatusInfo

PAGE = 1000
MAX_LISTED = 10_000
TREE_CHILDREN = 1000


def status(options: argparse.Namespace) -> int:
    """Say where an instance stands."""

    async def answer(session: Session) -> int:
        queries, tenant_id = session.app.queries, session.tenant_id
        instance_id = await queries.find(tenant_id, options.instance)
        if options.brief:
            _print_standing(await queries.state(tenant_id, instance_id), as_json=options.json)
            return 0
        driven = await is_driven(session, await queries.instance(tenant_id, instance_id))
        info = await queries.status_info(tenant_id, instance_id)  # now: to find out may have taken a moment
        instance, gate = info.instance, info.gate
        if driven is False:
            say_that_nobody_drives(session, instance)
        if options.json:
            more = {"artifacts": info.artifacts, "driven": driven, "gate": gate_object(gate)}
            due_at = shown_time(info.due.at if info.due else None)
            print_json({**instance_object(instance), **more, "due_at": due_at})
            return 0
        print("\n".join(await _status_lines(session, info)))
        return 0

    return in_session(options, "query", answer)


async def _status_lines(session: Session, info: StatusInfo) -> list[str]:
    instance, gate, now = info.instance, info.gate, datetime.now(UTC)
    lines = summary_lines(
        instance,
        now=now,
        artifacts=info.artifacts,
        stream=sys.stdout,
        command=session.command,
        answer_as=None if gate is None else gate.somebody_but(session.principal),
        termination=await session.app.queries.termination(instance),
    )
    told = schedule_told(instance)
    if told is not None:
        lines.append(f"  schedule:  {safe_line(' '.join(told), 120)}")
    if info.due is not None:
        lines.append(f"  {deadline_line(info.due, now)}")
    if gate is not None and not instance.paused:
        lines += [f"  {line}" for line in gate_lines(gate, now)]
    if instance.shown_status in ("running", "compensating") and instance.phase:
        lines.insert(1, f"  phase:     {instance.phase}{await _progress(session, instance)}")
    return lines


def _print_standing(stands: Standing, *, as_json: bool) -> None:
    if as_json:
        print_json(standing_object(stands))
        return
    reason = f"/{stands.waiting_reason}" if stands.waiting_reason else ""
    print(f"{stands.status}{reason}  {stands.phase or '-'}  {stands.instance_id}  {stands.seq}")


def tree(options: argparse.Namespace) -> int:
    """Draw an instance with its phases and children."""

    async def answer(session: Session) -> int:
        instance = await _instance(session)
        if await is_driven(session, instance) is False:
            say_that_nobody_drives(session, instance)
        snapshot = await take_snapshot(session.app.queries, instance)
        if options.json:
            print_json(await _tree_object(session, instance))
            return 0
        lines = picture(snapshot, glyphs_for(sys.stdout), width=width(sys.stdout), max_children=TREE_CHILDREN)
        counts = snapshot.tree
        print("\n".join(_painted(line) for line in lines))
        nodes = "node" if counts.total_nodes == 1 else "nodes"
        print(
            f"{counts.total_nodes} {nodes}: {counts.status}; {counts.completed_nodes} completed, "
            f"{counts.running_nodes} running, {counts.waiting_nodes} waiting, {counts.failed_nodes} failed"
        )
        due = await session.app.queries.deadline(instance)
        if due is not None:
            print(deadline_line(due, datetime.now(UTC)))
        return 0

    return in_session(options, "query", answer)


def history(options: argparse.Namespace) -> int:
    """Print every event of an instance in order."""

    async def answer(session: Session) -> int:
        instance = await _instance(session)
        if options.whole_tree:
            stored = await _tree_events(session, instance)
        else:
            stored = list(await session.app.queries.history(instance.tenant_id, instance.instance_id))
        if options.json:
            print_json([event_object(entry.event) for entry in stored])
        else:
            for entry in stored:
                print(event_line(entry.event))
        return 0

    return in_session(options, "query", answer)


def listing(options: argparse.Namespace) -> int:
    """Print instances, the newest first."""
    if not 1 <= options.limit <= MAX_LISTED:
        raise InvalidInput(f"--limit {options.limit}: a number from 1 to {MAX_LISTED}")

    async def answer(session: Session) -> int:
        wanted = InstanceFilter(
            feature_id=options.feature,
            status=options.status,
            name=options.name,
            limit=options.limit,
            families=False,
        )
        found = await session.app.queries.instances(session.tenant_id, wanted)
        if options.json:
            print_json([instance_object(instance) for instance in found])
        elif not found:
            print(
                "no instances" + (" match" if options.feature or options.status or options.name else " yet")
            )
        else:
            now = datetime.now(UTC)
            print(
                shown_table(
                    [_listed(instance, now) for instance in found],
                    ["ID", "STATUS", "WHAT", "PHASE", "STARTED", "TOOK"],
                    sys.stdout,
                )
            )
        return 0

    return in_session(options, "query", answer)


async def _instance(session: Session) -> Instance:
    queries = session.app.queries
    return await queries.instance(
        session.tenant_id, await queries.find(session.tenant_id, session.options.instance)
    )


async def _progress(session: Session, instance: Instance) -> str:
    for attempt in await session.app.queries.running_attempts(instance.tenant_id, instance.root_id):
        progress = attempt.progress
        if attempt.instance_id == instance.instance_id and progress is not None:
            current = min(progress.cell_index + 1, progress.cells_total)
            return f", cell {current}/{progress.cells_total} {safe_line(progress.cell_name, 60)}".rstrip()
    return ""


async def _tree_object(session: Session, instance: Instance) -> JsonObject:
    """Return the instance with the roll-up of its tree and every node below the root."""
    queries = session.app.queries
    counts = await queries.tree_status(instance.tenant_id, instance.root_id)
    nodes: list[Instance] = []
    while True:
        after = nodes[-1].instance_id if nodes else None
        page = await queries.tree(instance.tenant_id, instance.root_id, after=after, limit=PAGE)
        nodes += page
        if len(page) < PAGE:
            break
    return {
        **instance_object(instance),
        "tree": {
            "root_instance_id": counts.root_instance_id,
            "status": counts.status,
            "total_nodes": counts.total_nodes,
            "failed_nodes": counts.failed_nodes,
            "waiting_nodes": counts.waiting_nodes,
            "running_nodes": counts.running_nodes,
            "completed_nodes": counts.completed_nodes,
            "execution_time_sec": counts.execution_time_sec,
        },
        "nodes": [instance_object(node) for node in nodes],
    }


async def _tree_events(session: Session, instance: Instance) -> list[StoredEvent]:
    collected: list[StoredEvent] = []
    while True:
        after = collected[-1].position if collected else 0
        page = await session.app.queries.events(
            instance.tenant_id, root_id=instance.root_id, after=after, limit=PAGE
        )
        collected += page
        if len(page) < PAGE:
            return collected


def _listed(instance: Instance, now: datetime) -> list[str]:
    waiting = (
        f"{instance.shown_status}/{instance.waiting_reason}"
        if instance.waiting_reason
        else instance.shown_status
    )
    moment = instance.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    took = shown_duration(duration_of(instance, now))
    return [instance.instance_id, waiting, instance.definition.schema_id, instance.phase or "", moment, took]


def _painted(line: Line) -> str:
    return "".join(painted(words, style, sys.stdout) if style else words for words, style in line).rstrip()
