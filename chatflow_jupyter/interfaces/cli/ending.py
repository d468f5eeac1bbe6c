"""The end of a command that followed: the picture stops, one summary or JSON object is printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from chatflow_jupyter.domain.ids import InstanceId
from chatflow_jupyter.domain.instance import FINAL, Instance, Status, WaitingReason
from chatflow_jupyter.domain.json_values import JsonObject, canonical_json
from chatflow_jupyter.interfaces.cli.displays import display_for
from chatflow_jupyter.interfaces.cli.following import Follower
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session
from chatflow_jupyter.interfaces.cli.shapes import exit_status, instance_object, print_json
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.interfaces.cli.wording import summary_lines, waiting_lines
from chatflow_jupyter.ports.records import InstanceFilter

_WORST_FIRST = (4, 5, 3, 0)
MAX_NAMED = 5


async def follow_to_the_end(session: Session, instance: Instance, *, after: int = 0) -> int:
    """Drive and follow an instance on standard error, print how it ended, and return the exit status.

    Of a child the whole tree is followed: what its end sets in motion is driven here as well. Events up to
    the position `after` are not shown.
    """
    await drive(session, instance)
    start_attempts(session)
    queries = session.app.queries
    root = await queries.instance(session.tenant_id, instance.root_id)
    with display_for(sys.stderr, session.command) as display:
        root = await Follower(session=session, instance=root, display=display, after=after).follow()
    instance = await queries.instance(session.tenant_id, instance.instance_id)
    await print_end(session, instance)
    if instance.parent is not None and not session.options.json:
        await print_end(session, root)
    return exit_status(instance)


async def take_over(session: Session, instance: Instance) -> int:
    """Drive the instance's tree before anything is asked of it, with its attempts held back.

    Returns the position of the last event until then, for whoever follows.
    """
    after = await session.app.queries.last_event(instance.tenant_id, instance.root_id)
    hold_attempts(session)
    await drive(session, instance)
    return after


def hold_attempts(session: Session) -> None:
    """Start no attempt before it is certain that this command follows: it would be cut off at its end.

    What is due is acted on all the same, and whatever that queues waits for whoever drives the tree then.
    """
    if session.app.engine is not None:
        session.app.engine.hold_attempts()


def start_attempts(session: Session) -> None:
    """Start attempts: the command follows them."""
    if session.app.engine is not None:
        session.app.engine.start_attempts()


async def drive(session: Session, instance: Instance) -> None:
    """Take the instance's tree over unless a living process has it; then say so."""
    if instance.instance_id in session.followed:
        return
    session.followed.append(instance.instance_id)
    engine = session.app.engine
    if engine is None or instance.status in FINAL:
        return
    if await engine.adopt(instance.tenant_id, instance.root_id) == "theirs":
        say(f"{instance.root_id} is driven by another process already; following it")
    await _see_to_others(session)


async def _see_to_others(session: Session) -> None:
    """Let what dead processes left unfinished in this home go on in the background, and say so."""
    assert session.app.engine is not None
    own = [await _root_of(session, instance_id) for instance_id in session.followed]
    orphans = await session.app.engine.look_after_orphans(but=own)
    if orphans:
        named = ", ".join(tree.root_id for tree in list(orphans)[:MAX_NAMED])
        one = len(orphans) == 1
        many = "an unfinished instance" if one else f"{len(orphans)} unfinished instances"
        lost = f"had lost {'its' if one else 'their'} process"
        say(f"{many} of this home {lost}; going on in the background: {named}")


async def _root_of(session: Session, instance_id: InstanceId) -> InstanceId:
    return (await session.app.queries.instance(session.tenant_id, instance_id)).root_id


async def print_end(session: Session, instance: Instance, *, told: Sequence[str] = ()) -> None:
    """Print how an instance stands: a summary block, with the parameters `told`, or one JSON object."""
    if session.options.json:
        print_json(await ended_object(session, instance))
        return
    stored = await session.app.queries.artifacts(instance.tenant_id, instance.instance_id)
    lines = summary_lines(
        instance,
        now=datetime.now(UTC),
        artifacts=len(stored),
        stream=sys.stdout,
        command=session.command,
        answer_as=await _somebody_asked(session, instance),
        termination=await session.app.queries.termination(instance),
    )
    if told:
        values = [f"{name}={canonical_json(instance.context.get(name))}" for name in dict.fromkeys(told)]
        lines.insert(1, f"  with:      {safe_line(', '.join(values), 300)}")
    for child in await _asking_children(session, instance):
        asked = await _somebody_asked(session, child)
        lines += [f"  {line}" for line in waiting_lines(child, session.command, answer_as=asked)]
    print("\n".join(lines))


async def _somebody_asked(session: Session, instance: Instance) -> str | None:
    """Return a name the gate asks, when it does not ask whoever sits here."""
    gate = await session.app.queries.gate(instance)
    return None if gate is None else gate.somebody_but(session.principal)


async def _asking_children(session: Session, instance: Instance) -> Sequence[Instance]:
    """Return some children that people have to answer before the instance can go on."""
    if instance.waiting_reason is not WaitingReason.CHILDREN or instance.paused:
        return ()
    wanted = InstanceFilter(parent_id=instance.instance_id, status=str(Status.WAITING), limit=MAX_NAMED)
    return await session.app.queries.instances(session.tenant_id, wanted)


async def ended_object(session: Session, instance: Instance) -> JsonObject:
    """Return the instance as JSON, with the number of artifacts it stored."""
    stored = await session.app.queries.artifacts(instance.tenant_id, instance.instance_id)
    return {**instance_object(instance), "artifacts": len(stored)}


async def print_accepted(session: Session, instances: Sequence[Instance], *, as_list: bool = False) -> None:
    """Print instances that go on without this command: ids to use later, or JSON."""
    if session.options.json:
        objects = [instance_object(instance) for instance in instances]
        print_json(objects if as_list else objects[0])
        return
    for instance in instances:
        print(f"{instance.instance_id}  {instance.shown_status}  {safe_line(instance.definition.schema_id)}")


def worst(statuses: Sequence[int]) -> int:
    """Return the exit status of several instances: failed, terminated, waiting, completed, in this order."""
    return next((status for status in _WORST_FIRST if status in statuses), 0)
