"""What the verbs of `db` do to the store of a home."""

from __future__ import annotations

import argparse
import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

from chatflow_jupyter.domain.errors import ChatFlowError, InternalError, InvalidInput, NotFound
from chatflow_jupyter.interfaces.cli.main import say
from chatflow_jupyter.interfaces.cli.session import Session, in_session, settings_of
from chatflow_jupyter.interfaces.cli.terminal import safe_line, shown_size

MAX_PROBLEMS = 20


def path(options: argparse.Namespace) -> int:
    """Print where the database is, whether or not it exists yet."""
    print(settings_of(options).database)
    return 0


def upgrade(options: argparse.Namespace) -> int:
    """Bring the store up to this version; opening it does so, after a backup."""
    file = settings_of(options).database
    before = _backups(file)

    async def opened(session: Session) -> int:
        made = sorted(_backups(session.settings.database) - before)
        print(f"{file}: up to date")
        for backup in made:
            print(f"the store as it was: {backup}")
        return 0

    return in_session(options, "query", opened)


def check(options: argparse.Namespace) -> int:
    """Read the whole store and say whether it is sound; returns 1 when it is not."""
    from chatflow_jupyter.bootstrap import examine_home

    settings, file = settings_of(options), _existing(options)
    found = asyncio.run(examine_home(settings, read=not options.quick, most=MAX_PROBLEMS))
    for fault in found.faults:
        print(safe_line(fault))
    looked = f"{found.objects} stored {'object' if found.objects == 1 else 'objects'}"
    how = "there, not read" if options.quick else "read"
    looked = f"{looked} {how} ({shown_size(found.size_bytes)}), {found.took_sec:.1f} s"
    if found.faults:
        many = (
            f"{MAX_PROBLEMS} faults or more"
            if len(found.faults) == MAX_PROBLEMS
            else f"{len(found.faults)} faults"
        )
        many = "a fault" if len(found.faults) == 1 else many
        say(
            f"{settings.home}: damaged, {many}; while nothing uses it, restore {file.name} from a backup "
            f"and files of {settings.artifacts.name}/ from a copy of that folder"
        )
        return InternalError.exit_status
    print(f"{file}: sound, {shown_size(file.stat().st_size)}; {looked}")
    return 0


def backup(options: argparse.Namespace) -> int:
    """Copy the database, in use or not, to a new file."""
    from chatflow_jupyter.bootstrap import copy_database

    file = _existing(options)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = Path(options.file).expanduser() if options.file else file.with_name(f"{file.name}.{moment}.bak")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise InvalidInput(f"{target}: exists already; name a new file") from None
    except OSError as error:
        raise InvalidInput(f"{target}: cannot be written: {error.strerror}") from None
    try:
        copy_database(settings_of(options), target)
    except ChatFlowError:
        target.unlink(missing_ok=True)
        raise
    print(target)
    say("this is the database; the bytes of artifacts are in the home's `artifacts` folder")
    return 0


def collect(options: argparse.Namespace) -> int:
    """Remove what nobody needs any more, of every tenant, and say how much it was."""

    async def sweep(session: Session) -> int:
        removed = await session.app.upkeep.remove_all()
        print(f"{removed.objects} unreferenced {'object' if removed.objects == 1 else 'objects'} removed")
        print(f"{removed.uploads} unfinished {'upload' if removed.uploads == 1 else 'uploads'} removed")
        print(f"{removed.keys} expired idempotency {'key' if removed.keys == 1 else 'keys'} removed")
        print(f"{removed.outcomes} kept {'outcome' if removed.outcomes == 1 else 'outcomes'} forgotten")
        return 0

    return in_session(options, "query", sweep)


def _existing(options: argparse.Namespace) -> Path:
    file = settings_of(options).database
    if not file.is_file():
        raise NotFound(f"{file}: there is no store yet; the first `chatflow run` makes it")
    return file


def _backups(file: Path) -> set[Path]:
    return set(file.parent.glob(f"{file.name}.bak-*"))
