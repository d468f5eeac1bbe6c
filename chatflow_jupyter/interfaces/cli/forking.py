"""`chatflow fork`: from what was typed to a new instance that begins in the middle, and following it."""

from __future__ import annotations

import argparse

from chatflow_jupyter.domain.errors import InvalidInput
from chatflow_jupyter.domain.fork import changed_parameters
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.interfaces.cli.ending import follow_to_the_end, print_accepted
from chatflow_jupyter.interfaces.cli.launching import check_level, named_place, refuse_unknown
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.parameters import Typing, changes_of
from chatflow_jupyter.interfaces.cli.session import Session, go_on_in_background, in_session
from chatflow_jupyter.interfaces.cli.terminal import safe_line
from chatflow_jupyter.interfaces.cli.versions import warn_if_deprecated
from chatflow_jupyter.ports.records import DefinitionRecord
from chatflow_jupyter.services.forks import NewFork

MAX_VALUE_SHOWN = 60


def fork(options: argparse.Namespace) -> int:
    """Create the fork, start and follow it; with --detach leave the following to nobody."""
    check_level(options)
    if options.idempotency_key is not None and not options.idempotency_key:
        raise InvalidInput("--idempotency-key: may not be empty")
    return in_session(options, "query" if options.detach else "foreground", _fork)


async def _fork(session: Session) -> int:
    engine = session.app.engine
    instance = await _create(session, None if engine is None else engine.owner_id)
    if engine is not None:
        return await follow_to_the_end(session, instance)
    await go_on_in_background(session)
    await print_accepted(session, [instance])
    if not session.options.json:
        say(f"going on in the background; follow with: {session.command('watch', instance.instance_id)}")
    return 0


async def _create(session: Session, owner_id: OwnerId | None) -> Instance:
    options, queries = session.options, session.app.queries
    source_id = await queries.find(session.tenant_id, options.instance)
    source = await queries.instance(session.tenant_id, source_id)
    record = await _other_definition(session)
    definition = await queries.definition(source) if record is None else record.definition
    refuse_unknown(options, definition)
    created = await session.app.forks.fork(
        NewFork(
            tenant_id=session.tenant_id,
            source_id=source_id,
            phase=options.phase,
            principal=session.principal,
            changes=changes_of(options, Typing(definition.parameters, {})),
            record=record,
            feature_id=options.feature,
            automation_level=options.automation_level,
            anew=options.force,
            owner_id=owner_id,
        ),
        key=options.idempotency_key,
    )
    _say_what_is_shared(source, created)
    return created


async def _other_definition(session: Session) -> DefinitionRecord | None:
    if session.options.schema is None:
        return None
    record = await session.app.definitions.resolve(named_place(session.options.schema), session.tenant_id)
    await warn_if_deprecated(session, record)
    return record


def _say_what_is_shared(source: Instance, created: Instance) -> None:
    """Say which phases are those of the source, and with which values they ran that are others now."""
    shared = [name for name, record in created.phases.items() if record.shared]
    if not shared:
        return
    one = len(shared) == 1
    said = f"the phase {shared[0]} stands" if one else f"the phases {', '.join(shared)} stand"
    said, they = f"{said} as in {source.instance_id}", "it" if one else "they"
    before = [
        f"{name}={safe_line(str(source.context[name]), MAX_VALUE_SHOWN)}" if name in source.context else name
        for name in changed_parameters(source, created)
    ]
    without = [name for name in before if "=" not in name]
    ran = [value for value in before if "=" in value]
    if ran:
        said += f"; {they} ran with {', '.join(ran)}"
    if without:
        said += f"; {they} ran without {', '.join(without)}"
    say(said)
