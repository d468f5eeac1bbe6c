"""`IEventBus`: the transport of committed events. Messages are hints; the store is the truth."""

from collections.abc import Sequence
from typing import Protocol

from .records import OutboxRow


class IEventBus(Protocol):
    """At-least-once publication."""

    async def publish(self, messages: Sequence[OutboxRow]) -> None:
        """Hand the messages over in order; when this returns the transport has them. Raises `Unreachable`."""
