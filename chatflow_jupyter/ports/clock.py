"""Time, ids and chance come from outside, so that tests decide them."""

from datetime import datetime
from typing import Protocol

from chatflow_jupyter.domain.ids import InstanceId


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present moment, time-zone aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""


class IdFactory(Protocol):
    """Makes new identifiers."""

    def instance_id(self) -> InstanceId:
        """Return a new `wfi_…` id; later ones sort after earlier ones."""

    def token(self) -> str:
        """Return 128 random bits as text."""
