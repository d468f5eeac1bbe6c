"""`chatflow`: parse, hand to the command, and turn whatever happens into one line and an exit status."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from chatflow_jupyter.interfaces.cli.parser import build_parser
from chatflow_jupyter.interfaces.cli.terminal import prepare_streams, safe_text
from chatflow_jupyter.quick_start import leave_out_costly_imports

INTERRUPTED = 130
INTERNAL = 1
DRIVING = frozenset({"run", "fork", "trigger", "resume", "retry"})
NOT_DRIVING = frozenset({"--detach", "--dry-run", "-h", "--help"})


def entry() -> None:
    """Run the command line of this process and end it with the exit status."""
    leave_out_costly_imports()
    status = _main_with_early_runner(sys.argv[1:]) if _may_drive(sys.argv[1:]) else main(sys.argv[1:])
    _close_quietly()
    sys.exit(status)


def _may_drive(arguments: Sequence[str]) -> bool:
    """Return whether the command will need a runner, unless something is wrong with it."""
    return bool(DRIVING & set(arguments[:1])) and not NOT_DRIVING & set(arguments)


def _main_with_early_runner(arguments: Sequence[str]) -> int:
    """Let the runner start while the command is read and checked; it is ended when nobody asks for it."""
    from chatflow_jupyter.runner.process import discard_early, start_early

    start_early()
    try:
        return main(arguments)
    finally:
        discard_early()


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; see `docs/reference/cli.md` for what each means."""
    prepare_streams()
    parser = build_parser(_program())
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    try:
        status: int = options.handler(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except Exception as error:  # noqa: BLE001 - the outermost boundary: nobody sees a traceback
        return _failed(error)


def say(message: str) -> None:
    """Write one line for the person, on standard error, behind what was printed before it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"chatflow: {safe_text(message)}\n")
        sys.stderr.flush()


def _program() -> str:
    called = os.path.basename(sys.argv[0] or "")  # noqa: PTH119 - importing pathlib costs start-up time
    return "jupyter chatflow" if called == "jupyter-chatflow" else "chatflow"


def _failed(error: Exception) -> int:
    from chatflow_jupyter.domain.errors import ChatFlowError, InternalError

    if os.environ.get("CHATFLOW_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, BaseExceptionGroup):
        return _failed_group(error)
    if isinstance(error, ChatFlowError) and not isinstance(error, InternalError):
        for line in error.message.splitlines() or [error.code]:
            say(line)
        return error.exit_status
    return _internal(error)


def _failed_group(group: BaseExceptionGroup[BaseException]) -> int:
    """Report the most telling of several errors: ours before anybody else's."""
    from chatflow_jupyter.domain.errors import ChatFlowError

    leaves = list(_leaves(group))
    ours: list[ChatFlowError] = [error for error in leaves if isinstance(error, ChatFlowError)]
    if any(isinstance(error, KeyboardInterrupt) for error in leaves):
        say("interrupted")
        return INTERRUPTED
    first = (ours or leaves)[0]
    return _failed(first) if isinstance(first, Exception) else INTERNAL


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _internal(error: Exception) -> int:
    import errno

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        say("no room is left on the device; free some and try again: nothing is lost")
        return INTERNAL
    if isinstance(error, PermissionError):
        say(f"not allowed: {error.filename}: check who owns it, or choose another home with CHATFLOW_HOME")
        return INTERNAL
    from chatflow_jupyter.interfaces.cli.logs import record_internal_error

    where = record_internal_error(error)
    hint = f"the log is {where}" if where else "CHATFLOW_DEBUG=1 shows where"
    say(f"internal error: {type(error).__name__}: {error}; {hint}")
    return INTERNAL


def _pipe_closed() -> int:
    """Take the end of the reader (`| head`) as no error, and keep Python from complaining at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    return 0


def _close_quietly() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _pipe_closed()
