"""Every error of the product. The docstring says when it is raised; `code` is stable.

ChatFlowError                   exit
 ├─ InvalidInput                 2   a value the caller gave is malformed
 │   └─ InvalidDefinition        2   a definition or template is malformed (file and line)
 ├─ NotFound                     6   nothing of that name or id, or not yours
 ├─ Conflict                     7   the state does not allow it now
 │   ├─ SeqConflict              7   somebody else's transition came first (retried inside)
 │   ├─ StaleFence               7   the attempt was given to somebody else, or ended
 │   └─ KeyReused                7   the idempotency key came with another request
 ├─ Unreachable                  8   a server or store cannot be reached
 │   ├─ HomeInUse                8   the home's store is locked or of a newer version
 │   └─ StoreDamaged             8   what the home holds is not what was stored
 ├─ StorageFull                  1   no room is left on the device
 └─ InternalError                1   a promise of ours was broken
"""


class ChatFlowError(Exception):
    """Something the product refuses or cannot do; the message says what, where, and what to do next."""

    code = "internal"
    exit_status = 1

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """Keep `message` for the reader and, when given, a more precise `code`."""
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidInput(ChatFlowError):
    """A value given by the caller is malformed."""

    code = "invalid_input"
    exit_status = 2


class InvalidDefinition(InvalidInput):
    """A definition or template is malformed; `problems` holds one line per fault, with file and line."""

    code = "invalid_definition"

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep every problem; the message is all of them, a line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


class NotFound(ChatFlowError):
    """Nothing has that name or id, or it belongs to somebody else: the answer is the same."""

    code = "not_found"
    exit_status = 6


class Conflict(ChatFlowError):
    """The request is well formed, but the present state does not allow it."""

    code = "conflict"
    exit_status = 7


class SeqConflict(Conflict):
    """Another transition of the same instance was committed first."""

    code = "seq_conflict"


class StaleFence(Conflict):
    """The attempt's lease has passed to somebody else, or the attempt has ended."""

    code = "stale_fence"


class KeyReused(Conflict):
    """The idempotency key was used before for a different request."""

    code = "idempotency_key_reused"


class Unreachable(ChatFlowError):
    """A server or store cannot be reached."""

    code = "unreachable"
    exit_status = 8


class HomeInUse(Unreachable):
    """The home's store stays locked, or was written by a newer version."""

    code = "home_unavailable"


class StoreDamaged(Unreachable):
    """A part of the home is not what was stored there: rows, pages of the database, or bytes of artifacts."""

    code = "store_damaged"


class StorageFull(ChatFlowError):
    """No room is left on the device; nothing was written."""

    code = "storage_full"


class InternalError(ChatFlowError):
    """A promise of the product itself was broken."""
