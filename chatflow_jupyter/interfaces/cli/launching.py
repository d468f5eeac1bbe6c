"""`chatflow run` and `chatflow start`: from what was typed to an instance, and following it."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path

from chatflow_jupyter.domain.birth import checked_context
from chatflow_jupyter.domain.definition import Definition, split_schema_id
from chatflow_jupyter.domain.errors import InvalidInput, NotFound
from chatflow_jupyter.domain.ids import OwnerId
from chatflow_jupyter.domain.instance import Instance
from chatflow_jupyter.domain.json_values import JsonObject, JsonValue
from chatflow_jupyter.interfaces.cli.displays import display_for
from chatflow_jupyter.interfaces.cli.ending import (
    drive,
    ended_object,
    follow_to_the_end,
    print_accepted,
    print_end,
    worst,
)
from chatflow_jupyter.interfaces.cli.following import Follower
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.parameters import Typing, contexts_of, is_name
from chatflow_jupyter.interfaces.cli.session import (
    Session,
    go_on_in_background,
    in_session,
    settings_of,
    tenant_of,
)
from chatflow_jupyter.interfaces.cli.shapes import exit_status, print_json
from chatflow_jupyter.interfaces.cli.terminal import can_ask
from chatflow_jupyter.interfaces.cli.versions import warn_if_deprecated
from chatflow_jupyter.services.definitions import local_of, read_bare_notebook, refuse_url
from chatflow_jupyter.services.orchestrator import NewInstance
from chatflow_jupyter.services.templates import ENTRY, Templates, read_definition

EXECUTE = "execute"
QUESTION = (
    "The review can run this repository's own tests and notebooks (code you may not trust). Run them? [y/N] "
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be created: one instance per context."""

    what: str
    contexts: Sequence[JsonObject]


def run(options: argparse.Namespace) -> int:
    """Create, start and follow; with --detach leave the following to nobody."""
    order = order_of(options)
    if options.detach:
        return in_session(options, "query", lambda session: _run_detached(session, order))
    return in_session(options, "foreground", lambda session: _run(session, order))


def start(options: argparse.Namespace) -> int:
    """Create without starting."""
    order = order_of(options)

    async def create(session: Session) -> int:
        created = await _create(session, order, start_now=False, owner_id=None)
        await print_accepted(session, created)
        if not options.json:
            say(f"created, not started; start it with: {session.command('trigger', created[0].instance_id)}")
        return 0

    return in_session(options, "query", create)


async def _run(session: Session, order: Order) -> int:
    engine = session.app.engine
    assert engine is not None
    instances = await _create(session, order, start_now=True, owner_id=engine.owner_id)
    if len(instances) == 1 and not session.options.matrix:
        return await follow_to_the_end(session, instances[0])
    return await _follow_several(session, instances)


async def _run_detached(session: Session, order: Order) -> int:
    instances = await _create(session, order, start_now=True, owner_id=None)
    await go_on_in_background(session)
    await print_accepted(session, instances, as_list=bool(session.options.matrix))
    if not session.options.json:
        say(f"going on in the background; follow with: {session.command('watch', instances[0].instance_id)}")
    return 0


async def _follow_several(session: Session, instances: Sequence[Instance]) -> int:
    with display_for(sys.stderr, session.command, several=True) as display:
        for instance in instances:
            await drive(session, instance)
        async with asyncio.TaskGroup() as following:
            tasks = [
                following.create_task(Follower(session=session, instance=instance, display=display).follow())
                for instance in instances
            ]
    ended = [task.result() for task in tasks]
    if session.options.json:
        print_json([await ended_object(session, instance) for instance in ended])
    else:
        names = [entry.partition("=")[0] for entry in session.options.matrix]
        for instance in ended:
            await print_end(session, instance, told=names)
    return worst([exit_status(instance) for instance in ended])


async def _create(
    session: Session, order: Order, *, start_now: bool, owner_id: OwnerId | None
) -> list[Instance]:
    options = session.options
    record = await session.app.definitions.resolve(order.what, session.tenant_id)
    await warn_if_deprecated(session, record)
    here = local_of(order.what)
    if here is not None:
        published = record.reference.schema_id
        say(f"{order.what}: this is {published} as it was published; for what lies here say {here}")
    created = []
    for number, context in enumerate(order.contexts):
        key = options.idempotency_key
        created.append(
            await session.app.orchestrator.create(
                NewInstance(
                    record=record,
                    context=context,
                    principal=session.principal,
                    feature_id=options.feature,
                    automation_level=options.automation_level,
                    start=start_now,
                    anew=options.force,
                    owner_id=owner_id,
                ),
                key=key if key is None or len(order.contexts) == 1 else f"{key}/{number}",
            )
        )
    return created


def order_of(options: argparse.Namespace) -> Order:
    """Check everything that was typed before anything is opened or written."""
    check_level(options)
    if options.idempotency_key is not None and not options.idempotency_key:
        raise InvalidInput("--idempotency-key: may not be empty")
    refuse_url(options.what)
    what = named_place(options.what)
    if what.endswith(".ipynb"):
        hints = _hints(Path(what), wanted=bool(options.parameter or getattr(options, "matrix", [])))
        contexts = contexts_of(options, Typing({}, hints))
        _refuse_uninjectable(Path(what), contexts[0])  # a matrix's combinations have the same names
        _mention_unknown(contexts[0], hints)
        return Order(what=what, contexts=contexts)
    definition = _definition(options, what)
    refuse_unknown(options, definition)
    contexts = contexts_of(options, Typing(definition.parameters, {}))
    checked = [_fitting(definition, context) for context in contexts]
    return Order(what=what, contexts=_with_permission(checked, contexts, definition))


def _fitting(definition: Definition, context: JsonObject) -> JsonObject:
    """Return the initial context with defaults filled in; what is missing is told with how to give it."""
    try:
        return checked_context(definition, context)
    except InvalidInput as error:
        required = definition.parameters.get("required")
        missing = (
            [name for name in required if name not in context] if isinstance(required, tuple | list) else []
        )
        if not missing:
            raise
        raise InvalidInput(f"{error.message}; give {' '.join(f'-p {name}=…' for name in missing)}") from None


def check_level(options: argparse.Namespace) -> None:
    """Raise `InvalidInput` for a level that is none."""
    level = options.automation_level
    if level is not None and not 0 <= level <= 100:
        raise InvalidInput(f"--automation-level {level}: a number from 0 to 100")


def named_place(typed: str) -> str:
    """Return what was named; folders and definition files get a form that cannot be mistaken for a name."""
    if typed.endswith(".ipynb"):
        return typed
    path = Path(typed).expanduser()
    if path.name == ENTRY and path.is_file():
        return f"{path.absolute().parent}/"
    if "/" in typed or typed in (".", ".."):
        return f"{path.absolute()}/"
    return typed


def _definition(options: argparse.Namespace, what: str) -> Definition:
    if "/" in what:
        return _definition_of_folder(Path(what))
    name, version = split_schema_id(what)
    template = None if version else Templates(settings_of(options).template_path).find(name)
    if template is not None:
        return template.definition
    found: list[Definition] = []

    async def look(session: Session) -> int:
        found.append((await session.app.definitions.resolve(what, tenant_of(options))).definition)
        return 0

    if in_session(options, "query", look) != 0:
        raise KeyboardInterrupt
    return found[0]


def _definition_of_folder(folder: Path) -> Definition:
    if not folder.is_dir():
        raise NotFound(f"{folder}: there is no such folder")
    if not (folder / ENTRY).is_file():
        raise NotFound(f"{folder}: holds no {ENTRY}, so it is not a template")
    return read_definition(folder / ENTRY)


def _hints(notebook: Path, *, wanted: bool) -> Mapping[str, str | None]:
    """Return papermill's type hints of the notebook; nothing unless `wanted`, since asking takes time."""
    if not notebook.is_file():
        near = (
            sorted(entry.name for entry in notebook.parent.glob("*.ipynb"))
            if notebook.parent.is_dir()
            else []
        )
        close = difflib.get_close_matches(notebook.name, near, 1)
        hint = f"; did you mean {notebook.parent / close[0]}?" if close else ""
        raise InvalidInput(f"{notebook}: there is no such notebook{hint}")
    read_bare_notebook(notebook)
    if not wanted:
        return {}
    from chatflow_jupyter.runner.notebook_job import NotebookFailed
    from chatflow_jupyter.runner.parameters import inferred_parameters

    try:
        found = inferred_parameters(notebook)
    except NotebookFailed as error:
        raise InvalidInput(f"{notebook}: {error}") from None
    return {name: parameter.type_hint for name, parameter in found.items()}


def _refuse_uninjectable(notebook: Path, context: JsonObject) -> None:
    """Refuse names the notebook cannot take; it is read only for a doubtful one, as that takes time."""
    if all(is_name(name) and not iskeyword(name) for name in context):
        return
    from chatflow_jupyter.runner.notebook_job import NotebookFailed
    from chatflow_jupyter.runner.parameters import check_injectable

    try:
        check_injectable(notebook, context)
    except NotebookFailed as error:
        raise InvalidInput(f"{notebook}: {error}") from None


def _mention_unknown(context: Mapping[str, JsonValue], hints: Mapping[str, str | None]) -> None:
    unknown = [name for name in context if hints and name not in hints]
    if unknown:
        say(f"the notebook's parameters cell has no {', '.join(unknown)}; passed all the same")


def refuse_unknown(options: argparse.Namespace, definition: Definition) -> None:
    """Refuse a parameter typed by hand that the definition does not have: it is a slip of the finger."""
    properties = definition.parameters.get("properties")
    if not isinstance(properties, Mapping) or definition.parameters.get("additionalProperties"):
        return
    for entry in [*options.parameter, *getattr(options, "matrix", [])]:
        name = entry.partition("=")[0]
        if name not in properties:
            close = difflib.get_close_matches(name, list(properties), 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(properties)}"
            raise InvalidInput(f"{definition.name} has no parameter {name!r}; {hint}")


def _with_permission(
    checked: list[JsonObject], given: Sequence[JsonObject], definition: Definition
) -> list[JsonObject]:
    """Ask once whether the target's own code may run, when the definition offers it and nothing was said."""
    properties = definition.parameters.get("properties")
    offered = properties.get(EXECUTE) if isinstance(properties, Mapping) else None
    asked = isinstance(offered, Mapping) and offered.get("type") == "boolean"
    if not asked or any(EXECUTE in context for context in given) or not can_ask():
        return checked
    sys.stderr.write(QUESTION)
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower() in ("y", "yes")
    return [{**context, EXECUTE: answer} for context in checked]
