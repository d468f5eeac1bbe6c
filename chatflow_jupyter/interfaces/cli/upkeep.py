"""What the verbs of `db` do to the store of a home."""

from __future__ import annotations

import argparse
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from chatflow_jupyter.domain.errors import InternalError, InvalidInput, NotFound
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
    """Read the whole database and say whether it is sound; raises `InternalError` when it is not."""
    file = _existing(options)
    try:
        with closing(_read_only(file)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(MAX_PROBLEMS)
    except sqlite3.Error as error:
        raise InternalError(f"{file}: cannot be read: {error}; restore a backup") from None
    problems = [safe_line(line) for line in found if line != "ok"]
    problems += [f"table {row[0]}, row {row[1]}: refers to a missing row of {row[2]}" for row in broken]
    for problem in problems:
        print(problem)
    if problems:
        say(f"{file}: damaged; stop what uses it and restore a backup (`chatflow db backup` makes them)")
        return InternalError.exit_status
    print(f"{file}: sound, {shown_size(file.stat().st_size)}")
    return 0


def backup(options: argparse.Namespace) -> int:
    """Copy the database, in use or not, to a new file."""
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
        with closing(_read_only(file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise InternalError(f"{target}: the copy failed: {error}") from None
    print(target)
    say("this is the database; the bytes of artifacts are in the home's `artifacts` folder")
    return 0


def collect(options: argparse.Namespace) -> int:
    """Remove stored bytes that nothing refers to and nobody touched for a day."""

    async def sweep(session: Session) -> int:
        removed = 0
        while count := await session.app.artifacts.collect(session.tenant_id):
            removed += count
        print(f"{removed} unreferenced {'object' if removed == 1 else 'objects'} removed")
        return 0

    return in_session(options, "query", sweep)


def _existing(options: argparse.Namespace) -> Path:
    file = settings_of(options).database
    if not file.is_file():
        raise NotFound(f"{file}: there is no store yet; the first `chatflow run` makes it")
    return file


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def _backups(file: Path) -> set[Path]:
    return set(file.parent.glob(f"{file.name}.bak-*"))
