"""One command's session: settings, log, the opened product, and an orderly end when interrupted."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chatflow_jupyter.domain.errors import ChatFlowError, InvalidInput, NotFound
from chatflow_jupyter.domain.ids import LOCAL_PRINCIPAL, InstanceId, Principal, TenantId
from chatflow_jupyter.interfaces.cli.logs import start_logging
from chatflow_jupyter.interfaces.cli.main import INTERRUPTED, say
from chatflow_jupyter.settings import Settings, load_settings

if TYPE_CHECKING:
    from chatflow_jupyter.bootstrap import ChatFlow

Role = Literal["query", "foreground"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MAX_TENANT_LENGTH = 64
PROGRAMS = {"chatflow": "chatflow", "jupyter-chatflow": "jupyter chatflow"}


@dataclass(kw_only=True)
class Session:
    """What a command works with. `followed` are the instances an interruption leaves behind."""

    options: argparse.Namespace
    settings: Settings
    app: ChatFlow
    tenant_id: TenantId
    principal: Principal = LOCAL_PRINCIPAL
    followed: list[InstanceId] = field(default_factory=list)

    def command(self, *words: str) -> str:
        """Return a command line to show: it reaches the same home and tenant as this one."""
        return shown_command(self.options, *words)


def shown_command(options: argparse.Namespace, *words: str) -> str:
    """Return `chatflow WORDS…` with the home and tenant this command line was given."""
    given: list[str] = []
    if getattr(options, "home", None):
        given += ["--home", str(options.home)]
    if getattr(options, "tenant", "local") != "local":
        given += ["--tenant", str(options.tenant)]
    return " ".join([program(), *words, *map(shlex.quote, given)])


def program(*, anywhere: bool = False) -> str:
    """Return how this program is called: its name, or its path when it is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name not in PROGRAMS or not called.is_file():
        return "chatflow"
    found = shutil.which(called.name)
    if found is not None and Path(found).samefile(called):
        return PROGRAMS[called.name]
    try:
        shown = called.absolute() if anywhere else called.absolute().relative_to(Path.cwd())
    except ValueError:
        shown = called.absolute()
    return shlex.quote(str(shown))


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings, with the command line's own home first."""
    home = getattr(options, "home", None)
    return load_settings({"home": home} if home else None)


def tenant_of(options: argparse.Namespace) -> TenantId:
    """Return the tenant named on the command line; raises `InvalidInput` for what cannot be one."""
    name = str(getattr(options, "tenant", "local"))
    if not name or len(name) > MAX_TENANT_LENGTH or not all(sign.isalnum() or sign in "-_." for sign in name):
        raise InvalidInput(f"--tenant {name!r}: 1 to {MAX_TENANT_LENGTH} letters, digits, - _ or .")
    if name.startswith("."):
        raise InvalidInput(f"--tenant {name!r}: may not begin with a dot")
    return TenantId(name)


def in_session(options: argparse.Namespace, role: Role, action: Callable[[Session], Awaitable[int]]) -> int:
    """Open the product in `role`, run `action`, and return its exit status.

    What it drove and left unfinished goes on in the background. Interrupted (Ctrl-C, SIGTERM, a closed
    terminal) it closes in order, says that what it followed is kept and how to go on, and returns 130: then
    nothing goes on until a command runs something in this home. Interrupted again it ends at once.
    """
    from chatflow_jupyter.bootstrap import open_chatflow

    settings = settings_of(options)
    tenant_id = tenant_of(options)
    if getattr(options, "instance", None) is not None and not settings.home.exists():
        raise NotFound(
            f"{settings.home}: nothing has been run there, so there is no instance; start one with "
            "`chatflow run`, or say --home"
        )
    start_logging(settings)
    followed: list[InstanceId] = []

    async def within() -> int:
        _end_on_signals()
        async with open_chatflow(settings, role) as app:
            session = Session(
                options=options, settings=settings, app=app, tenant_id=tenant_id, followed=followed
            )
            async with _going_on(session):
                return await action(session)

    try:
        return asyncio.run(within())
    except (asyncio.CancelledError, KeyboardInterrupt):
        _say_what_is_kept(options, role, followed)
        return INTERRUPTED


async def go_on_in_background(session: Session) -> None:
    """See that a background runner does what is left to do in this home; it finds that by itself."""
    from chatflow_jupyter.bootstrap import see_to_background

    await see_to_background(session.settings, session.app.storage)


@asynccontextmanager
async def _going_on(session: Session) -> AsyncIterator[None]:
    """Unless it is interrupted, see that trees driven here go on when the command has ended, and say so.

    The body may be refused, or follow a part of a tree, and leave with much of it still to be done.
    """
    interrupted = False
    try:
        yield
    except asyncio.CancelledError:
        interrupted = True
        raise
    finally:
        if not interrupted:
            await _hand_on(session)


async def _hand_on(session: Session) -> None:
    from chatflow_jupyter.services.hook_runs import forget_moot

    engine = session.app.engine
    if engine is None:
        return
    session.app.check_home()  # in the background it would be made anew
    engine.hand_on()
    storage = session.app.storage
    with suppress(ChatFlowError):  # it only cannot be told: the engine looks again when it leaves
        if any(tree.owner_id == engine.owner_id for tree in await storage.unfinished_trees()):
            await forget_moot(storage)
        for tree in await storage.unfinished_trees():
            if tree.owner_id == engine.owner_id:
                say(f"{tree.root_id} goes on in the background: {session.command('watch', tree.root_id)}")


def _end_on_signals() -> None:
    task = asyncio.current_task()
    assert task is not None
    seen = 0

    def end() -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            os._exit(INTERRUPTED)
        task.cancel()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, end)


def _say_what_is_kept(options: argparse.Namespace, role: Role, followed: list[InstanceId]) -> None:
    if not followed:
        say("interrupted")
    for instance_id in followed:
        verb = "resume" if role == "foreground" else "watch"
        words = f"interrupted; {instance_id} is kept; go on with: {shown_command(options, verb, instance_id)}"
        if role == "foreground":
            words += f"; or end it: {shown_command(options, 'terminate', instance_id)}"
        say(words)
