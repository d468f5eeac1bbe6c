"""The bus of one process: subscribers are called in order, and slow ones slow nobody down but the relay."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from chatflow_jupyter.ports.records import OutboxRow

Subscriber: TypeAlias = Callable[[OutboxRow], Awaitable[None]]

_log = logging.getLogger(__name__)


class InProcessBus:
    """Hands every message to every subscriber of this process."""

    def __init__(self) -> None:
        """Start without subscribers."""
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every message from now on; returns what ends that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    async def publish(self, messages: Sequence[OutboxRow]) -> None:
        """Hand the messages over in order. A subscriber's fault is logged: messages are hints."""
        for message in messages:
            for subscriber in tuple(self._subscribers):
                try:
                    await subscriber(message)
                except Exception:  # noqa: BLE001 - the boundary to foreign code
                    _log.exception("a subscriber failed on message %s", message.outbox_id)
