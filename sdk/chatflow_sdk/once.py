"""The cell magic `%%once NAME -o df,model`: run a cell in the first attempt, restore its variables later."""

import argparse
import pickle
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import PhaseError
from .phase_link import checked_name

_USAGE = "%%once NAME -o variable,variable"
PROTOCOL = 5


def register(shell: Any) -> None:
    """Add the magic to an IPython shell, once."""
    if "once" not in shell.magics_manager.magics["cell"]:
        shell.register_magic_function(lambda line, cell: run(shell, line, cell), "cell", "once")


def run(shell: Any, line: str, cell: str) -> None:
    """Restore the named variables when an earlier attempt stored them; otherwise run the cell and store them.

    Stored variables are durable before the cell ends. They are pickled: classes and functions they need
    must be importable, or defined in an earlier cell. Raises `PhaseError`.
    """
    from .phase import context, not_repeated

    name, variables = parse(line)
    ctx = context()
    link = ctx._link  # noqa: SLF001 - two files of one part
    stored = link.once_get_file(name)
    if stored is not None:
        shell.user_ns.update(restore(stored, name, variables))
        sys.stdout.write(f"once {name}: {', '.join(variables) or 'done'} from an earlier attempt\n")
        return
    with not_repeated():
        shell.run_cell(cell).raise_error()
    path = ctx.work_dir / ".chatflow" / f"once-{name}.pickle"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(store(shell.user_ns, name, variables))
    link.once_put_file(name, path)


def parse(line: str) -> tuple[str, tuple[str, ...]]:
    """Return the name and the variables of a magic's line; raises `PhaseError` with the usage."""
    parser = argparse.ArgumentParser(prog="%%once", add_help=False, exit_on_error=False)
    parser.add_argument("name")
    parser.add_argument("-o", "--output", action="append", default=[])
    try:
        arguments, rest = parser.parse_known_args(shlex.split(line))
    except (argparse.ArgumentError, ValueError, SystemExit):
        raise PhaseError(f"usage: {_USAGE}") from None
    variables = tuple(part.strip() for entry in arguments.output for part in entry.split(",") if part.strip())
    if rest or not all(variable.isidentifier() for variable in variables):
        raise PhaseError(f"usage: {_USAGE}")
    return checked_name(arguments.name), variables


def store(namespace: Mapping[str, object], name: str, variables: tuple[str, ...]) -> bytes:
    """Return the named variables as bytes; raises `PhaseError` naming the one that cannot be stored."""
    pickled: dict[str, bytes] = {}
    for variable in variables:
        if variable not in namespace:
            raise PhaseError(f"once {name!r}: the cell has not set {variable}")
        try:
            pickled[variable] = pickle.dumps(namespace[variable], protocol=PROTOCOL)
        except Exception as error:
            raise PhaseError(f"once {name!r}: {variable} cannot be stored: {error}") from error
    return pickle.dumps(pickled, protocol=PROTOCOL)


def restore(path: Path, name: str, variables: tuple[str, ...]) -> dict[str, object]:
    """Return the stored variables; raises `PhaseError` naming the one that is missing or unreadable."""
    try:
        pickled = pickle.loads(path.read_bytes())  # noqa: S301 - written by this phase's earlier attempt
    except Exception as error:
        raise PhaseError(f"once {name!r}: what was stored cannot be read: {error}") from error
    restored: dict[str, object] = {}
    for variable in variables:
        if variable not in pickled:
            raise PhaseError(f"once {name!r}: {variable} was not stored by the earlier attempt")
        try:
            restored[variable] = pickle.loads(pickled[variable])  # noqa: S301 - as above
        except Exception as error:
            raise PhaseError(f"once {name!r}: {variable} cannot be restored: {error}") from error
    return restored
