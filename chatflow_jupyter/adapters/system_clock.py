"""The real clock, and identifiers that sort by the time they were made."""

import secrets
import threading
import time
from datetime import UTC, datetime

from chatflow_jupyter.domain.ids import InstanceId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32: ascending in ASCII, so that text sorts
_RANDOM_BITS = 80
_ID_LENGTH = 26


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()


class UuidFactory:
    """Makes ids of 48 bits of time in milliseconds and 80 of chance, ascending within this process."""

    def __init__(self) -> None:
        """Start with nothing handed out."""
        self._last = 0
        self._guard = threading.Lock()

    def instance_id(self) -> InstanceId:
        """Return a new `wfi_…` id; later ones sort after earlier ones, also when the clock steps back."""
        drawn = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        with self._guard:
            self._last = drawn if drawn > self._last else self._last + 1
            return InstanceId(f"wfi_{_base32(self._last)}")

    def token(self) -> str:
        """Return 128 random bits as 32 hexadecimal digits."""
        return secrets.token_hex(16)


def _base32(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_ID_LENGTH - 1), -1, -5))
